// What happens to a person who was proven: on to the application where they have access, to the landing page where not.

import type { Instant, Person, TenantSlug } from '../core/ids.ts';
import { parseTenantSlug } from '../core/ids.ts';
import { readTenantFace } from '../operations/find-connection.ts';
import { type KeptSignIn, readSignIn, useSignIn } from '../operations/login-flow.ts';
import { type AccessRead, readAccess } from '../operations/read-access.ts';
import { openRequest, requestAccess } from '../operations/request-access.ts';
import { checkToken, fieldOf, PageProblem, queryOf } from './guard.ts';
import { type LandingView, landingPage } from './landing.ts';
import { problemPage, problemStatus } from './problem.ts';
import { sendPage } from './respond.ts';
import { onwardPage } from './sign-in.ts';
import { type Turn, tokenOf } from './turn.ts';

// A person who is mapped into more tenants than this chooses from those that come first.
const MOST_TENANTS = 20;

/** Back from a provider, or from the password form, with a handle to what came of it. */
export async function resume(turn: Turn): Promise<void> {
  const handle = queryOf(turn.request, 'handle');
  const kept = await readSignIn(turn.ctx, handle, turn.pending.uid);
  if (kept === null) throw new PageProblem('flow_unknown');
  if (kept.kind === 'refused') return showRefusal(turn, kept);
  return showLanding(turn, kept.person, handle, null);
}

/** *Request access*, from the landing page (R25, R26). */
export async function askForAccess(turn: Turn): Promise<void> {
  const handle = fieldOf(turn.request, 'handle');
  const message = fieldOf(turn.request, 'message').trim().slice(0, 2_000);
  const person = await personOf(turn, handle);
  const read = await readAccess(turn.ctx, person, turn.pending.tenant);
  if (read === null) throw new PageProblem('flow_unknown');
  const actor = { kind: 'user', ...person, name: read.profile.email ?? read.profile.userName } as const;
  const ctx = turn.pages.contextFor({ actor, requestId: turn.requestId });
  const outcome = await requestAccess(ctx, person, turn.pending.tenant, message === '' ? null : message);
  const notice =
    outcome.kind === 'requested'
      ? outcome.again
        ? 'Your message was replaced.'
        : 'Thank you. Your request was recorded.'
      : outcome.message;
  return showLanding(turn, person, handle === '' ? null : handle, notice);
}

/** Another tenant, chosen on the landing page of somebody who is signed in. */
export async function chooseTenant({ pages, request, response, pending, ctx }: Turn): Promise<void> {
  checkToken(queryOf(request, 'token'), tokenOf({ ctx, pending }));
  const tenant = parseTenantSlug(queryOf(request, 'tenant'));
  if (tenant === null || pending.prompt !== 'access' || pending.person === null) throw new PageProblem('bad_request');
  const read = await readAccess(ctx, pending.person, tenant);
  if (read === null || !read.allowed.includes(tenant)) throw new PageProblem('bad_request');
  await pages.interactions.chooseTenant(request, response, tenant);
}

/**
 * The landing page for a person, told what holds now; or onward, where they may. `handle` names the proven sign-in of a person who has
 * no session: it stays good until it begins one, so that the page survives a reload.
 */
export async function showLanding(
  turn: Turn,
  person: Person,
  handle: string | null,
  notice: string | null,
): Promise<void> {
  const { ctx, pending, response } = turn;
  const read = await readAccess(ctx, person, pending.tenant);
  if (read === null) throw new PageProblem('flow_unknown');
  if (read.claims !== null) return goOn(turn, handle, read.selected);
  const others = await otherTenants(turn, person, read);
  // Somebody who may go elsewhere is signed in first; the provider then asks where to.
  if (handle !== null && others.length > 0) return goOn(turn, handle, read.selected);
  const view: LandingView = {
    uid: pending.uid,
    token: tokenOf(turn),
    handle,
    clientName: pending.client.name,
    person: nameOf(read),
    state: read.access.state === 'active' ? 'no_access' : read.access.state,
    ...(await placeOf(turn, person, read)),
    tenants: await Promise.all(others.map((slug) => named(turn, slug))),
    notice,
  };
  sendPage(response, 200, landingPage(view));
}

async function goOn(turn: Turn, handle: string | null, tenant: TenantSlug): Promise<void> {
  const { pages, request, response, pending, ctx } = turn;
  // Out of a form the browser may not be led to the application; out of a page that goes on by itself it may.
  if (request.method === 'POST') {
    const again = handle === null ? '' : `/resume?handle=${encodeURIComponent(handle)}`;
    return sendPage(response, 200, onwardPage(`/interaction/${pending.uid}${again}`, pending.client.name));
  }
  if (handle === null) return pages.interactions.chooseTenant(request, response, tenant);
  const kept = await useSignIn(ctx, handle, pending.uid);
  if (kept === null || kept.kind !== 'signed_in') throw new PageProblem('flow_unknown');
  const { person, method } = kept;
  await pages.interactions.signIn(request, response, { person, method });
}

/** Whoever is signed in, or whom the handle proves. */
async function personOf({ ctx, pending }: Turn, handle: string): Promise<Person> {
  if (pending.prompt === 'access' && pending.person !== null) return pending.person;
  const kept = await readSignIn(ctx, handle, pending.uid);
  if (kept === null || kept.kind !== 'signed_in') throw new PageProblem('flow_unknown');
  return kept.person;
}

/** Tenants besides the selected one where this person has access now. */
async function otherTenants({ ctx }: Turn, person: Person, read: AccessRead): Promise<readonly TenantSlug[]> {
  const slugs = read.allowed.filter((slug) => slug !== read.selected).slice(0, MOST_TENANTS);
  const reads = await Promise.all(slugs.map((slug) => readAccess(ctx, person, slug)));
  return slugs.filter((_, index) => reads[index]?.claims != null);
}

async function named({ ctx }: Turn, slug: TenantSlug): Promise<{ slug: string; displayName: string }> {
  return { slug, displayName: (await readTenantFace(ctx, slug))?.displayName ?? slug };
}

type Place = Pick<LandingView, 'tenantName' | 'contact' | 'requestedAt' | 'mayAsk'>;

/** Where the person lacks access, whom they ask, and whether they did. */
async function placeOf({ ctx }: Turn, person: Person, read: AccessRead): Promise<Place> {
  const stranger = read.selected !== read.home && read.epochs.target === null;
  // Of a tenant that somebody has nothing to do with they learn nothing, and it is their own that they may ask.
  const asked = stranger ? read.home : read.selected;
  const face = await readTenantFace(ctx, asked);
  const state = stranger ? (await readAccess(ctx, person, null))?.access.state : read.access.state;
  const request = await openRequest(ctx, person, asked === read.home ? null : asked);
  return {
    tenantName: stranger ? read.selected : (face?.displayName ?? asked),
    contact: face?.adminContact ?? null,
    requestedAt: (request?.requestedAt ?? null) as Instant | null,
    mayAsk: state === 'no_access' || state === 'suspended',
  };
}

function nameOf({ profile }: AccessRead): string {
  const address = profile.email ?? profile.userName;
  return profile.displayName === null || profile.displayName === address
    ? address
    : `${profile.displayName} (${address})`;
}

async function showRefusal(turn: Turn, kept: Extract<KeptSignIn, { kind: 'refused' }>): Promise<void> {
  const { reason: problem, reference, tenant } = kept;
  const contact = (await readTenantFace(turn.ctx, tenant))?.adminContact ?? null;
  const again = `/interaction/${turn.pending.uid}?choose=1`;
  sendPage(turn.response, problemStatus(problem), problemPage({ problem, reference, contact, again }));
}
