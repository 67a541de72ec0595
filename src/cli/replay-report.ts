// A replay as a person reads it: what differs first, then who would have which role.

import { counted } from '../core/counted.ts';
import type { UserRow } from '../operations/list-users.ts';
import type { Answered, Played, Verdict } from './replay-play.ts';
import { shown } from './shown.ts';
import { table } from './table.ts';
import { reasonText } from './users.ts';

export type Replayed = {
  readonly of: string;
  readonly into: string;
  /** `the rules in force`, or which file's. */
  readonly rules: string;
  readonly since: number;
  readonly until: number;
  readonly played: readonly Played[];
  readonly put: { readonly users: number; readonly groups: number };
  readonly refused: readonly string[];
  readonly people: readonly UserRow[];
  /** Sentences for the end. */
  readonly remarks: readonly string[];
};

const order: readonly Verdict[] = ['different', 'not_played', 'uncompared', 'same', 'left_out'];
const words: Readonly<Record<Verdict, string>> = {
  different: 'different',
  not_played: 'not played',
  uncompared: 'uncompared',
  same: 'same',
  left_out: 'left out',
};
const summaries: Readonly<Record<Verdict, string>> = {
  different: 'different',
  not_played: 'could not be played',
  uncompared: 'had no answer then',
  same: 'the same',
  left_out: 'left out',
};

export type Counts = Readonly<Record<Verdict, number>>;

export function countsOf(played: readonly Played[]): Counts {
  const count = (verdict: Verdict) => played.reduce((sum, one) => sum + (one.verdict === verdict ? 1 : 0), 0);
  return {
    different: count('different'),
    not_played: count('not_played'),
    uncompared: count('uncompared'),
    same: count('same'),
    left_out: count('left_out'),
  };
}

/** True if every request that could be compared was, and is answered as it was. */
export function isSame(counts: Counts): boolean {
  return counts.different + counts.not_played + counts.uncompared === 0;
}

/** So many of those that were left out, which come last, are shown where not all are asked for. */
const FIRST = 20;

/** `all`: every request that was left out, and not the first {@link FIRST} alone. */
export function replayText(replayed: Replayed, all: boolean): string {
  const { of, into, rules, since, until, played, put, refused, people, remarks } = replayed;
  const counts = countsOf(played);
  const untold = all ? 0 : Math.max(0, counts.left_out - FIRST);
  const sorted = order.flatMap((verdict) => played.filter((one) => one.verdict === verdict));
  const told = sorted.slice(0, sorted.length - untold);
  const summary = order
    .filter((verdict) => counts[verdict] > 0)
    .map((verdict) => `${counts[verdict]} ${summaries[verdict]}`)
    .join(', ');
  const before = put.users + put.groups === 0 ? 'nothing' : `users ${put.users}, groups ${put.groups}, as they are now`;
  return [
    [
      `${of}, ${time(since)} to ${time(until)}, into ${into} under ${rules}.`,
      `There before: ${before}.`,
      ...refused.map((one) => `  not put there: ${one}`),
    ].join('\n'),
    [...requestLines(told), ...(untold === 0 ? [] : [`… and ${untold} more left out: --all shows them`])].join('\n'),
    [`${counted(played.length, 'request')}: ${summary}.`, ...leftOutLines(played)].join('\n'),
    people.length === 0 ? `Nobody is in ${into}.` : `Who would have which role\n${peopleText(people)}`,
    ...(remarks.length === 0 ? [] : [remarks.join('\n')]),
  ].join('\n\n');
}

/** Why requests were left out, each reason with how many, the most first; and how to see them all. */
function leftOutLines(played: readonly Played[]): readonly string[] {
  const leftOut = Map.groupBy(
    played.filter(({ verdict }) => verdict === 'left_out'),
    ({ why }) => why ?? '',
  );
  return [...leftOut]
    .sort(([, one], [, other]) => other.length - one.length)
    .map(([why, these]) => `  ${these.length} left out: ${why}`);
}

function requestLines(played: readonly Played[]): readonly string[] {
  const head = ['VERDICT', 'TIME', 'THEN', 'NOW', 'REQUEST'];
  const rows = played.map(({ verdict, at, recorded, replayed, method, target }) => [
    words[verdict],
    new Date(at).toISOString().slice(0, 23).replace('T', ' '),
    answerText(recorded),
    replayed === null ? '-' : answerText(replayed),
    `${method.padEnd(6)} ${target}`,
  ]);
  const [first = '', ...lines] = table(head, rows).split('\n');
  return [first, ...lines.flatMap((line, index) => [line, ...whyLines(played[index])])];
}

function whyLines(played: Played | undefined): readonly string[] {
  if (played === undefined || played.verdict === 'same' || played.verdict === 'left_out') return [];
  const { why, recorded, replayed } = played;
  const said = (when: string, answered: Answered | null) =>
    answered?.detail == null ? [] : [`${when}: ${answered.detail}`];
  const lines = [
    ...(why === null ? [] : [why]),
    ...(replayed === null ? [] : [...said('then', recorded), ...said('now', replayed)]),
  ];
  return lines.map((line) => `            ${shown(line)}`);
}

function answerText({ status, scimType }: Answered): string {
  return [status === null ? 'hung up' : String(status), ...(scimType === null ? [] : [scimType])].join(' ');
}

function peopleText(people: readonly UserRow[]): string {
  const rows = people.flatMap(({ email, userName, access }) => {
    const who = [email ?? userName, access.state];
    return access.roles.length === 0
      ? [[...who, '-', '-']]
      : access.roles.map(({ role, because }) => [...who, role, because.map(reasonText).join('; ')]);
  });
  return table(['USER', 'STATE', 'ROLE', 'BECAUSE'], rows);
}

export function replayJson(replayed: Replayed): object {
  const { of, into, rules, since, until, played, put, refused, people, remarks } = replayed;
  const counts = countsOf(played);
  return {
    of,
    into,
    rules,
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    same: isSame(counts),
    counts: {
      same: counts.same,
      different: counts.different,
      notPlayed: counts.not_played,
      uncompared: counts.uncompared,
      leftOut: counts.left_out,
    },
    thereBefore: put,
    notPutThere: refused,
    requests: played.map(({ at, verdict, ...one }) => ({
      at: new Date(at).toISOString(),
      verdict: words[verdict],
      ...one,
    })),
    people: people.map(({ userName, email, access }) => ({
      userName,
      email,
      state: access.state,
      roles: access.roles.map(({ role }) => role),
      because: access.roles,
    })),
    remarks,
  };
}

function time(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}
