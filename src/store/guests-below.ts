// Guests of tenants below behind people of a tenant: a suspension there goes by what its guest is known by at home.

import type { Statement, TenantTx } from '../context.ts';
import type { GuestId, KeyHash, SuspensionId, TenantId, UserId } from '../core/ids.ts';
import { asGuestKey, letInWith } from './held-keys.ts';

const GIVEN = `
with given as materialized (
  select g.of, decode(g.hash, 'hex') as key_hash, g.brought from json_to_recordset($2) as g (of uuid, hash text, brought boolean)
), known as (
  select g.of, g.of as user_id from given g
  union
  select g.of, k.subject_id from given g cross join lateral (
    select k.subject_id from held_keys k where k.tenant_id = $1 and k.key_hash in (g.key_hash, ${asGuestKey('g.key_hash')}) offset 0) k
)`;

const suspended = (tenant: string, subject: string) => `
  select s.suspension_id, s.suspended_at, s.inherited_from from suspensions s
  where s.tenant_id = ${tenant} and s.subject_id = ${subject} and s.lifted_at is null offset 0`;

// Whether the guest `k` was only taken to have the key since `s` began, because somebody else of this tenant who has it took over another
// of theirs: it was never their own.
const TAKEN_TO_HAVE = `k.created_at > s.suspended_at and exists (
  select 1 from guests o where o.tenant_id = p.target_tenant_id and o.guest_id = k.subject_id and o.source_tenant_id = $1
    and not exists (select 1 from held_keys w where w.tenant_id = $1 and w.key_hash = g.key_hash and w.subject_id = o.source_user_id))`;

// A guest whose own the key was there before, or who began suspended with it and was let in since, is not asked again. To have been
// called so for a moment is not enough.
const BELOW: Statement = {
  name: 'guests_below',
  text: `${GIVEN}
select k.of as "userId", k.user_id as "knownAs", p.target_tenant_id as "tenantId", p.guest_id as "guestId",
  (select o.guest_id from mapping_pointers o
   where o.tenant_id = $1 and o.user_id = k.of and o.user_id <> k.user_id and o.target_tenant_id = p.target_tenant_id limit 1) as "ownGuestId",
  null as "inheritedFrom"
from known k
cross join lateral (select p.* from mapping_pointers p where p.tenant_id = $1 and p.user_id = k.user_id offset 0) p
cross join lateral (${suspended('p.target_tenant_id', 'p.guest_id')}) s
union all
select * from (
  select distinct on (p.target_tenant_id, p.guest_id) g.of, g.of, p.target_tenant_id, p.guest_id, null::uuid, s.suspension_id
  from given g
  cross join lateral (select p.* from mapping_pointers p
    where g.brought and p.tenant_id = $1 and p.user_id = g.of and p.ended_at is null offset 0) p
  cross join lateral (select k.subject_id, k.created_at from held_keys k
    where k.tenant_id = p.target_tenant_id and k.key_hash = g.key_hash and k.subject_id <> p.guest_id offset 0) k
  cross join lateral (${suspended('p.target_tenant_id', 'k.subject_id')}) s
  where not exists (${suspended('p.target_tenant_id', 'p.guest_id')})
    and not exists (select 1 from held_keys h
      where h.tenant_id = p.target_tenant_id and h.key_hash = g.key_hash and h.subject_id = p.guest_id
        and (h.created_at <= k.created_at and ${TAKEN_TO_HAVE} or ${letInWith('h', 's')}) offset 0)
  order by p.target_tenant_id, p.guest_id, s.suspended_at
) inheriting
order by 3, 4`,
};

export type GuestBelow = {
  readonly userId: UserId;
  /** Whose guest it is: of `userId`, or of somebody by whose key that one may be recognised. */
  readonly knownAs: UserId;
  readonly tenantId: TenantId;
  readonly guestId: GuestId;
  /** The guest whom `userId` is in that tenant, where that is another one. */
  readonly ownGuestId: GuestId | null;
  /** Null: the guest is suspended. Else that of somebody else there who was ever known by a key that is given. */
  readonly inheritedFrom: SuspensionId | null;
};

/** Keys that somebody of the tenant is given; `had`: what they were known by before, as far as that is at hand. */
export type Gift = {
  readonly userId: UserId;
  readonly hashes: readonly KeyHash[];
  readonly had: readonly KeyHash[];
};

/** Guests whom it concerns that people are given keys: who are suspended, mapped or not any more, and who are to be. One statement. */
export async function readGuestsBelow(tx: TenantTx, gifts: readonly Gift[]): Promise<readonly GuestBelow[]> {
  const given = gifts.flatMap(({ userId: of, hashes, had }) =>
    hashes.length === 0
      ? []
      : [...hashes.map((hash) => ({ of, hash, brought: true })), ...had.map((hash) => ({ of, hash, brought: false }))],
  );
  return given.length === 0 ? [] : tx.run<GuestBelow>(BELOW, [tx.tenantId, JSON.stringify(given)]);
}
