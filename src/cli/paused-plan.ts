// What a paused directory asked for, as a person reads it: how many come to what, then who.

import { counted } from '../core/counted.ts';
import type { AccessDifference } from '../core/plan-access.ts';
import {
  type DirectoryStanding,
  type Fate,
  fates,
  type ResumedPerson,
  type ResumePlan,
} from '../operations/plan-resume.ts';
import type { TenantRef } from '../operations/standing.ts';
import { shown } from './shown.ts';
import { iso } from './time.ts';
import { reasonText } from './users.ts';

export type NamedDirectory = { readonly tenant: TenantRef; readonly connection: string; readonly options: string };
export type Standing = Pick<DirectoryStanding, 'enabled' | 'held'>;

/** So many of a kind are shown where not all are asked for. */
const FIRST = 20;

const OFF =
  'switched off with its connection (enabled: false): it takes no pushes, nobody signs in by it, its groups give nobody a role, and whoever it deactivated stays so';

export function standingText({ enabled, held }: Standing): string {
  if (!enabled) return held ? `held, and ${OFF}` : OFF;
  return held ? 'held: its groups give nobody a role' : 'active';
}

export function pausedJson({ kind: _, state, ...plan }: ResumePlan): object {
  const { since, people, line, overflowed } = state;
  return { ...plan, state: 'paused', since: iso(since), reached: { people, line }, overflowed };
}

/** `all`: every person that is told, and not the first {@link FIRST} of each kind alone. */
export function pausedText({ tenant, connection, options }: NamedDirectory, plan: ResumePlan, all: boolean): string {
  const { state, acts, counts } = plan;
  const asked = [
    counted(acts.deactivate_user, 'deactivation'),
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
    `If that is done, it touches ${counted(counts.people, 'person', 'people')}; ${counted(counts.losing, 'loses', 'lose')} a role.`,
    ...fates.filter((fate) => counts.fates[fate] > 0).map((fate) => `  ${fateText(plan, fate)}`),
    '',
    ...groupLines(plan, all),
    ...fates.flatMap((fate) => peopleLines(plan, fate, all)),
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
  return `${line} within ${counted(guard.minutes, 'minute')}`;
}

function groupLines({ groupsEnding }: ResumePlan, all: boolean): readonly string[] {
  if (groupsEnding.length === 0) return [];
  const names = all ? groupsEnding : groupsEnding.slice(0, FIRST);
  return [
    'Groups that end; for another one of the same name a rule by name needs `rule approve`:',
    ...names.map((name) => `  ${shown(JSON.stringify(name))}`),
    ...moreLines(groupsEnding.length, names.length, groupsEnding.length),
    '',
  ];
}

function fateText({ counts }: ResumePlan, fate: Fate): string {
  const [one, several] = fateWords[fate];
  return counted(counts.fates[fate], one, several);
}

const fateWords = {
  removed: ['is removed', 'are removed'],
  deactivated: ['is deactivated', 'are deactivated'],
  kept: ['stays, though the directory asked them out', 'stay, though the directory asked them out'],
  loses_roles: ['stays and loses a role', 'stay and lose a role'],
  loses_none: ['stays and loses no role', 'stay and lose no role'],
} as const satisfies Record<Fate, readonly [string, string]>;

function peopleLines(plan: ResumePlan, fate: Fate, all: boolean): readonly string[] {
  if (plan.counts.fates[fate] === 0) return [];
  const told = plan.people.filter((person) => person.fate === fate);
  const people = all ? told : told.slice(0, FIRST);
  return [
    `${fateText(plan, fate)}:`,
    ...people.flatMap(personLines),
    ...moreLines(plan.counts.fates[fate], people.length, told.length),
    '',
  ];
}

/** Of so many there are, those not shown: what `--all` shows, and what is too many for that. */
function moreLines(count: number, shownOnes: number, told: number): readonly string[] {
  return [
    ...(told > shownOnes ? [`  … and ${told - shownOnes} more: --all shows them`] : []),
    ...(count > told ? [`  … and ${count - told} more, all of them in the digest`] : []),
  ];
}

const kept = {
  protected_user: 'stays active: administers the tenant or one below it, and was not made by this directory',
  last_owner: 'stays active: the last owner of the tenant or of one below it',
} as const;

function personLines(person: ResumedPerson): readonly string[] {
  const lines = [
    ...outLines(person),
    ...(person.kept === null ? [] : [kept[person.kept]]),
    ...person.leaves.map((group) => `leaves the group "${group}"`),
    ...person.unmapped.map((group) => `is given nothing by the group "${group}", which leaves its rules`),
    ...(person.touched ? ['loses something by a push'] : []),
    ...person.loses.map((role) => `loses ${role.role} (${because(role)})`),
    ...(person.before === 'active' && person.after !== 'active' ? [`has nothing left: ${person.after}`] : []),
  ];
  return [`  ${shown(person.name)}`, ...lines.map((line) => `    ${shown(line)}`)];
}

function outLines({ fate, deactivated, after }: ResumedPerson): readonly string[] {
  if (!deactivated) return [];
  const out = `is ${fate === 'removed' ? 'removed' : 'deactivated'} by the directory`;
  return after === 'deactivated' ? [out] : [out, 'is not shut out: another directory has them active'];
}

function because(role: AccessDifference['loses'][number]): string {
  return role.because.map(reasonText).join('; ');
}
