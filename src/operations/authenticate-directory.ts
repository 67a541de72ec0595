import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import { findCredential, markUsed, parseToken } from '../store/scim-credentials.ts';

/**
 * The directory that a bearer token opens at an address, or null: a text that is no token of ours, no such tenant or connection,
 * another directory's token, an ended or expired one, a disabled connection, an inactive tenant. All are the same to the caller.
 *
 * What it answers may be kept for a moment to find ids by; every act asks anew whether the credential may still be used.
 */
export async function authenticateDirectory(
  ctx: Context,
  at: { readonly tenant: string; readonly connection: string },
  token: string,
): Promise<Directory | null> {
  const parts = parseToken(token);
  if (parts === null) return null;
  const found = await findCredential(ctx.global, at, parts);
  if (found === undefined) return null;
  const { directory, unmarked } = found;
  if (unmarked) await markUsed(ctx.hot(directory.tenantId), directory.credentialId);
  return directory;
}
