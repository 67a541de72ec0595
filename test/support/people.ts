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

/** Of the person at home. */
export async function accessState(world: TestWorld, person: Person): Promise<AccessState | undefined> {
  return (await readAccess(world.context(), person, null))?.access.state;
}
