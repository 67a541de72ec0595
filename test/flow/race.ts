// Rounds of a race: a person who signs in, refreshes, redeems and is pushed at all servers, while an administrator suspends them.
// Every request is written down with its beginning and what it was issued; the history is judged when the round is over.

import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { operator } from '../support/world.ts';
import { type Answer, type Ask, send } from './http.ts';
import type { Directory } from './scim.ts';
import type { Flow } from './servers.ts';
import { type Code, codeIn, codeRequest, pathOf, refreshRequest, type Tokens, type Visitor } from './visitor.ts';

/** One person of the race, in whose rounds nobody else takes part. */
export type Lane = {
  readonly flow: Flow;
  readonly person: Person;
  readonly directory: Directory;
  /** As the directory pushes them, and where that lies at the moment. */
  readonly resource: object;
  resourceId: string;
  readonly groupId: string;
  readonly home: Visitor;
  /** Of the sign-in with which the last round ended. */
  inside: { readonly browser: Visitor; readonly tokens: Tokens };
  /** Whole numbers from zero to below its argument. */
  readonly random: (below: number) => number;
};

/** What broke the rule, in words; a sound server gives none. */
export type Violation = {
  readonly kind: 'issued_after' | 'lived_on' | 'lives_again' | 'not_back';
  readonly what: string;
};
export type Round = {
  readonly violations: readonly Violation[];
  /** Requests that were under way when the suspension was acknowledged, and those that began later. */
  readonly beside: number;
  readonly after: number;
  /** What was issued before, or beside. */
  readonly issued: number;
};

type Entry = { readonly what: string; readonly start: number; readonly end: number; readonly issued: boolean };
type Held = {
  /** The last refresh token of each family. */
  readonly refresh: Map<string, string>;
  readonly access: string[];
  readonly codes: Code[];
  readonly browsers: readonly Visitor[];
};

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const portOf = (lane: Lane) => lane.flow.servers[lane.random(lane.flow.servers.length)]?.port ?? 0;

/** One round. The person is active at its beginning and, on a sound server, at its end. */
export async function round(lane: Lane): Promise<Round> {
  const { flow, home, inside } = lane;
  const { app } = home;
  const second = home.again();
  const held: Held = {
    refresh: new Map([['first', inside.tokens.refresh_token]]),
    access: [inside.tokens.access_token],
    codes: [],
    browsers: [inside.browser, second],
  };
  const history: Entry[] = [];
  let acknowledged = Number.POSITIVE_INFINITY;
  // Counted in answers, not in milliseconds, so that a busy machine races as well as an idle one.
  const suspendAt = lane.random(12);
  let reached = () => {};
  const underWay = new Promise<void>((resolve) => {
    reached = resolve;
  });

  const record = async (what: string, call: () => Promise<Answer>, issues: (answer: Answer) => boolean) => {
    const start = performance.now();
    const answer = await call();
    const end = performance.now();
    if (answer.status >= 500) throw new Error(`${what}: ${answer.status} ${answer.text}`);
    const issued = issues(answer);
    history.push({ what, start, end, issued });
    if (history.length >= suspendAt) reached();
    return { answer, issued };
  };
  const redeem = async (what: string, ask: Ask, family: string) => {
    const call = () => home.ask(portOf(lane), '/oidc/token', ask);
    const { answer, issued } = await record(what, call, ({ status }) => status === 200);
    if (!issued) return;
    const tokens = JSON.parse(answer.text) as Tokens;
    held.refresh.set(family, tokens.refresh_token);
    held.access.push(tokens.access_token);
  };
  /** A code by the session that the browser has, without a page. */
  const authorize = async (browser: Visitor) => {
    let verifier = '';
    const call = async () => {
      const asked = await browser.authorize(portOf(lane), { prompt: 'none' });
      verifier = asked.verifier;
      return asked.answer;
    };
    const { answer, issued } = await record('authorization', call, (one) => codeIn(app, one) !== null);
    if (issued) held.codes.push({ code: codeIn(app, answer) ?? '', verifier });
  };
  /** Goes on until two tries began after the suspension was acknowledged. */
  const keepOn = async (act: (turn: number) => Promise<unknown>, most = 10) => {
    await sleep(lane.random(8));
    for (let turn = 0, after = 0; turn < most && after < 2; turn += 1) {
      if (performance.now() > acknowledged) after += 1;
      await act(turn);
    }
  };
  const comeBack = async (path: string, verifier: string) => {
    await sleep(lane.random(12));
    let next: string | null = path;
    for (let hop = 0; next !== null && hop < 4; hop += 1) {
      const call = () => second.ask(portOf(lane), next ?? '');
      const { answer, issued } = await record('sign-in', call, (one) => codeIn(app, one) !== null);
      if (issued) held.codes.push({ code: codeIn(app, answer) ?? '', verifier });
      next = issued || answer.headers.location === undefined ? null : pathOf(answer);
    }
    await keepOn(() => authorize(second), 4);
  };

  // A code that nobody redeemed yet, and every other time a second browser on its way back from its provider, or proven already.
  await authorize(inside.browser);
  const started = lane.random(2) === 0 ? await second.toCallback(portOf(lane)) : null;
  const proven = started !== null && lane.random(2) === 0;
  const next = proven ? pathOf(await second.ask(portOf(lane), started.next)) : started?.next;

  const acme = await flow.tenant('acme');
  const subject = { subjectId: lane.person.userId, kind: 'user', person: lane.person } as const;
  const acts = [
    keepOn(() => redeem('refresh', refreshRequest(app, held.refresh.get('first') ?? ''), 'first')),
    keepOn(() => authorize(inside.browser)),
    keepOn(async (turn) => {
      const code = held.codes.shift();
      if (code === undefined) await sleep(2);
      else await redeem('code', codeRequest(app, code), `code ${turn}`);
    }),
    keepOn(() => push(lane), 4),
    ...(started === null || next === undefined ? [] : [comeBack(next, started.verifier)]),
  ];
  const suspendThem = async () => {
    await underWay;
    await sleep(lane.random(6));
    const outcome = await suspend(flow.world.context(), acme, subject, null);
    acknowledged = performance.now();
    if (outcome.kind !== 'suspended') throw new Error(outcome.message);
  };
  const racing = together(acts);
  // Acts that ended early, by an answer that was refused, leave nothing to wait for.
  racing.then(reached, reached);
  await together([racing, suspendThem()]);

  const violations: Violation[] = history
    .filter((entry) => entry.start > acknowledged && entry.issued)
    .map(({ what }) => ({ kind: 'issued_after', what }));
  const alive = [...(await stillGood(lane, held, flow.servers)), ...(await rowsInForce(lane))];
  violations.push(...alive.map((what): Violation => ({ kind: 'lived_on', what })));

  await letIn(lane);
  // What was dead stays dead when the person is let in again.
  const one = flow.servers.slice(lane.random(2)).slice(0, 1);
  for (const what of await stillGood(lane, held, one)) violations.push({ kind: 'lives_again', what });
  const back = await comeIn(lane).catch((error: Error) => error);
  if (back instanceof Error) violations.push({ kind: 'not_back', what: back.message });
  else lane.inside = back;
  return {
    violations,
    beside: history.filter(({ start, end }) => start <= acknowledged && end >= acknowledged).length,
    after: history.filter(({ start }) => start > acknowledged).length,
    issued: history.filter(({ issued }) => issued).length,
  };
}

/** Waits for all, whatever becomes of them, and throws what the first that failed says: nothing of a round goes on when it is over. */
export async function together(acts: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(acts)) if (one.status === 'rejected') throw one.reason;
}

/** A whole sign-in at a new browser, up to tokens. Throws where there are none. */
export async function comeIn(lane: Pick<Lane, 'flow' | 'home' | 'random'>): Promise<Lane['inside']> {
  const port = () => lane.flow.servers[lane.random(lane.flow.servers.length)]?.port ?? 0;
  const browser = lane.home.again();
  const code = await browser.signIn(port());
  const answer = await browser.ask(port(), '/oidc/token', codeRequest(lane.home.app, code));
  if (answer.status !== 200) throw new Error(`no tokens: ${answer.status} ${answer.text}`);
  return { browser, tokens: JSON.parse(answer.text) as Tokens };
}

/** What of all that was issued is still good for something. */
async function stillGood({ home }: Lane, held: Held, servers: Flow['servers']): Promise<readonly string[]> {
  const { app } = home;
  const good: string[] = [];
  for (const [index, { port }] of servers.entries()) {
    for (const [family, token] of held.refresh) {
      const answer = await home.ask(port, '/oidc/token', refreshRequest(app, token));
      if (answer.status === 200) good.push(`the refresh token of ${family} at server ${index}`);
    }
    for (const code of held.codes) {
      const answer = await home.ask(port, '/oidc/token', codeRequest(app, code));
      if (answer.status === 200) good.push(`a code at server ${index}`);
    }
    for (const browser of held.browsers) {
      const { answer } = await browser.authorize(port, { prompt: 'none' });
      if (codeIn(app, answer) !== null) good.push(`a session at server ${index}`);
    }
    const authorization = { authorization: `Bearer ${held.access.at(-1)}` };
    const answer = await send(port, '/oidc/userinfo', { headers: authorization });
    if (answer.status === 200) good.push(`an access token at server ${index}`);
  }
  return good;
}

/** Rows of the person that carry the present epoch. Interactions are no more than the question who is there. */
async function rowsInForce({ flow, person }: Lane): Promise<readonly string[]> {
  const rows = await flow.world.sql<{ model: string }>(
    `select a.model from oidc_artifacts a join subjects s on s.tenant_id = a.account_tenant_id and s.subject_id = a.account_user_id
     where a.account_user_id = $1 and a.account_epoch >= s.access_epoch and a.model <> 'Interaction'`,
    [person.userId],
  );
  return rows.map(({ model }) => `a row of the present epoch: ${model}`);
}

/** What an identity provider sends in a full sync, in no order. */
async function push(lane: Lane): Promise<void> {
  const scim = lane.directory.at(portOf(lane));
  const user = `/Users/${lane.resourceId}`;
  const member = [{ value: lane.resourceId }];
  const acts = [
    () => scim.patch(user, { op: 'replace', value: { active: true } }),
    () => scim.patch(user, { op: 'replace', path: 'active', value: 'True' }),
    () => scim.put(user, lane.resource),
    () => scim.patch(`/Groups/${lane.groupId}`, { op: 'add', path: 'members', value: member }),
    () => scim.patch(`/Groups/${lane.groupId}`, { op: 'remove', path: `members[value eq "${lane.resourceId}"]` }),
    async () => {
      // Deleting them would end their sessions before the suspension could, so that is rare.
      if (lane.random(3) > 0) return scim.get(user);
      await scim.delete(user);
      const again = await scim.post('/Users', lane.resource);
      if (again.status === 201) lane.resourceId = again.body.id;
      return again;
    },
  ];
  const answer = await acts[lane.random(acts.length)]?.();
  if (answer !== undefined && answer.status >= 500) throw new Error(`a push: ${answer.status} ${answer.text}`);
}

/** The person is as a round expects them: pushed, a member, let in by an administrator. */
async function letIn(lane: Lane): Promise<void> {
  await settle(lane);
  const subject = { subjectId: lane.person.userId, kind: 'user', person: lane.person } as const;
  const acme = await lane.flow.tenant('acme');
  const lifted = await assignRole(lane.flow.world.context(), acme, subject, 'Analytics: Editor', operator);
  if (lifted.kind !== 'assigned') throw new Error(lifted.message);
}

/** Whatever a round that failed left behind, the next one begins with this. */
export async function restore(lane: Lane): Promise<void> {
  await letIn(lane);
  lane.inside = await comeIn(lane);
}

/** The directory ends as it began: the person is there, active and a member. */
async function settle(lane: Lane): Promise<void> {
  const scim = lane.directory.at(portOf(lane));
  await scim.put(`/Users/${lane.resourceId}`, lane.resource);
  const value = [{ value: lane.resourceId }];
  const answer = await scim.patch(`/Groups/${lane.groupId}`, { op: 'add', path: 'members', value });
  if (answer.status >= 300) throw new Error(`not settled: ${answer.status} ${answer.text}`);
}
