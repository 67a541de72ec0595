import { type Explanation, explainAccess, type HeldGroup, type RuleTried } from '../operations/explain-access.ts';
import { accepted, type Command, optional, subjectOf } from './command.ts';
import { shown } from './shown.ts';
import { reasonText } from './users.ts';

export const explain: Command = {
  usage: 'explain --tenant T --user U [--role R]',
  summary: 'why a person holds what they hold, or why they do not hold a role',
  options: { tenant: { type: 'string' }, user: { type: 'string' }, role: { type: 'string' } },
  async run(world, values) {
    const { tenant, subject } = await subjectOf(world, values);
    const explained = accepted(await explainAccess(world.context, tenant, subject, optional(values, 'role')));
    const { access, role, version, suspension, inheritedFrom, barredAtHome, held } = explained;
    const json = {
      tenant: tenant.slug,
      user: subject.name,
      id: subject.subjectId,
      configVersion: version,
      state: access.state,
      barredAtHome,
      suspension,
      inheritedFrom,
      roles: access.roles,
      held,
      ...(role === null ? {} : { role }),
    };
    const head = `${subject.name} in ${tenant.slug}: ${stateText(explained)}`;
    const body =
      role === null
        ? [
            ...access.roles.flatMap((one) => [
              `  ${one.role}`,
              ...one.because.map((reason) => `    ${reasonText(reason)}`),
            ]),
            ...(access.state === 'no_access' && held.length === 0
              ? ["  --role 'Workspace: Role' tells what would give it, and why it does not"]
              : []),
          ]
        : roleLines(role, held);
    const inherited = inheritedFrom === null ? [] : [inheritedText(tenant.slug, subject.subjectId, inheritedFrom)];
    return {
      text: [head, ...inherited, ...body, ...held.map((one) => heldText(tenant.slug, one))].map(shown).join('\n'),
      json,
    };
  },
};

function stateText({ access, barredAtHome, suspension }: Explanation): string {
  const where = barredAtHome ? ' at home' : '';
  switch (access.state) {
    case 'active':
      return 'active';
    case 'no_access':
      return 'no access, since nothing gives a role';
    case 'suspended':
      return `suspended${where}${sinceText(suspension)}, until an administrator assigns a role`;
    case 'pending':
      return `waiting for an administrator’s approval${where}`;
    case 'deactivated': {
      // To be switched on again would not let them in.
      const too =
        suspension === null ? '' : `. Suspended${sinceText(suspension)}, too, until an administrator assigns a role`;
      return `deactivated${where}: Is Active is off, or no directory that knows them has them active; whom one switches on while it is held waits for its activation${too}`;
    }
  }
}

function sinceText(suspension: Explanation['suspension']): string {
  return suspension === null ? '' : ` since ${new Date(suspension.suspendedAt).toISOString()}`;
}

function roleLines(role: NonNullable<Explanation['role']>, waiting: readonly HeldGroup[]): readonly string[] {
  const held =
    role.held === null
      ? [`  ${role.label} is not held`]
      : [`  ${role.label} is held`, ...role.held.because.map((reason) => `    ${reasonText(reason)}`)];
  const grants =
    role.held === null
      ? role.grants.map((grant) => `    assigned by ${grant.by} (${grant.source}), and does not count now`)
      : [];
  const rules = role.rules
    .filter((rule) => role.held === null || rule.groups.length === 0)
    .filter((rule) => rule.groups.length > 0 || !waiting.some((one) => one.rule === rule.rule))
    .map((rule) => `    ${ruleText(rule)}`);
  const none =
    grants.length + role.rules.length + (role.held?.because.length ?? 0) === 0
      ? ['    no rule gives it and nobody assigned it']
      : [];
  return [...held, ...grants, ...rules, ...none];
}

function ruleText({ rule, match, connection, groups, uncounted }: RuleTried): string {
  const group = `${match.kind === 'local' ? 'the tenant’s own group' : `the group of ${connection} by ${match.kind}`} "${match.value}"`;
  const member =
    uncounted === 'connection_held'
      ? `they are a member, and it gives nothing while ${connection} is held`
      : uncounted === 'connection_off'
        ? `they are a member, and it gives nothing while ${connection} is switched off`
        : groups.length > 0
          ? 'they are a member, and it does not count now'
          : 'they are no member';
  return `rule "${rule}" gives it to ${group}: ${member}`;
}

function inheritedText(tenant: string, subjectId: string, from: NonNullable<Explanation['inheritedFrom']>): string {
  return (
    `  they came to have a name, an address or an id of ${from.name} (${from.subjectId}), who was suspended; if they are somebody else: ` +
    `drawbridge user assign-role --tenant ${tenant} --user ${subjectId} --role 'Workspace: Role'`
  );
}

function heldText(tenant: string, { rule, role, group, groupId }: HeldGroup): string {
  return (
    `  rule "${rule}" would give ${role} by the group "${group}", which waits for an administrator: ` +
    `drawbridge rule approve --tenant ${tenant} --rule '${rule}' --group ${groupId}`
  );
}
