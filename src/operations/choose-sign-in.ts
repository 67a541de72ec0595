import type { Context } from '../context.ts';
import type { TenantSlug } from '../core/ids.ts';
import { type Email, emailDomain } from '../core/profile.ts';
import { domainEntries, type SignInWays, signInWays } from '../core/sign-in-ways.ts';
import { readSignInScope } from '../store/sign-in-scope.ts';

/**
 * The ways in for an address: by its domain, and by the tenant that the application asks for (null: none). Reads no person, so it
 * answers alike whether or not somebody has the address (T89).
 */
export async function chooseSignIn(ctx: Context, tenant: TenantSlug | null, email: Email): Promise<SignInWays> {
  return signInWays(await readSignInScope(ctx.global, tenant, domainEntries(emailDomain(email))));
}
