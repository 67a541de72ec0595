// Two connections of one tenant, and an address whose domain only one of them owns: the other one can prepare nothing for its bearer.

import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { ConnectionId } from '../../src/core/ids.ts';
import { type Acme, changeSettings, touchConfig } from '../support/acme.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { personOf } from '../support/people.ts';
import { type DirectoryClient, userBody } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
/** Entra owns acme.example; Okta, for partners, owns nothing. */
let okta: DirectoryClient;
let entra: DirectoryClient;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  return stage.close;
});
beforeEach(async () => {
  await own(tenants.okta, false);
  await changeSettings(world, tenants.acme, { provisioningMode: 'invite_only', domainScope: 'owned_domains' });
});

async function own(connectionId: ConnectionId, owns: boolean): Promise<void> {
  await world.sql(
    owns
      ? `insert into connection_domains (tenant_id, connection_id, domain) values ($1, $2, 'acme.example')`
      : `delete from connection_domains where tenant_id = $1 and connection_id = $2`,
    [tenants.acme.tenantId, connectionId],
  );
  await touchConfig(world);
}

let serial = 0;
const fresh = () => `bearer${++serial}`;

const comesIn = (connection: ConnectionId, subject: string, email: string | null) =>
  enter(world, tenants.acme.tenantId, assertionOf(connection, { subject, email }));

test('T29 T31 the owning directory does not adopt whom another one prepared under its address', async () => {
  const name = fresh();
  const prepared = await okta.post('/Users', userBody(name, { externalId: `partner-${name}` }));
  expect(prepared.status).toBe(201);
  expect(await comesIn(tenants.okta, `partner-${name}`, null)).toMatchObject({ kind: 'signed_in' });
  const answer = await entra.post('/Users', userBody(name, { externalId: `entra-${name}` }));
  expect([answer.status, answer.body.scimType]).toEqual([409, 'uniqueness']);
  expect(
    await world.sql(`select 1 from directory_users where connection_id = $1 and external_id = $2`, [
      tenants.entra,
      `entra-${name}`,
    ]),
  ).toEqual([]);
  const { userId } = await personOf(world, prepared.body.id);
  expect(
    await world.sql(
      `select outcome from audit_events where kind = 'user.adopt' and reason = 'from_elsewhere' and object_id = $1`,
      [userId],
    ),
  ).toEqual([{ outcome: 'refused' }]);
});

test('T29 T31 nor does a first sign-in by the owning connection link to them', async () => {
  const name = fresh();
  await okta.post('/Users', userBody(name, { externalId: `partner-${name}` }));
  await comesIn(tenants.okta, `partner-${name}`, null);
  expect(await comesIn(tenants.entra, `entra-${name}`, `${name}@acme.example`)).toEqual({
    kind: 'refused',
    reason: 'add_sso',
  });
});

test('an administrator who gives the other connection the domain vouches for its people: they are adopted and linked', async () => {
  const [pushed, entering] = [fresh(), fresh()];
  for (const name of [pushed, entering]) await okta.post('/Users', userBody(name, { externalId: `partner-${name}` }));
  await own(tenants.okta, true);
  expect((await entra.post('/Users', userBody(pushed, { externalId: `entra-${pushed}` }))).status).toBe(201);
  expect(await comesIn(tenants.entra, `entra-${entering}`, `${entering}@acme.example`)).toMatchObject({
    kind: 'signed_in',
    created: false,
  });
});

test('a domain moves from one connection to the next: people whom the old one pushed while it had it are adopted', async () => {
  const name = fresh();
  await own(tenants.okta, true);
  await okta.post('/Users', userBody(name, { externalId: `partner-${name}` }));
  await own(tenants.okta, false);
  expect((await entra.post('/Users', userBody(name, { externalId: `entra-${name}` }))).status).toBe(201);
});

test('T27 T31 JIT makes nobody with an address that another connection of the tenant owns, whatever domainScope says', async () => {
  await changeSettings(world, tenants.acme, { provisioningMode: 'jit', domainScope: 'any' });
  const name = fresh();
  expect(await comesIn(tenants.okta, `partner-${name}`, `${name}@acme.example`)).toEqual({
    kind: 'refused',
    reason: 'domain_not_allowed',
  });
  expect(await comesIn(tenants.okta, `partner-${name}`, `${name}@partner.example`)).toMatchObject({ created: true });
  expect(await comesIn(tenants.entra, `entra-${name}`, `${name}@acme.example`)).toMatchObject({ created: true });
});
