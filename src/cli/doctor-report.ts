// A doctor's visit as a person reads it: one line for each call, and beneath a wrong one what was expected.

import { styleText } from 'node:util';
import { counted } from '../core/counted.ts';
import type { CallMade } from './doctor-run.ts';
import { refusalOf } from './scim-http.ts';
import { shown } from './shown.ts';
import { table } from './table.ts';

export type Visited = {
  readonly directory: string;
  readonly url: string;
  /** Sentences before the calls. */
  readonly notes: readonly string[];
  readonly calls: readonly CallMade[];
  readonly putAway: readonly CallMade[];
  readonly count: { readonly users: number; readonly groups: number };
  readonly behind: readonly string[];
  readonly stopped: boolean;
};

const words = { ok: 'ok', wrong: 'WRONG', skipped: 'skipped' } as const;
const MOST_SHOWN = 110;
const MOST_SKIPPED = 5;

/** True if every call was made and every answer is right, and nothing is left behind. */
export function isWell({ calls, behind, stopped }: Visited): boolean {
  return !stopped && behind.length === 0 && calls.length > 0 && calls.every(({ verdict }) => verdict === 'ok');
}

export function visitText(visited: Visited, verbose: boolean): string {
  const { directory, url, notes, calls, putAway, count, behind, stopped } = visited;
  const of = (verdict: CallMade['verdict']) => calls.filter((call) => call.verdict === verdict).length;
  const summary = `${counted(calls.length, 'call')}: ${of('ok')} ok, ${of('wrong')} wrong, ${of('skipped')} skipped.`;
  return [
    [`${directory} at ${url}`, ...notes].join('\n'),
    callLines([...calls, ...putAway], verbose).join('\n'),
    [
      ...(stopped ? ['It was stopped before its end.'] : []),
      summary,
      `Put away: groups ${count.groups}, users ${count.users}, the token of this visit.`,
      ...behind.map((one) => `LEFT BEHIND: ${one}`),
      'What stays: their ended rows, and lines in the audit trail and the request log.',
    ].join('\n'),
  ].join('\n\n');
}

function callLines(calls: readonly CallMade[], verbose: boolean): readonly string[] {
  const rows = calls.map(({ verdict, idp, answer, method, target, name }) => [
    words[verdict],
    idp ?? '-',
    answer === null ? '-' : String(answer.status),
    name,
    `${method.padEnd(6)} ${verbose || target.length <= MOST_SHOWN ? target : `${target.slice(0, MOST_SHOWN)}…`}`,
  ]);
  const [head = '', ...lines] = table(['VERDICT', 'IDP', 'STATUS', 'WHAT', 'REQUEST'], rows).split('\n');
  const all = lines.map((line, index) => ({ call: calls[index], text: [line, ...detailLines(calls[index], verbose)] }));
  if (verbose) return [head, ...all.flatMap(({ text }) => text)];
  // What was not done for one reason is one line: of a paused directory it would be seventy.
  const skipped = Map.groupBy(
    calls.filter(({ verdict }) => verdict === 'skipped'),
    ({ why }) => why,
  );
  const many = [...skipped].filter(([, group]) => group.length > MOST_SKIPPED);
  const left = all.filter(({ call }) => !many.some(([, group]) => call !== undefined && group.includes(call)));
  return [
    head,
    ...left.flatMap(({ text }) => text),
    ...many.map(([why, group]) => `skipped  ${group.length} calls: ${shown(why ?? '')} (--verbose lists them)`),
  ];
}

function detailLines(call: CallMade | undefined, verbose: boolean): readonly string[] {
  if (call === undefined) return [];
  const { verdict, missed, why, answer, body } = call;
  const detail = answer === null ? null : refusalOf(answer).detail;
  const lines = [
    ...(verdict === 'wrong' ? missed.map(({ what, says }) => `expected: ${what} (${says})`) : []),
    ...(verdict === 'wrong' && detail !== null ? [`answered: ${detail}`] : []),
    ...(why === null ? [] : [why]),
    ...(verbose && body !== null ? [`> ${body}`] : []),
    ...(verbose && answer !== null && answer.text !== '' ? [`< ${answer.text}`] : []),
  ];
  return lines.map((line) => `         ${shown(line)}`);
}

/** By the verdict that a line begins with: no client's text stands there. */
export function colourOf(line: string): 'green' | 'red' | 'yellow' | null {
  if (/^ok /.test(line)) return 'green';
  if (/^(WRONG |LEFT BEHIND)/.test(line)) return 'red';
  return /^skipped /.test(line) ? 'yellow' : null;
}

/** Coloured where stdout is a terminal that shows colours. */
export function paintVisit(line: string): string {
  const colour = colourOf(line);
  return colour === null ? line : styleText(colour, line);
}

export function visitJson(visited: Visited, verbose: boolean): object {
  const { directory, url, notes, calls, putAway, count, behind, stopped } = visited;
  return {
    directory,
    url,
    ok: isWell(visited),
    stopped,
    notes,
    calls: calls.map((call) => callJson(call, verbose)),
    putAway: { ...count, calls: putAway.map((call) => callJson(call, verbose)), leftBehind: behind },
  };
}

function callJson(
  { idp, name, method, target, body, answer, verdict, missed, why }: CallMade,
  verbose: boolean,
): object {
  return {
    idp,
    name,
    method,
    target,
    status: answer?.status ?? null,
    ms: answer?.ms ?? null,
    verdict,
    expected: missed.map(({ what, says }) => ({ what, says })),
    answered: answer === null ? null : refusalOf(answer),
    why,
    ...(verbose ? { body, answer: answer === null ? null : (answer.json ?? answer.text) } : {}),
  };
}
