// People who sign in through a connection: what its connector proved of them, with no browser and no identity provider.

import type { UpstreamAssertion } from '../../src/core/identity.ts';
import type { ConnectionId, Instant, TenantId } from '../../src/core/ids.ts';
import type { Email } from '../../src/core/profile.ts';
import { signIn } from '../../src/operations/sign-in.ts';
import type { TestWorld } from './world.ts';

export type Entering = {
  readonly subject: string;
  /** Verified, where there is one. */
  readonly email: string | null;
  /** None: the sign-in says nothing of groups. */
  readonly groups?: readonly string[];
};

export const assertionOf = (
  connectionId: ConnectionId,
  { subject, email, groups = [] }: Entering,
): UpstreamAssertion => ({
  connectionId,
  method: 'oidc',
  issuer: 'https://idp.example',
  subject,
  directoryIds: [subject],
  directoryUserName: null,
  email: email as Email | null,
  emailVerified: email !== null,
  givenName: null,
  familyName: null,
  displayName: null,
  groups: groups.length === 0 ? { kind: 'absent' } : { kind: 'named', values: groups },
  authenticatedAt: Date.now() as Instant,
});

/** By SAML: the NameID is also what a directory may call them. */
export const assertionByNameId = (
  connectionId: ConnectionId,
  nameId: string,
  email: string | null,
): UpstreamAssertion => ({
  ...assertionOf(connectionId, { subject: nameId, email }),
  method: 'saml',
  directoryUserName: nameId,
});

/** Nothing is replayed: each is a sign-in of its own. */
export function enter(world: TestWorld, tenantId: TenantId, assertion: UpstreamAssertion): ReturnType<typeof signIn> {
  const expiresAt = (Date.now() + 60_000) as Instant;
  return signIn(world.context(), tenantId, { assertion, replayKey: null, expiresAt });
}
