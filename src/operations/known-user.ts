// A user as a push of its directory meets it: what creating, changing and removing one, or many, have in common.

import type { TenantTx } from '../context.ts';
import type { PersonFacts, StoredUser } from '../core/directory.ts';
import type { CreateFacts } from '../core/directory-create.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { SubjectId } from '../core/ids.ts';
import type { DirectoryUserRow } from '../store/directory-person.ts';
import type { LoadedUser } from '../store/directory-users.ts';
import { isLastOwner } from '../store/people.ts';

/** What takes a name that somebody else of the directory has, by the key that says so. */
export const nameTaken = {
  directory_users_open_user_name: refused('user_name_taken', 'This directory has another user with this userName.'),
  directory_users_open_external_id: refused(
    'external_id_taken',
    'This directory has another user with this externalId.',
  ),
} as const satisfies Record<string, Refusal>;

/** The stored user as an edit may read it. */
export type CurrentUser = {
  readonly row: DirectoryUserRow;
  readonly attributes: Readonly<Record<string, unknown>>;
};

/** The user as decisions know it. */
export function storedOf({ row, named }: LoadedUser): StoredUser {
  return { ...named, directoryUserId: row.id, version: row.version, attributes: JSON.parse(row.attributes) };
}

/** In one order for everybody, so that two pushes about the same people never wait for each other. */
export function touched(facts: CreateFacts): readonly SubjectId[] {
  const people = [facts.byExternalId?.userId, facts.byEmail?.userId, ...facts.suspended.map((one) => one.subjectId)];
  return [...new Set(people.filter((id) => id !== undefined))].sort();
}

/** With whether they are the last owner, which is asked of administrators alone. */
export async function withOwner(tx: TenantTx, person: PersonFacts): Promise<PersonFacts> {
  return person.administers ? { ...person, lastOwner: await isLastOwner(tx, person.userId) } : person;
}

/** The same of both whom a new user may turn out to be. */
export async function withOwners(tx: TenantTx, facts: CreateFacts): Promise<CreateFacts> {
  const { byExternalId, byEmail } = facts;
  return {
    ...facts,
    byExternalId: byExternalId && (await withOwner(tx, byExternalId)),
    byEmail: byEmail && (await withOwner(tx, byEmail)),
  };
}
