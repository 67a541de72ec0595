// The changes of many decisions at once, where no two of them are about the same person: what most pushes come to is one statement for
// all of them, the rest one after the other. They write what apply.ts writes.

import type { Context, Statement, TenantTx } from '../context.ts';
import type { AuditEvent, Change } from '../core/change.ts';
import { apply } from './apply.ts';
import { LostRace } from './database.ts';
import { countInSlot, END_USERS, lockLeaving } from './directory-changes.ts';
import { changeUsers, makeUsers, PUSHED, PUSHED_COLUMNS, pushedRow } from './directory-user-columns.ts';

type Of<K extends Change['kind']> = Extract<Change, { kind: K }>;
type Decided = { readonly changes: readonly Change[]; readonly events: readonly AuditEvent[] };

const CREATE: Statement = {
  name: 'directory_users_link',
  text: `
with made as (
  ${makeUsers(
    { id: 'a.id', connectionId: 'a.connection_id', userId: 'a.user_id', withheld: 'a.withheld' },
    PUSHED,
    `from json_to_recordset($2) as a (id uuid, connection_id uuid, user_id uuid, withheld boolean, ${PUSHED_COLUMNS})`,
  )}
  returning connection_id
) ${countInSlot('users', '(select connection_id, count(*) as added from made group by connection_id)')}`,
};

const UPDATE: Statement = {
  name: 'directory_users_update',
  text: `${changeUsers(PUSHED, 'a.withheld')}
from json_to_recordset($2) as a (id uuid, version bigint, withheld boolean, ${PUSHED_COLUMNS})
where d.tenant_id = $1 and d.directory_user_id = a.id and d.version = a.version and d.ended_at is null
returning 1 as hit`,
};

const END: Statement = { name: 'directory_users_end', text: END_USERS };

const PROFILES: Statement = {
  name: 'users_follow',
  text: `
with asked as materialized (
  select a.user_id, a.verified, a.profile as p from jsonb_to_recordset($2) as a (user_id uuid, verified boolean, profile jsonb)
), written as (
  update users u set
    user_name = case when p ? 'userName' then p ->> 'userName' else u.user_name end,
    email = case when p ? 'email' then p ->> 'email' else u.email end,
    given_name = case when p ? 'givenName' then p ->> 'givenName' else u.given_name end,
    family_name = case when p ? 'familyName' then p ->> 'familyName' else u.family_name end,
    display_name = case when p ? 'displayName' then p ->> 'displayName' else u.display_name end,
    department = case when p ? 'department' then p ->> 'department' else u.department end,
    locale = case when p ? 'locale' then p ->> 'locale' else u.locale end,
    time_zone = case when p ? 'timeZone' then p ->> 'timeZone' else u.time_zone end,
    email_verified_at = case when a.verified is null then u.email_verified_at
      when a.verified then coalesce(u.email_verified_at, now()) end,
    version = u.version + 1
  from asked a where u.tenant_id = $1 and u.user_id = a.user_id
), gone as (
  delete from email_directory e using asked a where e.tenant_id = $1 and e.user_id = a.user_id and a.p ? 'email'
    and e.email is distinct from a.p ->> 'email'
)
insert into email_directory (email, tenant_id, user_id) select a.p ->> 'email', $1, a.user_id from asked a where a.p ->> 'email' is not null
on conflict do nothing`,
};

const HOLD: Statement = {
  name: 'held_keys_hold',
  text: `
insert into held_keys (tenant_id, key_hash, subject_id)
select distinct $1::uuid, decode(h.hash, 'hex'), h.subject_id from jsonb_to_recordset($2) as h (hash text, subject_id uuid)
on conflict do nothing`,
};

const END_SESSIONS: Statement = {
  name: 'users_end_sessions',
  text: `
with raised as (
  update subjects s set access_epoch = s.access_epoch + 1 where s.tenant_id = $1 and s.subject_id = any ($2::uuid[])
)
delete from oidc_artifacts where account_tenant_id = $1 and account_user_id = any ($2::uuid[])`,
};

/** What is about one person each, and says nothing more. */
const ofPeople = {
  end_password: {
    name: 'users_end_password',
    text: 'delete from passwords where tenant_id = $1 and user_id = any ($2::uuid[])',
  },
  end_identities: {
    name: 'users_end_identities',
    text: 'update identities set ended_at = now() where tenant_id = $1 and user_id = any ($2::uuid[]) and ended_at is null',
  },
  end_invitations: {
    name: 'users_end_invitations',
    text: `update invitations set ended_at = now() where tenant_id = $1 and user_id = any ($2::uuid[]) and used_at is null
  and ended_at is null`,
  },
} as const satisfies Partial<Record<Change['kind'], Statement>>;

const inSets = new Set<Change['kind']>([
  'create_directory_user',
  'update_directory_user',
  'end_directory_user',
  'update_profile',
  'hold_keys',
  'end_sessions',
  'end_password',
  'end_identities',
  'end_invitations',
]);

/**
 * Applies decisions about different people in the caller's transaction, which holds the rows of all of them; so what each comes to
 * does not hang on what stands before it. Throws what {@link apply} throws, and then nothing of them is to stay.
 */
export async function applyTogether(ctx: Context, tx: TenantTx, decisions: readonly Decided[]): Promise<void> {
  const all = decisions.flatMap(({ changes }) => changes);
  // First what the others refer to: people who are new, and the addresses that they are given.
  await apply(ctx, tx, { changes: all.filter((change) => !isInSets(change)), events: [] });
  const of = <K extends Change['kind']>(kind: K): readonly Of<K>[] =>
    all.filter((change): change is Of<K> => change.kind === kind && isInSets(change));
  const run = <C extends Change>(statement: Statement, changes: readonly C[], row: (change: C) => object) =>
    changes.length === 0 ? [] : tx.run(statement, [tx.tenantId, JSON.stringify(changes.map(row))]);
  const runOf = (statement: Statement, ids: readonly string[]) =>
    ids.length === 0 ? [] : tx.run(statement, [tx.tenantId, ids]);

  const leaving = of('end_directory_user').map(({ directoryUserId }) => directoryUserId);
  if (leaving.length > 0) {
    await lockLeaving(tx, leaving);
    await tx.run(END, [tx.tenantId, leaving, 'directory']);
  }
  await run(CREATE, of('create_directory_user'), ({ directoryUserId, connectionId, userId, resource, withheld }) => ({
    id: directoryUserId,
    connection_id: connectionId,
    user_id: userId,
    withheld,
    ...pushedRow(resource),
  }));
  const updates = of('update_directory_user');
  const written = await run(UPDATE, updates, ({ directoryUserId, version, resource, withheld }) => ({
    id: directoryUserId,
    version,
    withheld,
    ...pushedRow(resource),
  }));
  if (written.length !== updates.length) throw new LostRace('a directory user changed while it was being updated');
  await run(PROFILES, of('update_profile'), ({ userId, profile, emailVerified }) => ({
    user_id: userId,
    verified: emailVerified ?? null,
    profile,
  }));
  const held = of('hold_keys').flatMap(({ subjectId, hashes }) =>
    hashes.map((hash) => ({ hash, subject_id: subjectId })),
  );
  if (held.length > 0) await tx.run(HOLD, [tx.tenantId, JSON.stringify(held)]);
  await runOf(
    ofPeople.end_password,
    of('end_password').map(({ userId }) => userId),
  );
  await runOf(
    ofPeople.end_identities,
    of('end_identities').map(({ userId }) => userId),
  );
  await runOf(
    ofPeople.end_invitations,
    of('end_invitations').map(({ userId }) => userId),
  );
  await runOf(
    END_SESSIONS,
    of('end_sessions').map(({ subjectId }) => subjectId),
  );
  await apply(ctx, tx, { changes: [], events: decisions.flatMap(({ events }) => events) });
}

function isInSets(change: Change): boolean {
  if (change.kind === 'end_sessions') return change.subjectKind === 'user' && change.inTenant === undefined;
  if (change.kind === 'end_directory_user') return change.by === 'directory';
  return inSets.has(change.kind);
}
