// The steps before anybody is known: the address, the ways there are for it, and off to one of them.

import type { TenantSlug } from '../core/ids.ts';
import { type Email, parseEmail } from '../core/profile.ts';
import { chooseSignIn } from '../operations/choose-sign-in.ts';
import { readTenantFace } from '../operations/find-connection.ts';
import { showLanding } from './arrival.ts';
import { checkToken, fieldOf, PageProblem, queryOf } from './guard.ts';
import { type Problem, problemPage, problemStatus } from './problem.ts';
import { sendOn, sendPage } from './respond.ts';
import { emailPage, methodPage, onwardPage, type SignInView } from './sign-in.ts';
import { type Turn, tokenOf } from './turn.ts';

export async function show(turn: Turn): Promise<void> {
  const { pages, request, response, pending } = turn;
  // Applications that need consent are not served yet; going round for ever would be worse than saying no.
  if (pending.prompt === 'consent') return pages.interactions.deny(request, response);
  if (pending.prompt === 'access' && pending.person !== null) return showLanding(turn, pending.person, null, null);
  const hint = pending.loginHint === null ? null : parseEmail(pending.loginHint);
  if (hint === null || queryOf(request, 'choose') !== '') return showEmail(turn, pending.loginHint ?? '', []);
  const ways = await chooseSignIn(turn.ctx, pending.tenant, hint);
  const [only, ...others] = ways.connections;
  if (only === undefined || others.length > 0 || ways.password) return showMethods(turn, hint, ways, null);
  const begun = await begin(turn, only.tenant, only.connection, hint);
  if (begun.kind === 'redirect') sendOn(response, begun.to);
  else showFailure(turn, begun.problem, begun.reference);
}

export async function submitEmail(turn: Turn): Promise<void> {
  const typed = fieldOf(turn.request, 'email');
  const email = parseEmail(typed);
  if (email === null) {
    const message = 'Enter one email address, like name@example.com.';
    return showEmail(turn, typed.slice(0, 320), [{ field: 'email', message }]);
  }
  const ways = await chooseSignIn(turn.ctx, turn.pending.tenant, email);
  const [only, ...others] = ways.connections;
  if (only === undefined || others.length > 0 || ways.password) return showMethods(turn, email, ways, null);
  return goToProvider(turn, only.tenant, only.connection, email);
}

export async function submitConnection(turn: Turn): Promise<void> {
  const email = parseEmail(fieldOf(turn.request, 'email'));
  if (email === null) throw new PageProblem('bad_request');
  // Only what was offered for this address: a connection is not a thing to be tried out by name.
  const ways = await chooseSignIn(turn.ctx, turn.pending.tenant, email);
  const [tenant, connection] = [fieldOf(turn.request, 'tenant'), fieldOf(turn.request, 'connection')];
  const chosen = ways.connections.find((one) => one.tenant === tenant && one.connection === connection);
  if (chosen === undefined) throw new PageProblem('bad_request');
  return goToProvider(turn, chosen.tenant, chosen.connection, email);
}

export async function submitPassword(turn: Turn): Promise<void> {
  const { pages, request, response, pending, requestId } = turn;
  const email = parseEmail(fieldOf(request, 'email'));
  if (email === null) throw new PageProblem('bad_request');
  const password = fieldOf(request, 'password');
  const login = { interactionUid: pending.uid, tenant: pending.tenant, email, password };
  const outcome = password === '' ? { kind: 'wrong' as const } : await pages.signIns.password(requestId, login);
  if (outcome.kind === 'resume') return sendPage(response, 200, onwardPage(outcome.location, pending.client.name));
  const ways = await chooseSignIn(turn.ctx, pending.tenant, email);
  return showMethods(turn, email, { ...ways, password: true }, WRONG_PASSWORD);
}

const WRONG_PASSWORD =
  'The email address and the password do not belong together, or there were too many tries. Check both, or wait a few minutes.';

export async function leave(turn: Turn): Promise<void> {
  checkToken(queryOf(turn.request, 'token'), tokenOf(turn));
  await turn.pages.interactions.deny(turn.request, turn.response);
}

async function goToProvider(turn: Turn, tenant: TenantSlug, connection: string, email: Email): Promise<void> {
  const begun = await begin(turn, tenant, connection, email);
  if (begun.kind === 'redirect') sendPage(turn.response, 200, onwardPage(begun.to, begun.provider));
  else showFailure(turn, begun.problem, begun.reference);
}

function begin({ pages, pending, requestId }: Turn, tenant: TenantSlug, connection: string, email: Email) {
  const start = { tenant, connection, interactionUid: pending.uid, loginHint: email, forceLogin: pending.forceLogin };
  return pages.signIns.begin(requestId, start);
}

async function viewOf(turn: Turn): Promise<Omit<SignInView, 'faults'>> {
  const { pending } = turn;
  const face = pending.tenant === null ? null : await readTenantFace(turn.ctx, pending.tenant);
  return {
    uid: pending.uid,
    token: tokenOf(turn),
    clientName: pending.client.name,
    tenantName: face?.displayName ?? null,
  };
}

async function showEmail(turn: Turn, email: string, faults: SignInView['faults']): Promise<void> {
  sendPage(turn.response, faults.length === 0 ? 200 : 422, emailPage({ ...(await viewOf(turn)), email, faults }));
}

async function showMethods(
  turn: Turn,
  email: Email,
  ways: Awaited<ReturnType<typeof chooseSignIn>>,
  fault: string | null,
): Promise<void> {
  const faults = fault === null ? [] : [{ field: 'password', message: fault, beside: 'Check the password.' }];
  sendPage(turn.response, fault === null ? 200 : 422, methodPage({ ...(await viewOf(turn)), ...ways, email, faults }));
}

function showFailure({ pending, response }: Turn, problem: Problem, reference: string): void {
  const again = `/interaction/${pending.uid}?choose=1`;
  sendPage(response, problemStatus(problem), problemPage({ problem, reference, contact: null, again }));
}
