// Who a token is about and what it says of them, read from what holds now each time one is made.

import { type Account, errors, type FindAccount, type KoaContextWithOIDC } from 'oidc-provider';
import { formatSub, type Person, parseSub } from '../core/ids.ts';
import { clientServes } from '../operations/find-client.ts';
import type { AccessRead } from '../operations/read-access.ts';
import { recordRefusal } from '../operations/record-refusal.ts';
import { extraOf } from './clients.ts';
import { translated } from './failures.ts';
import { readAccessOnce, requestState } from './request-state.ts';
import { tenantAsked, tenantChosen, tenantOfGrant } from './tenant-choice.ts';

/** Claims by scope. Small applications read the ID token alone, so what decides access comes with `openid`. */
export const claimsOfScopes = {
  openid: ['sub', 'tenant_id', 'home_tenant_id', 'roles', 'allowed_tenants'],
  email: ['email', 'email_verified'],
  profile: ['name', 'given_name', 'family_name', 'preferred_username', 'locale', 'zoneinfo'],
} as const;

/**
 * The account of a `sub`. At an authorization: whoever exists, since the access prompt asks the rest. For a code, a refresh token
 * or an access token: only who is active, now, in the tenant that it was issued for; undefined is `invalid_grant` there.
 */
export const findAccount: FindAccount = (ctx, sub, token) =>
  translated(async () => {
    const person = parseSub(sub);
    if (person === null) return undefined;
    if (token === undefined) {
      const read = await readForAuthorization(ctx, person);
      return read === null ? undefined : accountOf(read);
    }
    // A replayed token has to reach the library's check, which ends its family, whatever its person may do by now.
    if ('consumed' in token && token.consumed) return { accountId: sub, claims: () => ({ sub }) };
    const state = requestState();
    const tenant = tenantOfGrant(token.grantId);
    const read = tenant === null ? null : await readAccessOnce(state, person, tenant);
    state.access = read;
    if (read === null) return undefined;
    if (read.claims !== null) return accountOf(read);
    const detail = { tenant, by: token.kind };
    await recordRefusal(state.context, token.clientId ?? '', person, 'token.refused', read.access.state, detail);
    return undefined;
  });

/**
 * Access in the tenant that was asked for or chosen; else at home, or in the application's own tenant where it does not serve the
 * home. Somebody who has access where the application does not serve is sent back to it: no choice of theirs would help.
 */
async function readForAuthorization(ctx: KoaContextWithOIDC, person: Person): Promise<AccessRead | null> {
  const state = requestState();
  const { client } = ctx.oidc;
  if (client === undefined) throw new errors.InvalidClient('client is invalid');
  const extra = extraOf(client);
  const asked = tenantChosen(ctx.oidc.result) ?? tenantAsked(ctx.oidc.params?.acr_values);
  let read = await readAccessOnce(state, person, asked === 'malformed' ? null : asked);
  let served = read !== null && (await clientServes(state.context, extra, read.selected));
  if (read !== null && asked === null && !served) {
    const own = await readAccessOnce(state, person, extra.tenant);
    served = own !== null && own.claims !== null;
    read = served ? own : read;
  }
  if (read?.claims && !served) throw new errors.AccessDenied('this application does not serve the tenant');
  state.access = read;
  return read;
}

function accountOf(read: AccessRead): Account {
  const sub = formatSub(read.person);
  const { profile } = read;
  const known = {
    email: profile.email,
    email_verified: profile.email === null ? null : profile.emailVerified,
    name: profile.displayName ?? ([profile.givenName, profile.familyName].filter(Boolean).join(' ') || null),
    given_name: profile.givenName,
    family_name: profile.familyName,
    preferred_username: profile.userName,
    locale: profile.locale,
    zoneinfo: profile.timeZone,
  };
  const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null));
  return { accountId: sub, claims: () => ({ ...given, ...read.claims, sub }) };
}
