// What the bench is asked to do.

import { parseArgs } from 'node:util';

/** Parts that `--only` can name. */
export const parts = [
  'create',
  'get',
  'get-id',
  'list',
  'member',
  'patch',
  'bulk',
  'peer',
  'stall',
  'sustained',
  'sync',
] as const;
export type Part = (typeof parts)[number];

export type Options = {
  readonly quick: boolean;
  readonly json: boolean;
  /** Writes docs/performance.md. */
  readonly write: boolean;
  /** Folder for a CPU profile of the server per job; null: none. */
  readonly profile: string | null;
  readonly wants: (part: Part) => boolean;
  /** Users in the directories, one of each size. */
  readonly sizes: readonly number[];
  /** Of each job, against the limit in turns; the medians count. */
  readonly rounds: number;
  readonly secondsPerRound: number;
  /** Shots before the first round, at the most. */
  readonly mostWarmUps: number;
  readonly sustainedSeconds: number;
  readonly syncUsers: number;
  readonly syncGroups: number;
  readonly syncLargestGroup: number;
};

export const usage = `usage: npm run bench -- [options]

  --quick            10 k users only and short rounds: a few minutes, and rough
  --only a,b         of ${parts.join(', ')}
  --users N          the size of the large directory (default 1000000)
  --minutes N        how long the sustained load lasts (default 5)
  --profile FOLDER   a CPU profile of the server for each job
  --json             the result as JSON on standard output
  --write            write docs/performance.md as well
`;

/** Throws an Error whose sentence says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      users: { type: 'string' },
      minutes: { type: 'string' },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const { quick, json, write } = values;
  const only = values.only?.split(',').map((name) => name.trim());
  const stranger = only?.find((name) => !parts.some((part) => part === name));
  if (stranger !== undefined) throw new Error(`--only does not know "${stranger}"; it knows ${parts.join(', ')}.`);
  const users = whole('--users', values.users, 20_000, 5_000_000) ?? 1_000_000;
  const minutes = whole('--minutes', values.minutes, 1, 120);
  return {
    quick,
    json,
    write,
    profile: values.profile ?? null,
    wants: (part) => only === undefined || only.includes(part),
    sizes: quick ? [10_000] : [10_000, users],
    rounds: quick ? 1 : 3,
    secondsPerRound: quick ? 3 : 4,
    mostWarmUps: quick ? 4 : 12,
    sustainedSeconds: minutes === undefined && quick ? 20 : (minutes ?? 5) * 60,
    syncUsers: quick ? 2_000 : 100_000,
    syncGroups: quick ? 40 : 2_000,
    syncLargestGroup: quick ? 400 : 20_000,
  };
}

function whole(name: string, text: string | undefined, from: number, to: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < from || value > to)
    throw new Error(`${name} is a whole number from ${from} to ${to}.`);
  return value;
}
