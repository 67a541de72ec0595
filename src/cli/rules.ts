import { approveGroup, ruleBindings } from '../operations/approve-group.ts';
import { accepted, type Command, required, tenantOf } from './command.ts';
import { table } from './table.ts';

export const ruleGroups: Command = {
  usage: 'rule groups --tenant T',
  summary: 'groups that rules by name and prefix speak of; held ones wait for approval',
  options: { tenant: { type: 'string' } },
  async run(world, values) {
    const bindings = await ruleBindings(world.context, await tenantOf(world, values));
    const rows = bindings.map((one) => [one.state, one.rule, one.group, one.connection, one.groupId]);
    return { text: table(['STATE', 'RULE', 'GROUP', 'CONNECTION', 'GROUP ID'], rows), json: bindings };
  },
};

export const ruleApprove: Command = {
  usage: 'rule approve --tenant T --rule RULE --group NAME|ID',
  summary: 'let a held group give what the rule gives',
  options: { tenant: { type: 'string' }, rule: { type: 'string' }, group: { type: 'string' } },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const { binding } = accepted(
      await approveGroup(world.context, tenant, required(values, 'rule'), required(values, 'group')),
    );
    return { text: `Rule "${binding.rule}" now speaks of the group "${binding.group}".`, json: binding };
  },
};
