import type { TenantConfig } from '../core/config.ts';
import type { ConfigChange } from '../core/config-change.ts';
import { counted } from '../core/counted.ts';
import type { AccessDifference } from '../core/plan-access.ts';
import { roleLabel, type SecretRef } from '../core/tenant.ts';
import { type ConfigReport, planConfig } from '../operations/plan-config.ts';
import { readSecret } from '../settings.ts';
import type { Command } from './command.ts';
import { changedFields, connectionText } from './connection-text.ts';
import { shown } from './shown.ts';
import { filesOf, impossible } from './tenant-files.ts';
import { reasonText } from './users.ts';

export const plan: Command = {
  usage: 'plan',
  summary: 'what applying the configuration files would change, and who gains, loses and keeps which role',
  options: {},
  async run(world) {
    const files = await filesOf(world);
    const report = await planConfig(world.context, files.tenants);
    if (report.kind === 'impossible') throw impossible(files, report.faults);
    const end = `To apply exactly this: drawbridge apply --digest ${report.digest}`;
    const text =
      report.changes.length === 0
        ? 'Nothing to change: what is in force is what the files say.'
        : `${reportText(report)}\n\n${end}`;
    const warnings = missingSecrets(files.tenants, world.settings.configFolder);
    const warned = warnings.map((warning) => `\n! ${warning}`).join('');
    return { text: `${text}${warned}`, json: { ...reportJson(report), warnings } };
  },
};

/** Only what this process sees: the server may be started with other variables, so it is no reason to refuse. */
function missingSecrets(tenants: readonly TenantConfig[], configFolder: string): readonly string[] {
  return tenants.flatMap(({ slug, connections }) =>
    connections.flatMap((connection) => {
      const secret = connection.protocol === 'oidc' ? connection.oidc.clientSecret : null;
      if (secret === null || canRead(secret, configFolder)) return [];
      const source = 'env' in secret ? `variable ${secret.env} is not set` : `file ${secret.file} cannot be read`;
      return [`The client secret of the connection ${connection.key} in ${slug} is missing here: the ${source}.`];
    }),
  );
}

function canRead(secret: SecretRef, configFolder: string): boolean {
  try {
    readSecret(secret, configFolder);
    return true;
  } catch {
    return false;
  }
}

export function reportJson({ digest, changes, bindings, differences, counts }: ConfigReport): object {
  return { digest, changes, bindings, people: differences, counts };
}

/** The plan as a person reads it: tenants, then people, then how many. */
export function reportText(report: ConfigReport): string {
  const tenants = [...Map.groupBy(report.changes, (change) => change.tenant)].map(([tenant, changes]) => {
    const bindings = report.bindings.filter((binding) => binding.tenant === tenant);
    const lines = [
      ...changes.map(changeText),
      ...bindings.map(({ rule, group, state }) =>
        state === 'bound'
          ? `= rule "${rule}" speaks of the group "${shown(group)}" that is there`
          : `! rule "${rule}" holds the group "${shown(group)}" for approval`,
      ),
    ];
    return [tenant, ...lines.map((line) => `  ${line}`)].join('\n');
  });
  const { examined, different, gaining, losing, sessionsEnding } = report.counts;
  const people = report.differences.map(differenceText);
  const untold = different - report.differences.length;
  if (untold > 0) people.push(`  … and ${untold} more, all of them in the digest`);
  const differ = counted(different, 'person differs', 'people differ');
  const ends = counted(sessionsEnding, 'is signed out', 'are signed out');
  const summary = `${differ}: ${counted(gaining, 'gains', 'gain')}, ${counted(losing, 'loses', 'lose')}, ${ends} (${examined} looked at).`;
  return [...tenants, ...(people.length === 0 ? [] : [['People', ...people].join('\n')]), summary].join('\n\n');
}

function changeText(change: ConfigChange): string {
  switch (change.kind) {
    case 'create_tenant':
      return `+ tenant "${change.displayName}" below ${change.parent}${change.active ? '' : ', closed'}`;
    case 'take_over_tenant':
      return '~ managed by its file from now on, no more by the console and the API';
    case 'change_tenant':
    case 'change_setting':
      return `~ ${change.field}: ${value(change.from)} -> ${value(change.to)}`;
    case 'add_allowed_domain':
      return `+ allowed domain ${change.domain}`;
    case 'remove_allowed_domain':
      return `- allowed domain ${change.domain}`;
    case 'add_role':
      return `+ role ${roleLabel(change.role)}${rightsText(change.role.rights)}`;
    case 'change_role':
      return `~ role ${roleLabel(change.from)}${rightsText(change.from.rights)} -> ${roleLabel(change.to)}${rightsText(change.to.rights)}`;
    case 'remove_role':
      return `- role ${roleLabel(change.role)}, and every grant of it`;
    case 'add_connection':
      return `+ connection ${change.connection.key} (${connectionText(change.connection)})`;
    case 'change_connection':
      return `~ connection ${change.to.key}: ${changedFields(change.from, change.to).join(', ')}`;
    case 'remove_connection':
      return `- connection ${change.connection.key}, with its directory, its SCIM tokens and the sign-ins linked to it`;
    case 'add_rule':
      return `+ rule "${shown(change.rule.key)}" gives ${change.rule.role}`;
    case 'change_rule':
      return `~ rule "${shown(change.key)}": ${change.from} -> ${change.to}`;
    case 'remove_rule':
      return `- rule "${shown(change.key)}" gave ${change.role}`;
  }
}

const value = (one: string | boolean | null) => (one === null ? 'none' : String(one));
const rightsText = (rights: readonly string[]) => (rights.length === 0 ? '' : ` (${rights.join(', ')})`);

function differenceText(difference: AccessDifference): string {
  const { tenant, subject, gains, loses, keeps, endsSessions, letIn, after } = difference;
  const because = (role: AccessDifference['keeps'][number]) =>
    `${role.role} (${role.because.map(reasonText).join('; ')})`;
  const lines = [
    ...(letIn ? [`is deactivated no more: ${after}`] : []),
    ...gains.map((role) => `gains ${because(role)}`),
    ...loses.map((role) => `loses ${role.role}`),
    ...keeps.map((role) => `keeps ${because(role)}`),
    ...(endsSessions ? ['is signed out'] : []),
  ];
  return [
    `  ${shown(subject.name)} in ${tenant}${subject.kind === 'guest' ? ' (guest)' : ''}`,
    ...lines.map((line) => `    ${shown(line)}`),
  ].join('\n');
}
