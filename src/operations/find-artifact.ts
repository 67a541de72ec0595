import type { Context } from '../context.ts';
import type { FoundRow, Holder } from '../store/oidc-artifacts.ts';
import { artifactKey, readArtifact, readSession } from '../store/oidc-artifacts.ts';
import { openArtifact } from './keep-artifact.ts';

export type FoundArtifact = {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly holder: Holder | null;
  /** It was used up already. */
  readonly spent: boolean;
  /** How long ago the last token of a refresh token's family was spent, in seconds; null: none was. */
  readonly rotatedAgo: number | null;
  /** The payload of the grant that it was issued under. */
  readonly grant: Readonly<Record<string, unknown>> | null;
};

/**
 * The artifact with this id, or undefined where there is none that may be used: unknown, expired, of a barred person, of a session
 * that is over, of a disabled client. One statement, its grant included.
 */
export async function findArtifact(ctx: Context, model: string, id: string): Promise<FoundArtifact | undefined> {
  const row = await readArtifact(ctx.global, artifactKey(model, id));
  return row && opened(ctx, model, row);
}

/** The session with this uid, which its tokens know it by. Its own id, the cookie's, is not among what comes back. */
export async function findSession(ctx: Context, uid: string): Promise<FoundArtifact | undefined> {
  const row = await readSession(ctx.global, uid);
  return row && opened(ctx, 'Session', row);
}

function opened(ctx: Context, model: string, row: FoundRow): FoundArtifact {
  return {
    payload: openArtifact(ctx, model, row.idHash, row.payload),
    holder: row.holder,
    spent: row.spent,
    rotatedAgo: row.rotatedAgo,
    grant: row.grant && openArtifact(ctx, 'Grant', row.grant.idHash, row.grant.payload),
  };
}
