// A connection that the files lose and get back: its links are gone, and what a suspended person was known by is not.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Person, TenantId } from '../../src/core/ids.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { addUser } from '../support/acme.ts';
import {
  bringIntoForce,
  type ConfigFolder,
  configFolder,
  connectionIdOf,
  tenantIdOf,
  withSystemTenant,
} from '../support/config.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { directory, type ScimServer, scimServer, userBody } from '../support/scim.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const acme = (okta: boolean) => `
tenant: acme
name: Acme
provisioning: { mode: jit }
workspaces: { Analytics: { roles: { Viewer: {} } } }
connections:
  spare:
    oidc: { issuer: https://spare.example, clientId: a, clientSecret: { env: ACME_OKTA_SECRET } }
${
  okta
    ? `  okta:
    oidc: { issuer: https://acme.okta.example, clientId: a, clientSecret: { env: ACME_OKTA_SECRET } }
    scim: true
    domains: [acme.example]`
    : ''
}
`;

let world: TestWorld;
let folder: ConfigFolder;
let server: ScimServer;
let tenant: TenantRef;
beforeAll(async () => {
  world = await testWorld();
  folder = configFolder();
  await withSystemTenant(world);
  await inForce(true);
  tenant = { tenantId: await tenantIdOf(world, 'acme'), slug: 'acme' as TenantRef['slug'] };
  server = await scimServer(world);
});
afterAll(async () => {
  await server?.close();
  folder?.remove();
  await world?.close();
});

async function inForce(okta: boolean): Promise<void> {
  folder.write({ acme: acme(okta) });
  expect((await bringIntoForce(world, folder)).kind).toBe('applied');
}
async function connectAgain(): Promise<void> {
  await inForce(false);
  await inForce(true);
}

let serial = 0;
const fresh = () => `again${++serial}`;
const stateOf = async (person: Person) => (await readAccess(world.context(), person, null))?.access.state;

async function comesIn(subject: string, email: string) {
  const assertion = assertionOf(await connectionIdOf(world, 'acme', 'okta'), { subject, email });
  const issuer = 'https://acme.okta.example';
  const outcome = await enter(world, tenant.tenantId, { ...assertion, issuer });
  return outcome.kind === 'signed_in' ? outcome.person : outcome.reason;
}
async function personOf(outcome: Person | string): Promise<Person> {
  if (typeof outcome === 'string') throw new Error(outcome);
  return outcome;
}

/** Somebody whom only sign-ins made known, suspended; then the connection goes and comes back. */
async function suspendedAndConnectedAgain(subject: string): Promise<Person> {
  const person = await personOf(await comesIn(subject, `${subject}@acme.example`));
  await suspend(world.context(), tenant, { subjectId: person.userId, kind: 'user', person }, null);
  await connectAgain();
  return person;
}

test('T120 T121 by another account’s address, at a connection that was added again, a suspended person links to nobody', async () => {
  const name = fresh();
  const victim: Person = {
    tenantId: tenant.tenantId as TenantId,
    userId: await addUser(world, tenant, `victim-${name}@acme.example`),
  };
  await suspendedAndConnectedAgain(name);
  expect(await comesIn(name, `victim-${name}@acme.example`)).toBe('add_sso');
  expect(await world.sql(`select 1 from identities where user_id = $1`, [victim.userId])).toEqual([]);
  expect(
    await world.sql(`select outcome from audit_events where kind = 'sign_in.refused' and object_id = $1`, [
      victim.userId,
    ]),
  ).toEqual([{ outcome: 'refused' }]);
  // The failing twin: the account's own bearer, whom nobody suspended, links.
  expect(await comesIn(`own-${name}`, `victim-${name}@acme.example`)).toEqual(victim);
});

test('T120 I3 pushed under the subject that they signed in by, a suspended person begins suspended', async () => {
  const name = fresh();
  await suspendedAndConnectedAgain(name);
  const okta = await directory(world, server, tenant, 'okta');
  const answer = await okta.post('/Users', userBody(`other-${name}`, { externalId: name }));
  expect(answer.status).toBe(201);
  expect(await stateOf(await personOf(await comesIn(name, `other-${name}@acme.example`)))).toBe('suspended');
});

test('T120 the person themselves, at a connection that was added again, is known by their address and still suspended', async () => {
  const name = fresh();
  const person = await suspendedAndConnectedAgain(name);
  expect(await comesIn(name, `${name}@acme.example`)).toEqual(person);
  expect(await stateOf(person)).toBe('suspended');
});
