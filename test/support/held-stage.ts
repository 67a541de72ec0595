// What tests of held directories begin with: okta and entra, of the same tenant and the same domain, and people of okta with a role
// that an administrator gave them.

import { expect } from 'vitest';
import type { AccessState } from '../../src/core/access.ts';
import type { TenantSlug, UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import type { SubjectRef } from '../../src/operations/standing.ts';
import { setHeld } from './directory-settings.ts';
import { type Guarding, guarding } from './guard-stage.ts';
import { makeOwner, personOf } from './people.ts';
import { userBody } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';
import { operator } from './world.ts';

export type Known = { readonly id: string; readonly name: string; readonly userId: UserId };

export type HeldStage = ScimStage &
  Guarding & {
    /** A name that nobody has. */
    fresh(): string;
    subjectOf(userId: UserId): SubjectRef;
    /** Somebody of okta who has access. */
    known(name?: string): Promise<Known>;
    /** At home, or in another tenant. */
    stateOf(one: { readonly userId: UserId }, tenant?: TenantSlug): Promise<AccessState | undefined>;
    /** Of the tenant’s directories only these are held, and none is guarded. */
    hold(...held: readonly ('okta' | 'entra')[]): Promise<void>;
    /** Makes them the owners of the tenant, and nobody else. */
    own(people: readonly Known[]): Promise<void>;
  };

/** `prefix`: of the names. */
export async function heldStage(prefix: string): Promise<HeldStage> {
  const stage = await guarding(await scimStage());
  const { world, tenants, okta } = stage;
  const { tenantId } = tenants.acme;
  let serial = 0;
  const fresh = () => `${prefix}${++serial}`;
  const subjectOf = (userId: UserId) => ({ subjectId: userId, kind: 'user', person: { tenantId, userId } }) as const;
  const stateOf: HeldStage['stateOf'] = async ({ userId }, tenant) =>
    (await readAccess(world.context(), { tenantId, userId }, tenant ?? null))?.access.state;
  return {
    ...stage,
    fresh,
    subjectOf,
    stateOf,
    async known(name = fresh()) {
      const { body, status } = await okta.post('/Users', userBody(name));
      expect(status).toBe(201);
      const { userId } = await personOf(world, body.id);
      expect(
        await assignRole(world.context(), tenants.acme, subjectOf(userId), 'Analytics: Viewer', operator),
      ).toMatchObject({ kind: 'assigned' });
      expect(await stateOf({ userId })).toBe('active');
      return { id: body.id, name, userId };
    },
    async hold(...held) {
      await stage.unguard();
      for (const key of ['okta', 'entra'] as const) await setHeld(world, tenants[key], held.includes(key));
    },
    async own(people) {
      await world.sql('delete from local_group_members where tenant_id = $1', [tenantId]);
      for (const { userId } of people) await makeOwner(world, { tenantId, userId });
    },
  };
}
