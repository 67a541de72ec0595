// A sign-in through an identity provider, from our redirect to what came of it. Steps never jump to one another: each hands on what
// the next needs.

import { randomBytes } from 'node:crypto';
import type { Caller, Context } from '../context.ts';
import type { Actor } from '../core/change.ts';
import { BridgeError } from '../core/errors.ts';
import type { TenantSlug } from '../core/ids.ts';
import { referenceOf } from '../core/reference.ts';
import type { Connection } from '../core/tenant.ts';
import { type FoundConnection, findConnection, type TenantFace } from '../operations/find-connection.ts';
import {
  type KeptSignIn,
  keepSignIn,
  recordRefusedSignIn,
  type SignInFailure,
  startLoginFlow,
  takeLoginFlow,
} from '../operations/login-flow.ts';
import { signIn } from '../operations/sign-in.ts';
import {
  type ConnectionUrls,
  type Connector,
  type FlowSecrets,
  type LoginAnswer,
  type LoginStart,
  type ProvenAssertion,
  SignInError,
} from './connector.ts';

export type Upstream = {
  readonly connectors: { readonly oidc: Connector<'oidc'>; readonly saml: Connector<'saml'> };
  /** Origin of this server, from its settings (T88). */
  readonly publicUrl: string;
  readonly contextFor: (caller: Caller) => Context;
};

type Spoken = Extract<Connection, { protocol: 'oidc' | 'saml' }>;
type Found = { readonly tenant: TenantFace; readonly connection: Spoken };

export type Begun =
  | { readonly kind: 'redirect'; readonly to: string; readonly provider: string }
  | { readonly kind: 'failed'; readonly problem: SignInFailure | 'not_found'; readonly reference: string };

export type Finished =
  /** Back to the interaction, where the browser's own cookie is sent again. */
  | { readonly kind: 'resume'; readonly location: string }
  /** Begun by the provider; proven and recorded, with nothing to go back to. */
  | { readonly kind: 'arrived'; readonly provider: string }
  | {
      readonly kind: 'failed';
      readonly problem: SignInFailure | 'flow_unknown' | 'not_found';
      readonly reference: string;
      readonly contact: string | null;
    };

/** Where this server is reached for a connection. */
export function connectionUrls(publicUrl: string, tenant: TenantSlug, connection: Spoken): ConnectionUrls {
  const base = `${publicUrl}/t/${tenant}/${connection.protocol}/${connection.key}`;
  return {
    tenant,
    callback: `${base}/${connection.protocol === 'saml' ? 'acs' : 'callback'}`,
    entityId: `${base}/metadata`,
  };
}

/** Begins a sign-in for an interaction: the flow is kept, and the answer says where to send the browser. */
export async function beginLogin(
  upstream: Upstream,
  requestId: string,
  start: {
    readonly tenant: TenantSlug;
    readonly connection: string;
    readonly interactionUid: string;
    readonly loginHint: string | null;
    readonly forceLogin: boolean;
  },
): Promise<Begun> {
  const ctx = upstream.contextFor({ actor: nobody(null), requestId });
  const reference = referenceOf(requestId);
  const found = spoken(await findConnection(ctx, start.tenant, start.connection));
  if (found === null || !found.connection.enabled) return { kind: 'failed', problem: 'not_found', reference };
  const id = newFlowId(start.interactionUid);
  try {
    const { loginHint, forceLogin } = start;
    const begun = await begin(upstream, found, { id, loginHint, forceLogin });
    const { connectionId } = found.connection;
    const flow = { id, interactionUid: start.interactionUid, connectionId, secrets: begun.secrets };
    await startLoginFlow(ctx, found.tenant.tenantId, flow);
    return { kind: 'redirect', to: begun.redirectTo, provider: found.connection.displayName };
  } catch (error) {
    const { problem } = understood(ctx, error, found, reference);
    return { kind: 'failed', problem, reference };
  }
}

/**
 * What an answer to a connection's callback comes to. The flow is consumed before a byte of the answer is looked at, so each is tried
 * once; the result waits under a handle that only the interaction which began it can use (T10, T19, login CSRF).
 */
export async function finishLogin(
  upstream: Upstream,
  requestId: string,
  callback: {
    readonly protocol: Spoken['protocol'];
    readonly tenant: TenantSlug;
    readonly connection: string;
    /** `state` or RelayState, as it arrived. */
    readonly flowId: unknown;
    readonly answer: LoginAnswer;
  },
): Promise<Finished> {
  const reference = referenceOf(requestId);
  const asNobody = upstream.contextFor({ actor: nobody(null), requestId });
  const found = spoken(await findConnection(asNobody, callback.tenant, callback.connection));
  if (found === null || found.connection.protocol !== callback.protocol) {
    return { kind: 'failed', problem: 'not_found', reference, contact: null };
  }
  const { tenant, connection } = found;
  const ctx = upstream.contextFor({ actor: nobody(connection), requestId });
  const flow = parseFlowId(callback.flowId);
  if (flow === null && mayBeUnsolicited(connection)) {
    const result = await prove(upstream, ctx, found, { id: '', secrets: {} }, callback.answer, reference);
    return result.kind === 'signed_in'
      ? { kind: 'arrived', provider: connection.displayName }
      : { kind: 'failed', problem: result.reason, reference, contact: tenant.adminContact };
  }
  const secrets = flow === null ? null : await takeLoginFlow(ctx, tenant.tenantId, connection.connectionId, flow.id);
  if (flow === null || secrets === null) {
    await recordRefusedSignIn(ctx, tenant.tenantId, connection.connectionId, 'flow_unknown', { reference });
    return { kind: 'failed', problem: 'flow_unknown', reference, contact: tenant.adminContact };
  }
  const result = await prove(upstream, ctx, found, { id: flow.id, secrets }, callback.answer, reference);
  const location = await keepForInteraction(ctx, tenant, flow.interactionUid, result);
  return { kind: 'resume', location };
}

/** Keeps what a sign-in came to and says where its browser goes on. */
export async function keepForInteraction(
  ctx: Context,
  tenant: Pick<TenantFace, 'tenantId' | 'slug'>,
  interactionUid: string,
  result: KeptSignIn,
): Promise<string> {
  const handle = `${tenant.slug}.${randomBytes(32).toString('base64url')}`;
  await keepSignIn(ctx, tenant.tenantId, { handle, interactionUid, result });
  return `/interaction/${interactionUid}/resume?handle=${handle}`;
}

async function prove(
  upstream: Upstream,
  ctx: Context,
  found: Found,
  flow: { readonly id: string; readonly secrets: FlowSecrets },
  answer: LoginAnswer,
  reference: string,
): Promise<KeptSignIn> {
  const { tenant, connection } = found;
  const refused = (reason: SignInFailure): KeptSignIn => ({ kind: 'refused', reason, reference, tenant: tenant.slug });
  if (!connection.enabled) {
    // Also for a flow that began before the connection was turned off (T13).
    await recordRefusedSignIn(ctx, tenant.tenantId, connection.connectionId, 'connection_disabled', { reference });
    return refused('connection_disabled');
  }
  let proven: ProvenAssertion;
  try {
    proven = await finish(upstream, found, flow, answer);
  } catch (error) {
    const { problem, detail } = understood(ctx, error, found, reference);
    await recordRefusedSignIn(ctx, tenant.tenantId, connection.connectionId, problem, { reference, detail });
    return refused(problem);
  }
  const { assertion } = proven;
  const actor: Actor = {
    kind: 'person',
    connectionId: connection.connectionId,
    name: (assertion.email ?? assertion.subject).slice(0, 320),
  };
  const asPerson = upstream.contextFor({ actor, requestId: ctx.caller.requestId });
  const outcome = await signIn(asPerson, tenant.tenantId, proven);
  if (outcome.kind === 'signed_in') {
    const { person, epoch } = outcome;
    return { kind: 'signed_in', person, epoch, method: connection.protocol };
  }
  ctx.log.warn(
    { reference, reason: outcome.reason, connection: connection.key, tenant: tenant.slug },
    'sign-in refused',
  );
  return refused(outcome.reason);
}

// The two protocols' connectors differ in the connection that they take; these two lines are where TypeScript is told which.
function begin(
  { connectors, publicUrl }: Upstream,
  { tenant, connection }: Found,
  flow: Parameters<Connector<'oidc'>['begin']>[2],
): Promise<LoginStart> {
  const urls = connectionUrls(publicUrl, tenant.slug, connection);
  return connection.protocol === 'oidc'
    ? connectors.oidc.begin(connection, urls, flow)
    : connectors.saml.begin(connection, urls, flow);
}
function finish(
  { connectors, publicUrl }: Upstream,
  { tenant, connection }: Found,
  flow: { readonly id: string; readonly secrets: FlowSecrets },
  answer: LoginAnswer,
): Promise<ProvenAssertion> {
  const urls = connectionUrls(publicUrl, tenant.slug, connection);
  return connection.protocol === 'oidc'
    ? connectors.oidc.finish(connection, urls, flow, answer)
    : connectors.saml.finish(connection, urls, flow, answer);
}

/** The public half of a failure for the page, the private half for the log. What nobody foresaw is thrown on. */
function understood(
  ctx: Context,
  error: unknown,
  { tenant, connection }: Found,
  reference: string,
): { readonly problem: SignInFailure; readonly detail: string } {
  const told =
    error instanceof SignInError && error.code !== 'flow_unknown'
      ? { problem: error.code, detail: error.detail }
      : error instanceof BridgeError && error.code === 'invalid'
        ? { problem: 'upstream_unreachable' as const, detail: `${error.message} ${error.detail ?? ''}` }
        : null;
  if (told === null) throw error;
  const detail = told.detail.slice(0, 500);
  const facts = { reference, reason: told.problem, detail, connection: connection.key, tenant: tenant.slug };
  ctx.log.warn(facts, 'sign-in failed');
  return { problem: told.problem, detail };
}

function spoken(found: FoundConnection | null): Found | null {
  const connection = found?.connection;
  return found === null ||
    connection === undefined ||
    (connection.protocol !== 'oidc' && connection.protocol !== 'saml')
    ? null
    : { tenant: found.tenant, connection };
}

function mayBeUnsolicited(connection: Spoken): boolean {
  return connection.protocol === 'saml' && connection.saml.insecureAllowUnsolicited;
}

function nobody(connection: Spoken | null): Actor {
  return { kind: 'person', connectionId: connection?.connectionId ?? null, name: 'somebody' };
}

// 216 random bits, and the interaction that the browser came from (256 more): the answer arrives without cookies, and neither half
// is kept but as a hash. Together they are the 80 bytes that SAML grants a RelayState.
function newFlowId(interactionUid: string): string {
  return `${randomBytes(27).toString('base64url')}.${interactionUid}`;
}

/** Null for everything that no flow of ours is called; whoever sent that is not sent anywhere (T16). */
function parseFlowId(text: unknown): { readonly id: string; readonly interactionUid: string } | null {
  const found = typeof text === 'string' ? /^[A-Za-z0-9_-]{36}\.([A-Za-z0-9_-]{1,64})$/.exec(text) : null;
  const interactionUid = found?.[1];
  return found === null || interactionUid === undefined ? null : { id: found[0], interactionUid };
}
