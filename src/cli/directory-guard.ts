// A directory that is held, or that its guard has paused: what letting it go on does to people, and doing that.

import type { AccessDifference } from '../core/plan-access.ts';
import { applyHold, planHold } from '../operations/hold-directory.ts';
import type { ConfigReport } from '../operations/plan-config.ts';
import { type DirectoryStanding, planResume, type ResumedPerson, type ResumePlan } from '../operations/plan-resume.ts';
import { showDirectory } from '../operations/read-directories.ts';
import { discardPaused, resumeDirectory } from '../operations/resume-directory.ts';
import type { TenantRef } from '../operations/standing.ts';
import { accepted, CliError, type CliWorld, type Command, required, tenantOf, type Values } from './command.ts';
import { reportJson, reportText } from './plan.ts';
import { shown } from './shown.ts';
import { filesOf, impossible } from './tenant-files.ts';
import { reasonText } from './users.ts';

const which = { tenant: { type: 'string' }, connection: { type: 'string' } } as const;
const planned = { ...which, digest: { type: 'string' } } as const;

type Named = { readonly tenant: TenantRef; readonly connection: string; readonly options: string };

async function named(world: CliWorld, values: Values): Promise<Named> {
  const tenant = await tenantOf(world, values);
  const connection = required(values, 'connection');
  return { tenant, connection, options: `--tenant ${tenant.slug} --connection ${connection}` };
}

export const directoryPlan: Command = {
  usage: 'directory plan --tenant T --connection C',
  summary:
    'who gains what if a held directory is activated; who loses what if a paused one is resumed, or an active one is held',
  options: which,
  async run(world, values) {
    const directory = await named(world, values);
    const { tenant, connection, options } = directory;
    const standing = accepted(await planResume(world.context, tenant, connection));
    if (standing.kind === 'paused') {
      return {
        text: pausedText(directory, standing),
        json: pausedJson(standing),
      };
    }
    const held = !standing.held;
    const report = accepted(await planHold(world.context, tenant, connection, held));
    const verb = held ? 'hold' : 'activate';
    const file = await fileDisagrees(world, directory, held);
    const lines = [
      `The directory ${connection} of ${tenant.slug} is ${standingText(standing)}.`,
      `If it is ${held ? 'held' : 'activated'}:`,
      '',
      reportText(report),
      '',
      ...(file === null ? [] : [`First: ${file}`]),
      `To do exactly this: drawbridge directory ${verb} ${options} --digest ${report.digest}`,
    ];
    const state = !standing.enabled ? 'off' : standing.held ? 'held' : 'active';
    return { text: lines.join('\n'), json: { state, held: standing.held, file, ...reportJson(report) } };
  },
};

const OFF =
  'switched off with its connection (enabled: false): it takes no pushes, nobody signs in by it, its groups give nobody a role, and whoever it deactivated stays so';

function standingText({ enabled, held }: Pick<DirectoryStanding, 'enabled' | 'held'>): string {
  if (!enabled) return held ? `held, and ${OFF}` : OFF;
  return held ? 'held: its groups give nobody a role' : 'active';
}

export const directoryActivate = holdCommand('activate', false, 'let the groups of a held directory give their roles');
export const directoryHold = holdCommand(
  'hold',
  true,
  'go on taking pushes, and let the directory’s groups give nobody a role',
);

function holdCommand(name: string, held: boolean, summary: string): Command {
  return {
    usage: `directory ${name} --tenant T --connection C --digest D`,
    summary: `${summary}, if that is exactly the plan with this digest`,
    options: planned,
    async run(world, values) {
      const directory = await named(world, values);
      const digest = required(values, 'digest');
      const file = await fileDisagrees(world, directory, held);
      if (file !== null) throw new CliError(file);
      const outcome = await applyHold(world.context, directory.tenant, directory.connection, held, digest);
      if (outcome.kind === 'impossible') throw impossible(await filesOf(world), outcome.faults);
      const { report } = accepted(outcome);
      const { enabled } = accepted(await showDirectory(world.context, directory.tenant, directory.connection));
      return {
        text: heldText(directory, { enabled, held }, report),
        json: { [held ? 'held' : 'activated']: true, ...reportJson(report) },
      };
    },
  };
}

function heldText(
  { tenant, connection }: Named,
  { enabled, held }: Pick<DirectoryStanding, 'enabled' | 'held'>,
  { counts }: ConfigReport,
): string {
  const { gaining, losing, sessionsEnding } = counts;
  const state = held ? 'held' : enabled ? 'active' : 'not held any more, but switched off';
  return `The directory ${connection} of ${tenant.slug} is ${state}; gained: ${gaining}, lost: ${losing}, signed out: ${sessionsEnding}.`;
}

/**
 * The file is what holds: where it says otherwise, the next `apply` would undo what is done here. The line to change, or null.
 */
async function fileDisagrees(world: CliWorld, { tenant, connection }: Named, held: boolean): Promise<string | null> {
  const files = await filesOf(world);
  const file = files.tenants.find((one) => one.slug === tenant.slug);
  const written = file?.connections.find((one) => one.key === connection);
  if (written === undefined || written.scimHeld === held) return null;
  const path = ['connections', connection, 'scimHeld'];
  const found = held ? 'false' : 'true';
  const expected = held ? 'true, so that it stays held when the files are applied' : 'false, or the line taken out';
  return impossible(files, [{ tenant: tenant.slug, path, found, expected }]).message;
}

export const directoryResume: Command = {
  usage: 'directory resume --tenant T --connection C --digest D',
  summary:
    'do what a paused directory asked for, if that is exactly the plan with this digest, and take its pushes again',
  options: planned,
  async run(world, values) {
    const { tenant, connection } = await named(world, values);
    const done = accepted(await resumeDirectory(world.context, tenant, connection, required(values, 'digest')));
    const { deactivated, removed, left, groupsEnded, kept } = done;
    const text = `The directory ${connection} of ${tenant.slug} goes on. Deactivated: ${deactivated}, removed: ${removed}, memberships ended: ${left}, groups ended: ${groupsEnded}, administrators kept: ${kept}.`;
    return { text, json: { resumed: true, deactivated, removed, membershipsEnded: left, groupsEnded, kept } };
  },
};

export const directoryDiscard: Command = {
  usage: 'directory discard --tenant T --connection C',
  summary: 'forget what a paused directory asked for, and take its pushes again',
  options: which,
  async run(world, values) {
    const { tenant, connection } = await named(world, values);
    const { acts } = accepted(await discardPaused(world.context, tenant, connection));
    const count = Object.values(acts).reduce((sum, one) => sum + one, 0);
    const text = `The directory ${connection} of ${tenant.slug} goes on. What it asked for is forgotten (${count}); what it asks for again is counted anew.`;
    return { text, json: { discarded: true, acts } };
  },
};

function pausedJson({ kind: _, state, ...plan }: ResumePlan): object {
  const { since, people, line, overflowed } = state;
  return { ...plan, state: 'paused', since: iso(since), reached: { people, line }, overflowed };
}

function pausedText({ tenant, connection, options }: Named, plan: ResumePlan): string {
  const { state, acts, people, counts } = plan;
  const untold = counts.people - people.length;
  const asked = [
    counted(acts.deactivate_user, 'deactivation', 'deactivations'),
    counted(acts.remove_user, 'removal of a user', 'removals of users'),
    counted(acts.leave_group, 'membership to end', 'memberships to end'),
    counted(acts.remove_group, 'group to end', 'groups to end'),
    ...(acts.unmap_group === 0
      ? []
      : [counted(acts.unmap_group, 'group to leave its rules', 'groups to leave their rules')]),
    ...(acts.touch_user === 0
      ? []
      : [counted(acts.touch_user, 'push that takes from one person', 'pushes that take from one person')]),
  ];
  const again = acts.unmap_group + acts.touch_user > 0;
  const reached = counted(state.people, 'person', 'people');
  const lines = [
    `The directory ${connection} of ${tenant.slug} is paused since ${iso(state.since)}: with the refused request it came to ${reached}, past its line of ${lineText(plan)}.`,
    `It asked for: ${asked.join(', ')}.`,
    ...(plan.enabled ? [] : [`It is ${standingText(plan)}.`]),
    ...(state.overflowed ? ['It asked for more than is recorded; the rest it has to ask for again.'] : []),
    '',
    'If that is done',
    ...plan.groupsEnding.map(
      (name) =>
        `  the group ${shown(JSON.stringify(name))} ends; for another one of that name a rule by name needs \`rule approve\``,
    ),
    ...people.flatMap(personLines),
    ...(untold > 0 ? [`  … and ${untold} more, all of them in the digest`] : []),
    '',
    `${counted(counts.people, 'person', 'people')}; ${counted(counts.losing, 'loses', 'lose')} a role.`,
    '',
    ...(again
      ? [
          'What leaves rules or takes from one person is done when the directory sends it again: nobody above is counted then.',
          '',
        ]
      : []),
    `To do exactly this: drawbridge directory resume ${options} --digest ${plan.digest}`,
    `To forget it: drawbridge directory discard ${options}`,
  ];
  return lines.join('\n');
}

function lineText({ state, guard }: ResumePlan): string {
  if (guard === null) return `${state.line}, which its file no longer sets`;
  const line = state.line === 'people' ? counted(guard.people, 'person', 'people') : `${guard.percent} % of its users`;
  return `${line} within ${counted(guard.minutes, 'minute', 'minutes')}`;
}

function counted(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`;
}

const kept = {
  protected_user: 'stays active: administers the tenant and was not made by this directory',
  last_owner: 'stays active: the last owner',
} as const;

function personLines(person: ResumedPerson): readonly string[] {
  const lines = [
    ...(person.deactivated ? ['is deactivated by the directory'] : []),
    ...(person.kept === null ? [] : [kept[person.kept]]),
    ...person.leaves.map((group) => `leaves the group "${group}"`),
    ...person.unmapped.map((group) => `is given nothing by the group "${group}", which leaves its rules`),
    ...(person.touched ? ['loses something by a push'] : []),
    ...person.loses.map((role) => `loses ${role.role} (${because(role)})`),
    ...(person.before === 'active' && person.after !== 'active' ? [`has nothing left: ${person.after}`] : []),
  ];
  return [`  ${shown(person.name)}`, ...lines.map((line) => `    ${shown(line)}`)];
}

function because(role: AccessDifference['loses'][number]): string {
  return role.because.map(reasonText).join('; ');
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
