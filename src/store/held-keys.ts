import type { Statement, TenantTx } from '../context.ts';
import type { KeyHash, SubjectId, SuspensionId, UserId } from '../core/ids.ts';

/** `key` as it is held at home of whoever is suspended as a guest: longer than any key, so that by it nobody is kept out at home. */
export const asGuestKey = (key: string): string => `${key} || '\\x01'::bytea`;
const KEY_BYTES = 32;

const AMONG = `k.tenant_id = $1 and k.key_hash = any (select decode(h, 'hex') from unnest($2::text[]) h)`;
const OF_OTHERS = `
select s.suspension_id from held_keys k
join suspensions s on s.tenant_id = k.tenant_id and s.subject_id = k.subject_id and s.lifted_at is null
where ${AMONG} and k.subject_id is distinct from $3`;

const FIND: Statement = { name: 'held_keys_suspended', text: `${OF_OTHERS} order by s.suspended_at limit 1` };
/**
 * Whether the held key `h` is one with which its bearer inherited a suspension, from somebody who had the key as well by then, and was
 * let in: after `s` began, or from whom `s` is inherited, too.
 */
export const letInWith = (h: string, s: string): string => `exists (
  select 1 from suspensions l
  join suspensions o on o.tenant_id = l.tenant_id and o.suspension_id = l.inherited_from
  join held_keys r on r.tenant_id = o.tenant_id and r.subject_id = o.subject_id and r.key_hash = ${h}.key_hash
    and r.created_at <= l.suspended_at
  where l.tenant_id = ${h}.tenant_id and l.subject_id = ${h}.subject_id and l.lifted_at is not null
    and (l.suspended_at > ${s}.suspended_at or l.inherited_from = ${s}.inherited_from) and l.suspended_at >= ${h}.created_at)`;
const FIND_BEHIND: Statement = {
  name: 'held_keys_behind',
  text: `${OF_OTHERS} and not exists (
  select 1 from held_keys h where h.tenant_id = $1 and h.key_hash = k.key_hash and h.subject_id = $3 and ${letInWith('h', 's')})
order by s.suspended_at limit 1`,
};

/**
 * The open suspension of whoever was ever known by one of these keys, but for `except`: a newcomer who meets it begins suspended
 * (I3), and nobody else's account is linked to it.
 */
export async function findHeldSuspension(
  tx: TenantTx,
  hashes: readonly KeyHash[],
  except: SubjectId | null,
): Promise<SuspensionId | null> {
  if (hashes.length === 0) return null;
  const [row] = await tx.run<{ suspension_id: SuspensionId }>(FIND, [tx.tenantId, hashes, except]);
  return row?.suspension_id ?? null;
}

/**
 * The same, but for keys with which `bearer` inherited a suspension later, and was let in: that is not asked again. To have had a key,
 * or to have been let in for another reason, is not enough: a directory may give a key to anybody for a moment.
 */
export async function findSuspensionBehind(
  tx: TenantTx,
  hashes: readonly KeyHash[],
  bearer: SubjectId,
): Promise<SuspensionId | null> {
  const [row] = await tx.run<{ suspension_id: SuspensionId }>(FIND_BEHIND, [tx.tenantId, hashes, bearer]);
  return row?.suspension_id ?? null;
}

const UNSEEN: Statement = {
  name: 'held_keys_unseen',
  text: `
select distinct encode(k.key_hash, 'hex') as hash from held_keys k
join suspensions s on s.tenant_id = k.tenant_id and s.subject_id = k.subject_id and s.lifted_at is null
join held_keys h on h.tenant_id = k.tenant_id and h.key_hash = k.key_hash and h.subject_id = $3
where ${AMONG} and k.subject_id <> $3 and not ${letInWith('h', 's')}`,
};

/**
 * Those of the keys with which `bearer` was kept out once, and which somebody else has who is suspended: by them nobody inherits who is
 * suspended already, and an administrator who let the bearer in was not asked about them. When they came to whom does not count: a
 * directory may have given them to the bearer for a moment before.
 */
export async function readUnseenKeys(
  tx: TenantTx,
  hashes: readonly KeyHash[],
  bearer: SubjectId,
): Promise<readonly KeyHash[]> {
  if (hashes.length === 0) return [];
  const rows = await tx.run<{ hash: KeyHash }>(UNSEEN, [tx.tenantId, hashes, bearer]);
  return rows.map(({ hash }) => hash);
}

const HELD: Statement = {
  name: null,
  text: `select encode(key_hash, 'hex') as hash from held_keys where tenant_id = $1 and subject_id = $2 and length(key_hash) = ${KEY_BYTES}`,
};

const HOLD_AS_GUEST: Statement = {
  name: null,
  text: `
insert into held_keys (tenant_id, key_hash, subject_id)
select $1::uuid, ${asGuestKey("decode(h, 'hex')")}, $2::uuid from unnest($3::text[]) h on conflict do nothing`,
};

/** Holds keys at home of somebody whose guest is suspended in a tenant below; see {@link asGuestKey}. */
export async function writeGuestKeys(tx: TenantTx, userId: UserId, hashes: readonly KeyHash[]): Promise<void> {
  await tx.run(HOLD_AS_GUEST, [tx.tenantId, userId, hashes]);
}

/** Every key that is held of a person. Reads all that are held in the tenant: for acts that meet a suspension, and no others. */
export async function readHeldKeys(tx: TenantTx, userId: UserId): Promise<readonly KeyHash[]> {
  const rows = await tx.run<{ hash: KeyHash }>(HELD, [tx.tenantId, userId]);
  return rows.map(({ hash }) => hash);
}
