import type { TenantTx } from '../context.ts';
import type { DirectoryGroupId, RuleId } from '../core/ids.ts';
import { instant } from './instant.ts';

/** A group that a rule by name or prefix speaks of, and what became of it. Times are epoch milliseconds. */
export type RuleBinding = {
  readonly ruleId: RuleId;
  readonly rule: string;
  readonly groupId: DirectoryGroupId;
  readonly group: string;
  readonly connection: string;
  readonly state: 'bound' | 'held';
  readonly since: number;
};

/** Bindings of rules in force to groups that are there, held ones first. */
export function listBindings(tx: TenantTx): Promise<readonly RuleBinding[]> {
  return tx.run<RuleBinding>(
    {
      name: null,
      text: `
select b.rule_id as "ruleId", r.key as rule, b.group_id as "groupId", g.display_name as "group", c.key as connection, b.state,
  ${instant('b.created_at')} as since
from rule_bindings b
join mapping_rules r on r.tenant_id = b.tenant_id and r.rule_id = b.rule_id and r.ended_at is null
join directory_groups g on g.tenant_id = b.tenant_id and g.group_id = b.group_id and g.ended_at is null
join connections c on c.tenant_id = g.tenant_id and c.connection_id = g.connection_id and c.ended_at is null
where b.tenant_id = $1 order by b.state desc, r.key, g.display_name limit 1000`,
    },
    [tx.tenantId],
  );
}
