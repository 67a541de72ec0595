import type { Context } from '../context.ts';
import {
  artifactKey,
  removeArtifact,
  removeClientOfSession,
  removeGranted,
  removeSession,
} from '../store/oidc-artifacts.ts';

/** Ends one artifact, whether it is there or not: a code, a token, an interaction or a session by itself. */
export function endArtifact(ctx: Context, model: string, id: string): Promise<void> {
  return removeArtifact(ctx.global, artifactKey(model, id));
}

/** Ends what was issued under a grant: one model of it, or (null) everything and the grant itself. */
export function endGranted(ctx: Context, grantId: string, model: string | null): Promise<void> {
  return removeGranted(ctx.global, grantId, model);
}

/** Logout: the session with this id ends, and every code, token and grant that was issued in it, offline ones included. */
export function endSession(ctx: Context, sessionId: string): Promise<void> {
  return removeSession(ctx.global, artifactKey('Session', sessionId));
}

/** Logout from one application: what that client was issued in the session ends; the session stays. */
export function endClientOfSession(ctx: Context, sessionUid: string, clientId: string): Promise<void> {
  return removeClientOfSession(ctx.global, sessionUid, clientId);
}
