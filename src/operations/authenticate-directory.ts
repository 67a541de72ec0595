import type { Context } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import { isScimAccessToken } from '../core/scim-client.ts';
import { findByAccessToken } from '../store/scim-clients.ts';
import { type FoundDirectory, findCredential, markUsed, parseToken } from '../store/scim-credentials.ts';

type Address = { readonly tenant: string; readonly connection: string };

/**
 * The directory that a bearer token opens at an address, or null: a text that is no token of ours for SCIM, no such tenant or
 * connection, another directory's token, an ended or expired one, one of an ended client, a disabled connection, an inactive tenant.
 * All are the same to the caller. The token is one of the directory's own, or was issued to its OAuth client.
 *
 * `source` is the address that it came from, noted with the time of its use. What this answers may be kept for a moment to find ids
 * by; every act asks anew whether the credential may still be used.
 */
export async function authenticateDirectory(
  ctx: Context,
  at: Address,
  token: string,
  source: string | null = null,
): Promise<Directory | null> {
  const found = await find(ctx, at, token);
  if (found === undefined) return null;
  const { directory, unmarked } = found;
  if (unmarked) await markUsed(ctx.hot(directory.tenantId), directory.credentialId, source);
  return directory;
}

/** By its form a token is of one kind, and only that kind is looked for. */
async function find(ctx: Context, at: Address, token: string): Promise<FoundDirectory | undefined> {
  if (isScimAccessToken(token)) return findByAccessToken(ctx.global, at, token);
  const parts = parseToken(token);
  return parts === null ? undefined : findCredential(ctx.global, at, parts);
}
