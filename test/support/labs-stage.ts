// A tenant and one below it, each with a directory of its own, and people of the first who are guests in the second.

import { expect } from 'vitest';
import type { ConnectionId, GuestId, Person, TenantSlug } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { changeSettings, touchConfig } from './acme.ts';
import { personOf } from './people.ts';
import { type DirectoryClient, directory, userBody } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';
import { operator } from './world.ts';

export type Pushed = { readonly id: string; readonly person: Person };

export type LabsStage = ScimStage & {
  /** Directory of acme-labs, which is below acme, under the key `okta`; people may come in by its sign-in, too. */
  readonly labs: DirectoryClient;
  readonly labsOkta: ConnectionId;
  pushed(client: DirectoryClient, name: string, more?: object): Promise<Pushed>;
  /** As a guest in labs, or the tenant that is named. */
  map(person: Person, tenant?: TenantRef): Promise<{ readonly suspended: boolean }>;
  guestOf(person: Person, tenant?: TenantRef): Promise<GuestId>;
  /** Of the guest in labs. */
  suspendGuest(person: Person): Promise<void>;
  letInGuest(person: Person): Promise<void>;
  /** In labs, of the guest or of a person of labs; `null`: at home. */
  stateIn(tenant: TenantRef | null, person: Person): Promise<string | undefined>;
};

export async function labsStage(): Promise<LabsStage> {
  const stage = await scimStage();
  const { world, server, tenants } = stage;
  const { labs } = tenants;
  const [row] = await world.sql<{ id: ConnectionId }>(
    `insert into connections (tenant_id, connection_id, key, display_name, protocol, issuer, scim)
     values ($1, gen_random_uuid(), 'okta', 'okta', 'saml', 'https://labs', true) returning connection_id as id`,
    [labs.tenantId],
  );
  if (row === undefined) throw new Error('no connection');
  await changeSettings(world, labs, { provisioningMode: 'jit', domainScope: 'any' });
  await touchConfig(world);
  const guestOf = async ({ userId }: Person, tenant = labs) => {
    const [found] = await world.sql<{ id: GuestId }>(
      'select guest_id as id from guests where tenant_id = $1 and source_user_id = $2',
      [tenant.tenantId, userId],
    );
    if (found === undefined) throw new Error('no such guest');
    return found.id;
  };
  const guest = async (person: Person) => ({ subjectId: await guestOf(person), kind: 'guest', person }) as const;
  return {
    ...stage,
    labs: await directory(world, server, labs, 'okta'),
    labsOkta: row.id,
    async pushed(client, name, more = {}) {
      const { status, body, text } = await client.post('/Users', userBody(name, more));
      if (status !== 201) throw new Error(text);
      return { id: body.id, person: await personOf(world, body.id) };
    },
    async map(person, tenant = labs) {
      const gift = { roles: ['Analytics: Viewer'], groups: [] };
      const mapped = await mapGuest(world.context(), tenant, person, gift, operator);
      if (mapped.kind === 'refused') throw new Error(mapped.message);
      return mapped;
    },
    guestOf,
    async suspendGuest(person) {
      const outcome = await suspend(world.context(operator), labs, await guest(person), null);
      expect(outcome).toEqual({ kind: 'suspended', already: false });
    },
    async letInGuest(person) {
      const outcome = await assignRole(world.context(), labs, await guest(person), 'Analytics: Viewer', operator);
      expect(outcome).toMatchObject({ kind: 'assigned', lifted: true });
    },
    async stateIn(tenant, person) {
      const slug: TenantSlug | null = tenant === null || person.tenantId === tenant.tenantId ? null : tenant.slug;
      return (await readAccess(world.context(), person, slug))?.access.state;
    },
  };
}
