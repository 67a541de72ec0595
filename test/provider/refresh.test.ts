// The later life of tokens: their refresh and their revocation.

import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { API, apiApplication, OTHER_API } from './api-application.ts';
import {
  type Application,
  application,
  browser,
  refusal,
  type Stage,
  stage,
  type Tokens,
  tokensFor,
} from './support.ts';

let here: Stage;
let app: Application;
let apiApp: Application;
beforeAll(async () => {
  here = await stage();
  app = await application(here.world, here.tenants.acme, here.server);
  apiApp = await apiApplication(here);
});
afterAll(() => here?.close());
/** A request that began before a rotation is no replay, and on a machine that stands still any may have begun so. */
const aMinuteLater = () =>
  here.world.sql(
    `update oidc_artifacts set rotated_at = rotated_at - interval '1 minute' where rotated_at is not null`,
  );
const refreshed = (one: Application, tokens: Tokens, more = {}) => one.refresh(tokens.refresh_token ?? '', more);

describe('refresh', () => {
  test('rotates always, and the new one works', async () => {
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    const second = await refreshed(app, tokens);
    expect(second.refresh_token).not.toBe(tokens.refresh_token);
    const third = await refreshed(app, second);
    expect(third.claims()).toMatchObject({ roles: ['Analytics: Viewer'] });
  });

  test('I14 T66 a token used twice ends its family, whichever token of it comes, and is recorded', async () => {
    const person = await here.person(here.tenants.acme);
    const first = await tokensFor(app, person);
    const second = await refreshed(app, first);
    const third = await refreshed(app, second);
    await aMinuteLater();
    expect(await refusal(refreshed(app, first))).toBe('invalid_grant');
    for (const one of [third, second]) expect(await refusal(refreshed(app, one))).toBe('invalid_grant');
    expect(await refusal(client.fetchUserInfo(app.config, third.access_token, client.skipSubjectCheck))).toBe(
      'invalid_token',
    );
    const events = `select actor->>'clientId' as client from audit_events where kind = 'refresh_token.replayed' and object_id = $1`;
    expect(await here.world.sql(events, [person.userId])).toEqual([{ client: app.clientId }]);
  });

  test('I14 a replay ends the family also where the person has no access at that moment', async () => {
    const person = await here.person(here.tenants.acme);
    const first = await tokensFor(app, person);
    const second = await refreshed(app, first);
    await here.world.sql(`update role_grants set ended_at = now() where subject_id = $1`, [person.userId]);
    await aMinuteLater();
    expect(await refusal(refreshed(app, first))).toBe('invalid_grant');
    await here.world.sql(`update role_grants set ended_at = null where subject_id = $1`, [person.userId]);
    expect(await refusal(refreshed(app, second))).toBe('invalid_grant');
  });

  test('I7 I8 T68 tells of the roles and tenants that hold now', async () => {
    const person = await here.person(here.tenants.acme);
    const first = await tokensFor(app, person);
    await here.map(person, here.tenants.labs);
    const second = await refreshed(app, first);
    expect(second.claims()).toMatchObject({ allowed_tenants: ['acme', 'acme-labs'] });
    await here.world.sql(`update mapping_pointers set ended_at = now() where user_id = $1`, [person.userId]);
    const third = await refreshed(app, second);
    expect(third.claims()).toMatchObject({ allowed_tenants: ['acme'] });
    expect(await client.fetchUserInfo(app.config, third.access_token, client.skipSubjectCheck)).toMatchObject({
      allowed_tenants: ['acme'],
    });
  });

  test('R128 D11 I8 for a tenant that the person lost is invalid_grant; the one for home goes on', async () => {
    const person = await here.person(here.tenants.acme);
    await here.map(person, here.tenants.labs);
    const visitor = browser();
    const home = await tokensFor(app, person, visitor);
    const labs = await tokensFor(app, null, visitor, { acr_values: 'tenant:acme-labs' });
    await here.world.sql(`update mapping_pointers set ended_at = now() where user_id = $1`, [person.userId]);
    await here.world.sql(`update guests set ended_at = now() where source_user_id = $1`, [person.userId]);
    expect(await refusal(refreshed(app, labs))).toBe('invalid_grant');
    expect(await refusal(client.fetchUserInfo(app.config, labs.access_token, client.skipSubjectCheck))).toBe(
      'invalid_token',
    );
    expect((await refreshed(app, home)).claims()).toMatchObject({ tenant_id: 'acme', allowed_tenants: ['acme'] });
    const events = `select reason, detail->>'tenant' as tenant from audit_events where kind = 'token.refused' and object_id = $1`;
    expect(await here.world.sql(events, [person.userId])).toContainEqual({ reason: 'no_access', tenant: 'acme-labs' });
  });

  test('R123 switching tenants neither retargets nor ends the tokens of another', async () => {
    const person = await here.person(here.tenants.acme);
    await here.map(person, here.tenants.labs);
    const visitor = browser();
    const home = await tokensFor(app, person, visitor);
    const labs = await tokensFor(app, null, visitor, { acr_values: 'tenant:acme-labs' });
    const again = await tokensFor(app, null, visitor, { acr_values: 'tenant:acme' });
    const tenantsOf = async (tokens: Tokens) => (await refreshed(app, tokens)).claims()?.tenant_id;
    expect([await tenantsOf(home), await tenantsOf(labs), await tenantsOf(again)]).toEqual([
      'acme',
      'acme-labs',
      'acme',
    ]);
    const grants = `select 1 from oidc_artifacts where model = 'Grant' and account_user_id = $1`;
    expect(await here.world.sql(grants, [person.userId])).toHaveLength(2);
  });

  test('cannot widen its scope, nor turn to an API that was not asked for', async () => {
    const tokens = await tokensFor(apiApp, await here.person(here.tenants.acme), browser(), {
      scope: 'openid reports:read',
      resource: API,
    });
    expect(await refusal(refreshed(apiApp, tokens, { scope: 'openid email' }))).toBe('invalid_scope');
    expect(await refusal(refreshed(apiApp, tokens, { resource: OTHER_API }))).toBe('invalid_target');
  });

  test('T66 one that is refused spends nothing: whoever asked wrongly asks again with the token that they have', async () => {
    const tokens = await tokensFor(apiApp, await here.person(here.tenants.acme), browser(), { resource: API });
    for (const resource of [OTHER_API, 'https://unknown.example'])
      expect(await refusal(refreshed(apiApp, tokens, { resource }))).toBe('invalid_target');
    const second = await refreshed(apiApp, tokens);
    await aMinuteLater();
    // I14: this one was answered, and whoever brings the old one back ends the family.
    expect(await refusal(refreshed(apiApp, tokens, { resource: OTHER_API }))).toBe('invalid_grant');
    expect(await refusal(refreshed(apiApp, second))).toBe('invalid_grant');
  });

  test('is for clients that are registered for it', async () => {
    const one = await application(here.world, here.tenants.acme, here.server, { refreshTokens: false });
    const tokens = await tokensFor(one, await here.person(here.tenants.acme), browser(), {
      scope: 'openid offline_access',
    });
    expect(tokens.refresh_token).toBeUndefined();
  });

  test.each([{}, { prompt: 'consent' }])(
    'outlives the session only where offline_access was asked for, with %o and without a question',
    async (prompt) => {
      const person = await here.person(here.tenants.acme);
      const plain = await tokensFor(app, person, browser(), prompt);
      const offline = await tokensFor(app, person, browser(), { scope: 'openid offline_access', ...prompt });
      expect(offline.scope).toBe('openid offline_access');
      await here.world.sql(
        `update oidc_artifacts set expires_at = now() where model = 'Session' and account_user_id = $1`,
        [person.userId],
      );
      expect(await refusal(refreshed(app, plain))).toBe('invalid_grant');
      expect((await refreshed(app, await refreshed(app, offline))).access_token).toBeTruthy();
    },
  );

  test('takes three statements with a JWT access token, four with an opaque one', async () => {
    const person = await here.person(here.tenants.acme);
    for (const [parameters, expected] of [
      [{ resource: API }, ['oidc_find', 'subject_read', 'oidc_rotate']],
      [{}, ['oidc_find', 'subject_read', 'oidc_rotate', 'oidc_keep']],
    ] as const) {
      let tokens = await tokensFor(apiApp, person, browser(), parameters);
      const onceMore = async () => {
        tokens = await refreshed(apiApp, tokens);
      };
      // The client and the tenant's configuration are remembered for a second, which may be over at any moment.
      await vi.waitFor(
        async () => {
          await onceMore();
          here.world.takeStatements();
          await onceMore();
          expect(here.world.takeStatements()).toEqual(expected);
        },
        { timeout: 30_000 },
      );
    }
  });
});

describe('revocation', () => {
  test('of a refresh token ends its family and its opaque access tokens', async () => {
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    const second = await refreshed(app, tokens);
    await client.tokenRevocation(app.config, second.refresh_token ?? '');
    expect(await refusal(refreshed(app, second))).toBe('invalid_grant');
    expect(await refusal(client.fetchUserInfo(app.config, second.access_token, client.skipSubjectCheck))).toBe(
      'invalid_token',
    );
  });

  test('by another client changes nothing', async () => {
    const tokens = await tokensFor(app, await here.person(here.tenants.acme));
    await client.tokenRevocation(apiApp.config, tokens.refresh_token ?? '').catch(() => {});
    expect((await refreshed(app, tokens)).access_token).toBeTruthy();
  });

  test('of a JWT is told to be impossible: it lives five minutes', async () => {
    const tokens = await tokensFor(apiApp, await here.person(here.tenants.acme), browser(), { resource: API });
    expect(await refusal(client.tokenRevocation(apiApp.config, tokens.access_token))).toBe('unsupported_token_type');
  });
});
