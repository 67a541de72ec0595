import type { Context } from '../context.ts';
import {
  type ArtifactKey,
  type ArtifactRow,
  artifactKey,
  type Holder,
  markSpent,
  putArtifact,
  putFirst,
  replaceSession,
  rotateRefreshToken,
  unrotateRefreshToken,
} from '../store/oidc-artifacts.ts';

export type { Holder } from '../store/oidc-artifacts.ts';

export type NewArtifact = Omit<ArtifactRow, keyof ArtifactKey | 'payload'> & {
  readonly model: string;
  readonly id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The id that this one takes the place of: the session as it was read, or the refresh token that is spent with it. */
  readonly replaces: string | null;
};

/**
 * Writes what the OpenID provider issues. Where it belongs to a person their row is held meanwhile, and false comes back, with
 * nothing written, if they were barred since their epochs were read. False too where what it replaces is gone or spent.
 */
export async function keepArtifact(ctx: Context, artifact: NewArtifact): Promise<boolean> {
  const { model, id, payload, replaces, ...rest } = artifact;
  const key = artifactKey(model, id);
  const row = { ...rest, ...key, payload: sealArtifact(ctx, key, payload) };
  if (replaces === null) return putArtifact(ctx.global, row);
  const replaced = artifactKey(model, replaces);
  return model === 'RefreshToken'
    ? rotateRefreshToken(ctx.global, row, replaced)
    : replaceSession(ctx.global, row, replaced.idHash);
}

/** Writes an artifact whose id may be seen once: true for the first caller over all servers, false for every other. */
export function keepFirstArtifact(
  ctx: Context,
  model: string,
  id: string,
  payload: Readonly<Record<string, unknown>>,
  ttlSeconds: number,
): Promise<boolean> {
  const key = artifactKey(model, id);
  return putFirst(ctx.global, key, sealArtifact(ctx, key, payload), ttlSeconds);
}

/**
 * Undoes a rotation whose new token was given to nobody: the spent one is good again, with the payload that it had. Nothing happens
 * where the rotation never came about, or the family ended since.
 */
export function restoreRefreshToken(
  ctx: Context,
  rotated: { readonly spent: string; readonly next: string },
  payload: Readonly<Record<string, unknown>>,
): Promise<void> {
  const key = artifactKey('RefreshToken', rotated.spent);
  return unrotateRefreshToken(
    ctx.global,
    artifactKey('RefreshToken', rotated.next),
    key,
    sealArtifact(ctx, key, payload),
  );
}

/** Spends a single-use artifact: true once, over all servers, and never for a person who was barred meanwhile. */
export function spendArtifact(ctx: Context, model: string, id: string, holder: Holder | null): Promise<boolean> {
  return markSpent(ctx.global, artifactKey(model, id), holder);
}

// The payload tells who is signed in where, and holds nonces and challenges. Text of a client's choosing would also be refused as
// jsonb where it holds a NUL.
function sealArtifact(ctx: Context, key: ArtifactKey, payload: NewArtifact['payload']): Uint8Array {
  return ctx.vault.seal(
    'oidc_artifact',
    owner(key.model, key.idHash),
    new TextEncoder().encode(JSON.stringify(payload)),
  );
}

/** What was sealed of an artifact. Throws where it was sealed under another key, or for another artifact. */
export function openArtifact(ctx: Context, model: string, idHash: Buffer, sealed: Uint8Array): NewArtifact['payload'] {
  return JSON.parse(new TextDecoder().decode(ctx.vault.open('oidc_artifact', owner(model, idHash), sealed)));
}

const owner = (model: string, idHash: Buffer) => `${model} ${idHash.toString('base64url')}`;
