// The people behind what directories push.

import type { AccessState } from '../../src/core/access.ts';
import type { Person } from '../../src/core/ids.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import type { TestWorld } from './world.ts';

/** Whom a resource of a directory is about. */
export async function personOf(world: TestWorld, directoryUserId: string): Promise<Person> {
  const [person] = await world.sql<Person>(
    'select tenant_id as "tenantId", user_id as "userId" from directory_users where directory_user_id = $1',
    [directoryUserId],
  );
  if (person === undefined) throw new Error('no directory has such a user');
  return person;
}

/** One of the owners of their tenant. */
export const makeOwner = (world: TestWorld, { tenantId, userId }: Person): Promise<unknown> =>
  world.sql(
    `insert into local_group_members (tenant_id, membership_id, local_group_id, subject_id)
     select tenant_id, gen_random_uuid(), local_group_id, $2 from local_groups where tenant_id = $1 and name = 'TenantOwners'`,
    [tenantId, userId],
  );

/** Of the person at home. */
export async function accessState(world: TestWorld, person: Person): Promise<AccessState | undefined> {
  return (await readAccess(world.context(), person, null))?.access.state;
}
