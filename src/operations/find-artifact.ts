import type { Context } from '../context.ts';
import type { FoundRow, Holder } from '../store/oidc-artifacts.ts';
import { artifactKey, readArtifact, readSession } from '../store/oidc-artifacts.ts';
import { openArtifact } from './keep-artifact.ts';

export type FoundArtifact = {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly holder: Holder | null;
  /** `raced`: used up by a request that ran beside this one; `spent`: used up before this one began. */
  readonly use: FoundRow['use'];
  /** The payload of the grant that it was issued under. */
  readonly grant: Readonly<Record<string, unknown>> | null;
};

/**
 * The artifact with this id, or undefined where there is none that may be used: unknown, expired, of a barred person, of a session
 * that is over, of a disabled client. One statement, its grant included. `askedFor`: seconds since the asking request began.
 */
export async function findArtifact(
  ctx: Context,
  model: string,
  id: string,
  askedFor: number,
): Promise<FoundArtifact | undefined> {
  const row = await readArtifact(ctx.global, artifactKey(model, id), askedFor);
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
    use: row.use,
    grant: row.grant && openArtifact(ctx, 'Grant', row.grant.idHash, row.grant.payload),
  };
}
