// Where the library keeps things: every write for a person holds their epoch, every single use is decided by the database.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { parseSub } from '../core/ids.ts';
import { parseScimClientId, type ScimClientKey } from '../core/scim-client.ts';
import { endArtifact, endGranted, endSession } from '../operations/end-artifacts.ts';
import { type FoundArtifact, findArtifact, findSession } from '../operations/find-artifact.ts';
import type { ClientRow } from '../operations/find-client.ts';
import {
  type Holder,
  keepArtifact,
  keepFirstArtifact,
  restoreRefreshToken,
  spendArtifact,
} from '../operations/keep-artifact.ts';
import { recordRefusal } from '../operations/record-refusal.ts';
import { clientMetadata } from './clients.ts';
import { translated } from './failures.ts';
import { holderFor, noteHolder, type RequestState, requestState, secondsAskedFor } from './request-state.ts';
import { tenantOfGrant } from './tenant-choice.ts';

/** Where clients are found. */
export type Clients = {
  findClient(clientId: string): Promise<ClientRow | undefined>;
  findScimClient(key: ScimClientKey): Promise<AdapterPayload | undefined>;
};

export function artifactAdapter(clients: Clients): (model: string) => Adapter {
  return (model) => ({
    find: (id) => translated(() => (model === 'Client' ? clientById(clients, id) : find(model, id))),
    findByUid: (uid) => translated(() => sessionByUid(uid)),
    // Device flow is off.
    findByUserCode: async () => undefined,
    upsert: (id, payload, ttl) => translated(() => keep(model, id, payload, ttl)),
    consume: (id) => translated(() => spend(model, id)),
    destroy: (id) => translated(() => destroy(model, id)),
    revokeByGrantId: (grantId) => translated(() => endGranted(requestState().context, grantId, model)),
  });
}

/** The id of a refresh token: `<family>.<token>`, so that any token of a family, however old, leads to the family. */
export function newRefreshTokenId(): string {
  const { rotating } = requestState();
  return `${rotating === null ? random() : familyOf(rotating)}.${random()}`;
}

const random = () => randomBytes(32).toString('base64url');
const familyOf = (id: string) => id.slice(0, id.indexOf('.'));

// Families whose new token is on its way to the application: until it is there, the old one cannot have been stolen from it later.
const unanswered = new Set<string>();

function noteRotation(state: RequestState, id: string): void {
  const family = familyOf(id);
  unanswered.add(family);
  state.response.once('close', () => unanswered.delete(family));
}

// A database that comes back needs a moment until the pool has noticed.
const TAKE_BACK_TRIES = 4;

/**
 * Takes back this request's rotation, for an answer that gives no tokens, be it a failure or a refusal: all that the application has
 * to try again with is the old token, which would then look stolen. Where the database stays away nothing can be taken back; nothing
 * is thrown then.
 */
export async function takeBackRotation(): Promise<void> {
  const { context, rotated, found } = requestState();
  const before = rotated === null ? undefined : found.get(`RefreshToken ${rotated.spent}`);
  if (rotated === null || before === undefined) return;
  for (let tries = 1; tries <= TAKE_BACK_TRIES; tries += 1) {
    try {
      return await restoreRefreshToken(context, rotated, before.payload);
    } catch (error) {
      if (tries === TAKE_BACK_TRIES)
        context.log.warn({ error }, 'a refresh token that nobody was answered with is spent');
      else await sleep(tries * 50);
    }
  }
}

async function clientById(clients: Clients, id: string): Promise<AdapterPayload | undefined> {
  const scim = parseScimClientId(id);
  if (scim !== null) return clients.findScimClient(scim);
  const row = await clients.findClient(id);
  return row && clientMetadata(row);
}

async function find(model: string, id: string): Promise<AdapterPayload | undefined> {
  const state = requestState();
  const along = model === 'Grant' ? state.grants.get(id) : undefined;
  if (along !== undefined) return along;
  const found = await findArtifact(state.context, model, id);
  if (found === undefined) return undefined;
  note(state, model, id, found);
  if (!found.spent) return found.payload;
  // Spent by a request beside this one, as an application with two open pages sends them: refused, and the winner's family lives.
  const beside = found.rotatedAgo !== null && found.rotatedAgo < secondsAskedFor(state);
  if (beside || (model === 'RefreshToken' && unanswered.has(familyOf(id)))) return undefined;
  await noteReplay(state, model, found);
  return { ...found.payload, consumed: true };
}

async function sessionByUid(uid: string): Promise<AdapterPayload | undefined> {
  const state = requestState();
  const found = await findSession(state.context, uid);
  if (found?.holder) noteHolder(state, found.holder, null);
  return found?.payload;
}

function note(state: RequestState, model: string, id: string, found: FoundArtifact): void {
  const grantId = typeof found.payload.grantId === 'string' ? found.payload.grantId : null;
  state.found.set(`${model} ${id}`, { holder: found.holder, grantId, payload: found.payload });
  if (found.holder !== null) noteHolder(state, found.holder, tenantOf(model, id, found.payload));
  if (found.grant !== null && grantId !== null) state.grants.set(grantId, found.grant);
  if (model === 'Session') state.sessionId = id;
}

/** A code or refresh token that comes a second time was stolen, or its answer was lost. Either way its family ends. */
async function noteReplay(state: RequestState, model: string, found: FoundArtifact): Promise<void> {
  const clientId = typeof found.payload.clientId === 'string' ? found.payload.clientId : '';
  const kind = model === 'RefreshToken' ? 'refresh_token.replayed' : 'authorization_code.replayed';
  if (found.holder !== null) await recordRefusal(state.context, clientId, found.holder.person, kind, 'replayed');
}

async function keep(model: string, id: string, payload: AdapterPayload, ttl: number | undefined): Promise<void> {
  const state = requestState();
  if (ttl === undefined) throw new Error(`${model} needs a time to live`);
  // SCIM takes bearer tokens, and must not take as one what was bound to a key (RFC 9449 §7.1).
  if (model === 'ClientCredentials' && payload.jkt !== undefined)
    throw new errors.InvalidRequest('a token for SCIM is a bearer token: ask without a DPoP proof');
  if (model === 'ReplayDetection') {
    const first = await keepFirstArtifact(state.context, model, id, { ...payload }, ttl);
    if (!first) throw new errors.InvalidRequest('a value that may be used once was used again');
    return;
  }
  const rotating = model === 'RefreshToken' ? state.rotating : null;
  if (rotating !== null) state.rotated = { spent: rotating, next: id };
  const kept = await keepArtifact(state.context, {
    model,
    id,
    payload: { ...payload },
    holder: holderOf(state, model, id, payload),
    grantId: payload.grantId ?? null,
    sessionUid: sessionOf(model, payload),
    sessionBound: isBoundToSession(model, payload),
    clientId: payload.clientId ?? null,
    ttlSeconds: ttl,
    replaces: model === 'Session' ? state.sessionId : rotating,
  });
  if (model === 'Grant') state.grants.delete(id);
  if (model === 'RefreshToken') state.rotating = null;
  if (model === 'Session') {
    // A session of somebody who was barred, or who logged out elsewhere, meanwhile: it is not written, so it does not exist.
    if (kept) state.sessionId = id;
    return;
  }
  if (kept && rotating !== null) noteRotation(state, rotating);
  if (!kept) throw model === 'RefreshToken' || model === 'AccessToken' ? new errors.InvalidGrant() : denied();
}

async function spend(model: string, id: string): Promise<void> {
  const state = requestState();
  if (model === 'RefreshToken') {
    // Spent together with the next one of its family, in one statement.
    state.rotating = id;
    return;
  }
  const found = state.found.get(`${model} ${id}`);
  if (await spendArtifact(state.context, model, id, found?.holder ?? null)) return;
  if (model !== 'AuthorizationCode') throw new errors.InvalidRequestUri('the request was used already');
  // Redeemed twice at once (T71): neither is told apart from a thief, so what the other was issued ends too.
  if (found?.grantId) await endGranted(state.context, found.grantId, null);
  throw new errors.InvalidGrant('authorization code already consumed');
}

async function destroy(model: string, id: string): Promise<void> {
  const state = requestState();
  if (model === 'Grant') {
    state.grants.delete(id);
    return endGranted(state.context, id, null);
  }
  if (model !== 'Session') return endArtifact(state.context, model, id);
  const { route, params } = Provider.ctx?.oidc ?? {};
  if (route === 'end_session_confirm' && params?.logout !== undefined) {
    state.sessionId = null;
    return endSession(state.context, id);
  }
  // A session that changes its id is written over its old row; removing that first would let a logout in between be undone.
  if (id !== state.sessionId) await endArtifact(state.context, model, id);
}

function denied(): Error {
  return new errors.AccessDenied('the person may not sign in');
}

function accountOf(model: string, payload: AdapterPayload): string | undefined {
  if (model === 'Interaction') return payload.result?.login?.accountId ?? payload.session?.accountId;
  return payload.accountId;
}

function tenantOf(model: string, id: string, payload: Readonly<Record<string, unknown>>): string | null {
  if (model === 'Session' || model === 'Interaction') return null;
  return tenantOfGrant(model === 'Grant' ? id : payload.grantId);
}

function holderOf(state: RequestState, model: string, id: string, payload: AdapterPayload): Holder | null {
  const sub = accountOf(model, payload);
  if (sub === undefined) return null;
  const holder = holderFor(state, sub, tenantOf(model, id, payload));
  // Nobody's access is assumed: what was never read in this request cannot be issued in it.
  if (holder === undefined || parseSub(sub) === null)
    throw new Error(`${model} for a person whose access was not read`);
  return holder;
}

function sessionOf(model: string, payload: AdapterPayload): string | null {
  if (model === 'Session') return payload.uid ?? null;
  if (model === 'Grant') return Provider.ctx?.oidc?.session?.uid ?? null;
  return payload.sessionUid ?? null;
}

/** A refresh token outlives its session where offline_access was asked for. A code never does. */
function isBoundToSession(model: string, payload: AdapterPayload): boolean {
  if (model === 'AuthorizationCode') return true;
  return model === 'RefreshToken' && !(payload.scope ?? '').split(' ').includes('offline_access');
}
