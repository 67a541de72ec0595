// Makes the calls of a visit one after the other, judges each answer, and puts everything away that they made.

import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../core/counted.ts';
import { doctorAgent } from '../core/directory-doctor.ts';
import { always, type Call, type Expectation, filled, type Idp, lacking } from './doctor-call.ts';
import { member, refusalOf, type ScimAnswer, type ScimClient } from './scim-http.ts';

export type Verdict = 'ok' | 'wrong' | 'skipped';

export type CallMade = {
  readonly idp: Idp | null;
  readonly name: string;
  readonly method: string;
  /** As it went out, unescaped; of a skipped one as far as it is known. */
  readonly target: string;
  readonly body: string | null;
  readonly answer: ScimAnswer | null;
  readonly verdict: Verdict;
  /** What was expected and is not so. */
  readonly missed: readonly Pick<Expectation, 'what' | 'says'>[];
  /** Why it was skipped, or got no answer; and how long it was held up. */
  readonly why: string | null;
};

export type Visit = {
  readonly client: ScimClient;
  /** The public address of the directory. */
  readonly base: string;
  readonly headers: Readonly<Record<Idp, Readonly<Record<string, string>>>>;
  /** Null: it takes changes. Otherwise why only reading calls are made. */
  readonly onlyReads: string | null;
  /** Between two calls. */
  readonly gapMs: number;
  readonly signal: AbortSignal;
};

/** Something that a visit made, or may have made: then it has no id yet. */
export type Left = { readonly resource: 'Users' | 'Groups'; readonly name: string; readonly id: string | null };

const NO_ANSWERS = 3;

/** Makes the calls until `signal` is aborted, or nobody answers any more. `left` is what there is to put away, as it comes to be. */
export async function makeCalls(visit: Visit, calls: readonly Call[], left: Left[]): Promise<readonly CallMade[]> {
  const made = new Map<string, string>();
  const done: CallMade[] = [];
  let silent = 0;
  for (const call of calls) {
    if (visit.signal.aborted) break;
    // Names of one identity provider’s cast mean nothing in the other’s calls.
    const own = new Map(
      [...made].flatMap(([name, id]) =>
        name.startsWith(`${call.idp} `) ? [[name.slice(call.idp.length + 1), id]] : [],
      ),
    );
    own.set('base', visit.base);
    const why = silent >= NO_ANSWERS ? 'nobody answers any more' : reasonToSkip(visit, call, own);
    if (why !== null) {
      done.push(skipped(call, own, why));
      continue;
    }
    const result = await makeCall(visit, call, own, left);
    if (result.id !== null && call.makes !== undefined) made.set(`${call.idp} ${call.makes}`, result.id);
    silent = result.call.answer === null ? silent + 1 : 0;
    done.push(result.call);
    if (visit.gapMs > 0) await sleep(visit.gapMs, undefined, { signal: visit.signal }).catch(() => {});
  }
  return done;
}

function reasonToSkip({ onlyReads }: Visit, call: Call, made: ReadonlyMap<string, string>): string | null {
  if (onlyReads !== null && call.alone !== true) return onlyReads;
  return lacking(call, made).length > 0 ? 'what it needs was not made' : null;
}

function skipped(call: Call, made: ReadonlyMap<string, string>, why: string): CallMade {
  const { idp, name, method } = call;
  return {
    idp,
    name,
    method,
    target: filled(call.target, made),
    body: null,
    answer: null,
    verdict: 'skipped',
    missed: [],
    why,
  };
}

async function makeCall(
  visit: Visit,
  call: Call,
  made: ReadonlyMap<string, string>,
  left: Left[],
): Promise<{ readonly call: CallMade; readonly id: string | null }> {
  const { idp, name, method } = call;
  const target = filled(call.target, made);
  const body = call.body === undefined ? null : filled(JSON.stringify(call.body), made);
  const common = { idp, name, method, target, body };
  // Before it is sent: what is made by a request whose answer is lost has to be found.
  const place = call.makes === undefined ? null : maker(call);
  const pending = place === null ? -1 : left.push(place) - 1;
  const asked = await ask(visit, method, target, body, visit.headers[idp]).catch((error: Error) => error);
  if (asked instanceof Error) {
    const missed = [{ what: 'an answer', says: 'RFC 7644 §3' }];
    return { call: { ...common, answer: null, verdict: 'wrong', missed, why: asked.message }, id: null };
  }
  const { answer, waits } = asked;
  const missed = [...call.expects, ...always(call, visit.base)].filter((one) => !one.holds(answer, made));
  const id = place === null ? null : idOfOwn(answer, place);
  if (place !== null && id !== null) left[pending] = { ...place, id };
  const held = waits === 0 ? null : `held up by the limit of requests: ${counted(waits, 'time')}`;
  const verdict = missed.length === 0 ? 'ok' : 'wrong';
  return { call: { ...common, answer, verdict, missed, why: held }, id };
}

function maker(call: Call): Left {
  const resource = call.target === '/Groups' ? 'Groups' : 'Users';
  return { resource, name: String(member(call.body, resource === 'Users' ? 'userName' : 'displayName')), id: null };
}

/** The id of what a POST made, if it is what was sent: of nothing else is anything ever changed. */
function idOfOwn({ json }: ScimAnswer, { resource, name }: Left): string | null {
  const id = member(json, 'id');
  const own = member(json, resource === 'Users' ? 'userName' : 'displayName') === name;
  return own && typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id) ? id : null;
}

const MOST_WAITS = 10;
const LONGEST_WAIT_S = 10;

/** A directory over its limit is asked again, as an identity provider would. */
async function ask(
  { client, signal }: Pick<Visit, 'client' | 'signal'>,
  method: string,
  target: string,
  body: string | null,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly answer: ScimAnswer; readonly waits: number }> {
  for (let waits = 0; ; waits += 1) {
    const all = { ...headers, 'User-Agent': doctorAgent };
    const answer = await client.ask({ method, target: escaped(target), headers: all, body });
    if (answer.status !== 429 || waits === MOST_WAITS || signal.aborted) return { answer, waits };
    const seconds = Number(answer.headers['retry-after'] ?? 1);
    await sleep(Math.min(LONGEST_WAIT_S, Number.isFinite(seconds) ? seconds : 1) * 1000);
  }
}

/** Values of parameters as they go out; the address itself has only what needs no escaping. */
function escaped(target: string): string {
  const [path = '', query] = target.split(/\?(.*)/s);
  if (query === undefined) return path;
  const parts = query.split('&').map((part) => {
    const equals = part.indexOf('=');
    return equals === -1 ? part : `${part.slice(0, equals)}=${encodeURIComponent(part.slice(equals + 1))}`;
  });
  return `${path}?${parts.join('&')}`;
}

export type PutAway = {
  readonly calls: readonly CallMade[];
  /** Ids of the users that the visit made. */
  readonly users: readonly string[];
  readonly count: { readonly users: number; readonly groups: number };
  /** What is there still. */
  readonly behind: readonly string[];
};

/** Deletes what the visit made, groups first, and looks for what it may have made without hearing of it. Never throws. */
export async function putAway(visit: Pick<Visit, 'client' | 'headers'>, left: readonly Left[]): Promise<PutAway> {
  const calls: CallMade[] = [];
  const users: string[] = [];
  const count = { users: 0, groups: 0 };
  const behind: string[] = [];
  const order = [...left].sort((a, b) => (a.resource === b.resource ? 0 : a.resource === 'Groups' ? -1 : 1));
  const seen = new Set<string>();
  for (const one of order) {
    const found = await find(visit, one);
    if (found === null) behind.push(`${one.resource} ${one.name}: nobody answers`);
    for (const id of found ?? []) {
      if (seen.has(id)) continue;
      seen.add(id);
      if (one.resource === 'Users') users.push(id);
      const call = await remove(visit, `/${one.resource}/${id}`);
      // What a call of the visit deleted itself is no news.
      if (call.answer?.status === 404) continue;
      calls.push(call);
      if (call.verdict !== 'ok') behind.push(`/${one.resource}/${id} (${one.name})`);
      else if (one.resource === 'Users') count.users += 1;
      else count.groups += 1;
    }
  }
  return { calls, users, count, behind };
}

const nobodyStops = { signal: new AbortController().signal };

async function find(visit: Pick<Visit, 'client' | 'headers'>, one: Left): Promise<readonly string[] | null> {
  if (one.id !== null) return [one.id];
  const attribute = one.resource === 'Users' ? 'userName' : 'displayName';
  const target = `/${one.resource}?filter=${attribute} eq "${one.name}"&attributes=id,${attribute}`;
  try {
    const { answer } = await ask({ ...visit, ...nobodyStops }, 'GET', target, null, visit.headers.okta);
    const resources = member(answer.json, 'Resources');
    if (answer.status !== 200 || !Array.isArray(resources)) return null;
    return resources.flatMap((resource) => {
      const id = idOfOwn({ ...answer, json: resource }, one);
      return id === null ? [] : [id];
    });
  } catch {
    return null;
  }
}

async function remove(visit: Pick<Visit, 'client' | 'headers'>, target: string): Promise<CallMade> {
  const common = { idp: null, name: 'put away', method: 'DELETE', target, body: null } as const;
  try {
    const { answer } = await ask({ ...visit, ...nobodyStops }, 'DELETE', target, null, visit.headers.okta);
    if (answer.status === 204) return { ...common, answer, verdict: 'ok', missed: [], why: null };
    const why = refusalOf(answer).detail;
    return { ...common, answer, verdict: 'wrong', missed: [{ what: 'status 204', says: 'RFC 7644 §3.6' }], why };
  } catch (error) {
    const why = error instanceof Error ? error.message : 'no answer';
    return { ...common, answer: null, verdict: 'wrong', missed: [{ what: 'status 204', says: 'RFC 7644 §3.6' }], why };
  }
}
