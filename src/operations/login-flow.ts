import type { Context } from '../context.ts';
import { denied } from '../core/change.ts';
import type { SignInRefusal } from '../core/identity.ts';
import type { ConnectionId, KeyHash, Person, TenantId, TenantSlug } from '../core/ids.ts';
import { parseTenantSlug } from '../core/ids.ts';
import { recordEvents } from '../store/audit-events.ts';
import { consumeHandle, consumeLoginFlow, insertHandle, insertLoginFlow, readHandle } from '../store/login-flows.ts';
import { findTenant } from '../store/tenants.ts';

/** From our redirect to the provider's answer. */
const FLOW_SECONDS = 600;
/** From the provider's answer until the browser has signed in, or its person has asked for access. */
const HANDLE_SECONDS = 600;

export type SignInFailure =
  | SignInRefusal
  | 'replayed'
  | 'assertion_rejected'
  | 'upstream_refused'
  | 'upstream_unreachable';

/** What a sign-in came to. It waits under a handle until the browser comes back to the interaction that it began in. */
export type KeptSignIn =
  | {
      readonly kind: 'signed_in';
      readonly person: Person;
      /** The person's when they were proven. */
      readonly epoch: number;
      readonly method: 'oidc' | 'saml' | 'password';
    }
  | {
      readonly kind: 'refused';
      readonly reason: SignInFailure;
      readonly reference: string;
      readonly tenant: TenantSlug;
    };

const flowHash = (ctx: Context, id: string): KeyHash => ctx.keyHash(JSON.stringify(['login_flow', id]));
const handleHash = (ctx: Context, handle: string): KeyHash => ctx.keyHash(JSON.stringify(['sign_in_handle', handle]));
const interactionHash = (ctx: Context, uid: string): KeyHash => ctx.keyHash(JSON.stringify(['interaction', uid]));

/**
 * Keeps what proves the provider's answer, for ten minutes. Neither the flow's id nor the interaction's is kept, only hashes; its
 * secrets are sealed.
 */
export async function startLoginFlow(
  ctx: Context,
  tenantId: TenantId,
  flow: {
    readonly id: string;
    readonly interactionUid: string;
    readonly connectionId: ConnectionId;
    readonly secrets: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const hash = flowHash(ctx, flow.id);
  await insertLoginFlow(ctx.hot(tenantId), {
    flowHash: hash,
    interactionHash: interactionHash(ctx, flow.interactionUid),
    connectionId: flow.connectionId,
    secretsSealed: ctx.vault.seal('login_flow', hash, new TextEncoder().encode(JSON.stringify(flow.secrets))),
    lifetimeSeconds: FLOW_SECONDS,
  });
}

/** The secrets of a flow, once: null where it is unknown, another connection's, expired, or was answered before (T10, T19). */
export async function takeLoginFlow(
  ctx: Context,
  tenantId: TenantId,
  connectionId: ConnectionId,
  id: string,
): Promise<Readonly<Record<string, string>> | null> {
  const hash = flowHash(ctx, id);
  const taken = await consumeLoginFlow(ctx.hot(tenantId), hash, connectionId);
  if (taken === undefined) return null;
  return JSON.parse(new TextDecoder().decode(ctx.vault.open('login_flow', hash, taken.secretsSealed)));
}

/** Keeps what a sign-in came to. `handle` is `<tenant id>.<256 random bits>`: the tenant is how it is found. */
export async function keepSignIn(
  ctx: Context,
  tenantId: TenantId,
  kept: { readonly handle: string; readonly interactionUid: string; readonly result: KeptSignIn },
): Promise<void> {
  await insertHandle(ctx.hot(tenantId), {
    handleHash: handleHash(ctx, kept.handle),
    interactionHash: interactionHash(ctx, kept.interactionUid),
    result: kept.result,
    lifetimeSeconds: HANDLE_SECONDS,
  });
}

/**
 * What lies under the handle, for the interaction that it was made for; null for any other (login CSRF). It stays there, so that
 * the landing page survives a reload and shows what holds then.
 */
export async function readSignIn(ctx: Context, handle: string, interactionUid: string): Promise<KeptSignIn | null> {
  const tenantId = await tenantOf(ctx, handle);
  if (tenantId === null) return null;
  const kept = await readHandle<KeptSignIn>(
    ctx.hot(tenantId),
    handleHash(ctx, handle),
    interactionHash(ctx, interactionUid),
  );
  return kept ?? null;
}

/**
 * Like {@link readSignIn}, and nobody finds it again: what a session is begun with. Null too where the person's sessions were ended
 * since they were proven: whoever was in the account before its bearer had it in hand comes in by nothing from then (T30).
 */
export async function useSignIn(ctx: Context, handle: string, interactionUid: string): Promise<KeptSignIn | null> {
  const tenantId = await tenantOf(ctx, handle);
  if (tenantId === null) return null;
  const kept = await consumeHandle<KeptSignIn>(
    ctx.hot(tenantId),
    handleHash(ctx, handle),
    interactionHash(ctx, interactionUid),
  );
  return kept ?? null;
}

/** Records that an answer was not accepted: who it would have been is not known, so the connection stands for them. */
export async function recordRefusedSignIn(
  ctx: Context,
  tenantId: TenantId,
  connectionId: ConnectionId,
  reason: SignInFailure | 'flow_unknown',
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  const event = denied('sign_in.refused', 'connection', connectionId, reason, detail);
  await recordEvents(ctx, ctx.hot(tenantId), [event]);
}

async function tenantOf(ctx: Context, handle: string): Promise<TenantId | null> {
  const slug = parseTenantSlug(handle.slice(0, Math.max(0, handle.indexOf('.'))));
  const node = slug === null ? undefined : await findTenant(ctx.global, slug);
  return node === undefined || !node.active ? null : node.tenantId;
}
