// Signing in with a local password: the third connector, without a provider to go to and come back from.

import type { TenantSlug } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import { referenceOf } from '../core/reference.ts';
import { checkPassword } from '../operations/check-password.ts';
import { keepForInteraction, type Upstream } from './flow.ts';
import type { Passwords } from './password.ts';

export type PasswordLogin = {
  readonly interactionUid: string;
  /** The tenant that the application asks for, or null. */
  readonly tenant: TenantSlug | null;
  readonly email: Email;
  readonly password: string;
};

/** `wrong`: the address and the password do not belong together, or there were too many tries. Nobody is told which (T89). */
export type PasswordLoggedIn = { readonly kind: 'resume'; readonly location: string } | { readonly kind: 'wrong' };

/** Checks the password and keeps what came of it for the interaction, as after a provider's answer. */
export async function passwordLogin(
  upstream: Pick<Upstream, 'contextFor'>,
  passwords: Passwords,
  requestId: string,
  login: PasswordLogin,
): Promise<PasswordLoggedIn> {
  const actor = { kind: 'person', connectionId: null, name: login.email } as const;
  const ctx = upstream.contextFor({ actor, requestId });
  const outcome = await checkPassword(ctx, login, passwords.check);
  if (outcome.kind === 'refused' && outcome.reason === 'wrong') return { kind: 'wrong' };
  const { person, tenant } = outcome;
  const home = { tenantId: person.tenantId, slug: tenant };
  const result =
    outcome.kind === 'signed_in'
      ? ({ kind: 'signed_in', person, epoch: outcome.epoch, method: 'password' } as const)
      : ({ kind: 'refused', reason: 'deactivated', reference: referenceOf(requestId), tenant } as const);
  return { kind: 'resume', location: await keepForInteraction(ctx, home, login.interactionUid, result) };
}
