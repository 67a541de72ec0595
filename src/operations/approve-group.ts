import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { apply } from '../store/apply.ts';
import { listBindings, type RuleBinding } from '../store/rule-bindings.ts';
import type { TenantRef } from './standing.ts';

/** Which groups the rules by name and prefix speak of, those that wait for an administrator first. */
export function ruleBindings(ctx: Context, tenant: TenantRef): Promise<readonly RuleBinding[]> {
  return listBindings(ctx.hot(tenant.tenantId));
}

/**
 * An administrator's word that a held group may give what the rule gives. `group` is the group's id, or its name where one held
 * group of the rule has it. The group that the rule was bound to before stays bound. Refuses `unknown_group`.
 */
export function approveGroup(
  ctx: Context,
  tenant: TenantRef,
  rule: string,
  group: string,
): Promise<{ readonly kind: 'bound'; readonly binding: RuleBinding } | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const held = (await listBindings(tx)).filter(
      (one) => one.state === 'held' && (one.rule === rule || one.ruleId === rule),
    );
    const [binding, ...others] = held.filter((one) => one.groupId === group || one.group === group);
    if (binding === undefined || others.length > 0) {
      return refused('unknown_group', `The rule ${JSON.stringify(rule)} holds no group ${JSON.stringify(group)}.`);
    }
    const { ruleId, groupId } = binding;
    await apply(ctx, tx, {
      changes: [{ kind: 'bind_rule', ruleId, groupId, state: 'bound' }],
      events: [done('group.mapping_approved', 'group', groupId, { rule: binding.rule, group: binding.group })],
    });
    return { kind: 'bound', binding: { ...binding, state: 'bound' } } as const;
  });
}
