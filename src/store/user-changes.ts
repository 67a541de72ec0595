// What becomes of a person in their tenant: who they are, how they sign in, and what the sign-in said. One statement or two per change,
// in the caller's transaction.

import type { TenantTx } from '../context.ts';
import type { Change } from '../core/change.ts';

export type UserChange = Extract<
  Change,
  {
    kind:
      | 'create_user'
      | 'update_profile'
      | 'give_up_email'
      | 'set_admin_active'
      | 'approve_user'
      | 'link_identity'
      | 'end_identities'
      | 'assert_groups'
      | 'record_sign_in'
      | 'set_password'
      | 'end_password';
  }
>;
type Of<K extends UserChange['kind']> = Extract<UserChange, { kind: K }>;

/** Writes one change of a person. It never decides; keys taken by somebody else surface as UniqueViolation. */
export async function applyUserChange(tx: TenantTx, change: UserChange): Promise<void> {
  const t = tx.tenantId;
  const run = (text: string, values: readonly unknown[]) => tx.run({ name: null, text }, values);
  switch (change.kind) {
    case 'create_user':
      return createUser(tx, change);
    case 'update_profile':
      return updateProfile(tx, change);
    case 'give_up_email':
      await run(
        `update users set email = null, email_verified_at = null, version = version + 1 where tenant_id = $1 and user_id = $2`,
        [t, change.userId],
      );
      await run(`delete from email_directory where tenant_id = $1 and user_id = $2`, [t, change.userId]);
      return;
    case 'set_admin_active':
      await run(`update users set admin_active = $3, version = version + 1 where tenant_id = $1 and user_id = $2`, [
        t,
        change.userId,
        change.active,
      ]);
      return;
    case 'approve_user':
      await run(`update users set approval = 'approved', version = version + 1 where tenant_id = $1 and user_id = $2`, [
        t,
        change.userId,
      ]);
      return;
    case 'link_identity':
      await run(
        `insert into identities (tenant_id, identity_id, user_id, connection_id, issuer, subject, linked_by) values ($1, $2, $3, $4, $5, $6, $7)`,
        [t, change.identityId, change.userId, change.connectionId, change.issuer, change.subject, change.by],
      );
      return;
    case 'end_identities':
      await run(`update identities set ended_at = now() where tenant_id = $1 and user_id = $2 and ended_at is null`, [
        t,
        change.userId,
      ]);
      return;
    case 'assert_groups':
      await run(
        `delete from asserted_groups where tenant_id = $1 and user_id = $2 and connection_id = $3 and value <> all ($4)`,
        [t, change.userId, change.connectionId, change.values],
      );
      await run(
        `insert into asserted_groups (tenant_id, user_id, connection_id, value) select $1::uuid, $2::uuid, $3::uuid, v from unnest($4::text[]) v on conflict do nothing`,
        [t, change.userId, change.connectionId, change.values],
      );
      return;
    case 'record_sign_in':
      await run(
        `update users set last_sign_in_at = to_timestamp($3::bigint / 1000.0), first_sign_in_at = coalesce(first_sign_in_at, to_timestamp($3::bigint / 1000.0))
         where tenant_id = $1 and user_id = $2`,
        [t, change.userId, change.at],
      );
      await run(
        `insert into sign_in_days (tenant_id, user_id, day) values ($1, $2, (to_timestamp($3::bigint / 1000.0) at time zone 'UTC')::date)
         on conflict (tenant_id, user_id, day) do update set count = sign_in_days.count + 1`,
        [t, change.userId, change.at],
      );
      return;
    case 'set_password':
      await run(
        `insert into passwords (tenant_id, user_id, hash, must_change) values ($1, $2, $3, $4)
         on conflict (tenant_id, user_id) do update
         set hash = excluded.hash, must_change = excluded.must_change, set_at = now(), failures = 0, last_failure_at = null`,
        [t, change.userId, change.hash, change.mustChange],
      );
      return;
    case 'end_password':
      await run(`delete from passwords where tenant_id = $1 and user_id = $2`, [t, change.userId]);
      return;
  }
}

async function createUser(tx: TenantTx, change: Of<'create_user'>): Promise<void> {
  const { profile: p } = change;
  const run = (text: string, values: readonly unknown[]) => tx.run({ name: null, text }, values);
  await run(`insert into subjects (tenant_id, subject_id, kind) values ($1, $2, 'user')`, [tx.tenantId, change.userId]);
  await run(
    `insert into users (tenant_id, user_id, user_name, email, email_verified_at, given_name, family_name, display_name, department,
       locale, time_zone, origin, approval)
     values ($1, $2, $3, $4, case when $5::boolean then now() end, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      tx.tenantId,
      change.userId,
      p.userName,
      p.email,
      change.emailVerified,
      p.givenName,
      p.familyName,
      p.displayName,
      p.department,
      p.locale,
      p.timeZone,
      change.origin,
      change.approval,
    ],
  );
  if (p.email !== null) await knowEmail(tx, p.email, change.userId);
}

async function knowEmail(tx: TenantTx, email: string, userId: string): Promise<void> {
  await tx.run(
    {
      name: null,
      text: `insert into email_directory (email, tenant_id, user_id) values ($1, $2, $3) on conflict do nothing`,
    },
    [email, tx.tenantId, userId],
  );
}

const PROFILE_COLUMNS = {
  userName: 'user_name',
  email: 'email',
  givenName: 'given_name',
  familyName: 'family_name',
  displayName: 'display_name',
  department: 'department',
  locale: 'locale',
  timeZone: 'time_zone',
} as const;

async function updateProfile(tx: TenantTx, change: Of<'update_profile'>): Promise<void> {
  const fields = (Object.keys(PROFILE_COLUMNS) as (keyof typeof PROFILE_COLUMNS)[]).filter(
    (field) => change.profile[field] !== undefined,
  );
  const sets = fields.map((field, index) => `${PROFILE_COLUMNS[field]} = $${index + 4}`);
  if (change.emailVerified !== undefined)
    sets.push('email_verified_at = case when $3::boolean then coalesce(email_verified_at, now()) end');
  const values = fields.map((field) => change.profile[field] ?? null);
  await tx.run(
    {
      name: null,
      // $3 is always named, so that its type is known where the address's proof does not change.
      text: `update users set ${[...sets, 'version = version + 1'].join(', ')} where tenant_id = $1 and user_id = $2 and ($3::boolean is null or true)`,
    },
    [tx.tenantId, change.userId, change.emailVerified ?? null, ...values],
  );
  if (change.profile.email === undefined) return;
  await tx.run({ name: null, text: `delete from email_directory where tenant_id = $1 and user_id = $2` }, [
    tx.tenantId,
    change.userId,
  ]);
  if (change.profile.email !== null) await knowEmail(tx, change.profile.email, change.userId);
}
