// What the OpenID provider keeps: sessions, codes, tokens and grants. Ids are bearer secrets, so only their hashes are stored.

import { hash } from 'node:crypto';
import type { Query, Statement } from '../context.ts';
import type { GuestId, Person, TenantId, UserId } from '../core/ids.ts';

/** Whose an artifact is, and the epochs under which it was decided that they may have it. */
export type Holder = {
  readonly person: Person;
  readonly epoch: number;
  /** Set where the artifact is for a tenant in which the person is a guest. */
  readonly target: { readonly tenantId: TenantId; readonly guestId: GuestId; readonly epoch: number } | null;
};

export type ArtifactKey = { readonly model: string; readonly idHash: Buffer; readonly tokenHash: Buffer | null };

export type ArtifactRow = ArtifactKey & {
  readonly payload: Uint8Array;
  readonly holder: Holder | null;
  readonly grantId: string | null;
  readonly sessionUid: string | null;
  readonly sessionBound: boolean;
  readonly clientId: string | null;
  readonly ttlSeconds: number;
};

export type FoundRow = {
  readonly idHash: Buffer;
  readonly payload: Buffer;
  readonly holder: Holder | null;
  readonly spent: boolean;
  /** How long ago the family's last token was spent, in seconds; null: never. */
  readonly rotatedAgo: number | null;
  readonly grant: { readonly idHash: Buffer; readonly payload: Buffer } | null;
};

const sha256 = (text: string) => hash('sha256', text, 'buffer');
const hashOrNull = (text: string | null) => (text === null ? null : sha256(text));

/**
 * Where an artifact lies. A refresh token is `<family>.<token>`: the row is the family's, so that any token of it, however old,
 * still leads to the family that it must end.
 */
export function artifactKey(model: string, id: string): ArtifactKey {
  if (model !== 'RefreshToken') return { model, idHash: sha256(id), tokenHash: null };
  const dot = id.indexOf('.');
  return { model, idHash: sha256(dot < 0 ? id : id.slice(0, dot)), tokenHash: sha256(id) };
}

// An artifact of a barred person, of a session that is over or of a disabled client is not there, whoever deletes it later. The
// clients of directories are no rows of clients; what their tokens open asks for their credential (scim_access_token_find).
// Scalar subqueries, which are looked up by key: an `exists` here may become a hash of the whole table, in a plan that is kept.
const ALIVE = `a.expires_at > now()
  and (a.account_user_id is null or a.account_epoch = (select s.access_epoch from subjects s
    where s.tenant_id = a.account_tenant_id and s.subject_id = a.account_user_id))
  and (a.target_guest_id is null or a.target_epoch = (select s.access_epoch from subjects s
    where s.tenant_id = a.target_tenant_id and s.subject_id = a.target_guest_id))
  and (not a.session_bound or a.account_epoch = (select o.account_epoch from oidc_artifacts o
    where o.model = 'Session' and o.session_hash = a.session_hash and o.expires_at > now()
      and o.account_tenant_id = a.account_tenant_id and o.account_user_id = a.account_user_id limit 1))
  and (a.client_id is null or a.model = 'ClientCredentials' or (select c.enabled from clients c where c.client_id = a.client_id))`;

const COLUMNS = `a.id_hash, a.payload_sealed, a.account_tenant_id, a.account_user_id, a.account_epoch, a.target_tenant_id,
  a.target_guest_id, a.target_epoch`;

const FIND: Statement = {
  name: 'oidc_find',
  text: `
select ${COLUMNS}, g.id_hash as grant_id_hash, g.payload_sealed as grant_sealed,
  a.consumed_at is not null or a.token_hash is distinct from $3 as spent,
  extract(epoch from clock_timestamp() - a.rotated_at)::float8 as rotated_ago
from oidc_artifacts a
left join lateral (select * from oidc_artifacts o
  where o.model = 'Grant' and o.id_hash = a.grant_hash and o.expires_at > now() limit 1) g on true
where a.model = $1 and a.id_hash = $2 and ${ALIVE}`,
};

type Row = {
  id_hash: Buffer;
  payload_sealed: Buffer;
  account_tenant_id: TenantId | null;
  account_user_id: UserId | null;
  account_epoch: number | null;
  target_tenant_id: TenantId | null;
  target_guest_id: GuestId | null;
  target_epoch: number | null;
  spent: boolean;
  rotated_ago: number | null;
  grant_id_hash: Buffer | null;
  grant_sealed: Buffer | null;
};

/** One artifact with its grant, if it is alive. */
export async function readArtifact(query: Query, key: ArtifactKey): Promise<FoundRow | undefined> {
  const [row] = await query.run<Row>(FIND, [key.model, key.idHash, key.tokenHash]);
  return row && found(row);
}

const FIND_SESSION: Statement = {
  name: 'oidc_find_session',
  text: `
select ${COLUMNS}, false as spent, null::float8 as rotated_ago, null as grant_id_hash, null as grant_sealed
from oidc_artifacts a where a.model = 'Session' and a.session_hash = $1 and ${ALIVE}`,
};

export async function readSession(query: Query, uid: string): Promise<FoundRow | undefined> {
  const [row] = await query.run<Row>(FIND_SESSION, [sha256(uid)]);
  return row && found(row);
}

function found(row: Row): FoundRow {
  const { account_tenant_id: tenantId, account_user_id: userId, account_epoch: epoch } = row;
  const { target_tenant_id: targetTenant, target_guest_id: guestId, target_epoch: targetEpoch } = row;
  const target =
    targetTenant === null || guestId === null || targetEpoch === null
      ? null
      : { tenantId: targetTenant, guestId, epoch: targetEpoch };
  return {
    idHash: row.id_hash,
    payload: row.payload_sealed,
    spent: row.spent,
    rotatedAgo: row.rotated_ago,
    holder:
      tenantId === null || userId === null || epoch === null ? null : { person: { tenantId, userId }, epoch, target },
    grant:
      row.grant_id_hash === null || row.grant_sealed === null
        ? null
        : { idHash: row.grant_id_hash, payload: row.grant_sealed },
  };
}

// Whoever issues something to a person holds the person's row meanwhile: a suspension waits for it, or it waits for the suspension
// and then finds another epoch. $1 to $6 are the holder's; all null where there is none.
const HELD = `
with person as materialized (
  select 1 from subjects where tenant_id = $1 and subject_id = $2 and access_epoch = $3 for share
), guest as materialized (
  select 1 from subjects where tenant_id = $4 and subject_id = $5 and access_epoch = $6 for share
)`;
const HOLDS = '($2::uuid is null or exists (select from person)) and ($5::uuid is null or exists (select from guest))';
const EXPIRY = 'now() + make_interval(secs => $8)';

const KEEP: Statement = {
  name: 'oidc_keep',
  text: `${HELD}
insert into oidc_artifacts (account_tenant_id, account_user_id, account_epoch, target_tenant_id, target_guest_id, target_epoch,
  payload_sealed, expires_at, model, id_hash, token_hash, grant_hash, session_hash, session_bound, client_id)
select $1, $2, $3, $4, $5, $6, $7::bytea, ${EXPIRY}, $9::text, $10::bytea, $11::bytea, $12::bytea, $13::bytea, $14::boolean,
  $15::text
where ${HOLDS}
on conflict (model, id_hash) do update set payload_sealed = excluded.payload_sealed, expires_at = excluded.expires_at,
  account_tenant_id = excluded.account_tenant_id, account_user_id = excluded.account_user_id,
  account_epoch = excluded.account_epoch
returning 1`,
};

/** Writes an artifact. False where its holder's epoch is past: nothing is written then. */
export async function putArtifact(query: Query, row: ArtifactRow): Promise<boolean> {
  const rows = await query.run(KEEP, [
    ...holderValues(row.holder),
    row.payload,
    row.ttlSeconds,
    row.model,
    row.idHash,
    row.tokenHash,
    hashOrNull(row.grantId),
    hashOrNull(row.sessionUid),
    row.sessionBound,
    row.clientId,
  ]);
  return rows.length === 1;
}

const REPLACE_SESSION: Statement = {
  name: 'oidc_replace_session',
  text: `${HELD}
update oidc_artifacts set account_tenant_id = $1, account_user_id = $2, account_epoch = $3, payload_sealed = $7,
  expires_at = ${EXPIRY}, id_hash = $9
where model = 'Session' and id_hash = $10 and ${HOLDS}
returning 1`,
};

/**
 * Writes a session over the one that it was read from, under a new id or the same. False where that one is gone: a logout in
 * another tab must not be undone by a request that was under way.
 */
export async function replaceSession(query: Query, row: ArtifactRow, previousIdHash: Buffer): Promise<boolean> {
  const rows = await query.run(REPLACE_SESSION, [
    ...holderValues(row.holder),
    row.payload,
    row.ttlSeconds,
    row.idHash,
    previousIdHash,
  ]);
  return rows.length === 1;
}

const ROTATE: Statement = {
  name: 'oidc_rotate',
  text: `${HELD}
update oidc_artifacts set payload_sealed = $7, expires_at = ${EXPIRY}, token_hash = $9, rotated_at = clock_timestamp()
where model = 'RefreshToken' and id_hash = $10 and token_hash = $11 and ${HOLDS}
returning 1`,
};

/** Spends a refresh token and writes the next one of its family, at once. False where it was spent, or its holder barred. */
export async function rotateRefreshToken(query: Query, row: ArtifactRow, spent: ArtifactKey): Promise<boolean> {
  const rows = await query.run(ROTATE, [
    ...holderValues(row.holder),
    row.payload,
    row.ttlSeconds,
    row.tokenHash,
    spent.idHash,
    spent.tokenHash,
  ]);
  return rows.length === 1;
}

/** Makes a spent refresh token the good one of its family again, if `current` still is. */
export async function unrotateRefreshToken(
  query: Query,
  current: ArtifactKey,
  spent: ArtifactKey,
  payload: Uint8Array,
): Promise<void> {
  const text = `update oidc_artifacts set token_hash = $3, payload_sealed = $4, rotated_at = null
    where model = 'RefreshToken' and id_hash = $1 and token_hash = $2`;
  await query.run({ name: 'oidc_unrotate', text }, [current.idHash, current.tokenHash, spent.tokenHash, payload]);
}

const SPEND: Statement = {
  name: 'oidc_spend',
  text: `${HELD}
update oidc_artifacts set consumed_at = clock_timestamp()
where model = $7 and id_hash = $8 and consumed_at is null and ${HOLDS}
returning 1`,
};

/** Spends a single-use artifact. True for exactly one caller over all servers, and for none once its holder is barred. */
export async function markSpent(query: Query, key: ArtifactKey, holder: Holder | null): Promise<boolean> {
  const rows = await query.run(SPEND, [...holderValues(holder), key.model, key.idHash]);
  return rows.length === 1;
}

const FIRST: Statement = {
  name: 'oidc_first',
  text: `
insert into oidc_artifacts (model, id_hash, payload_sealed, expires_at)
values ($1, $2, $3, now() + make_interval(secs => $4))
on conflict (model, id_hash) do nothing returning 1`,
};

/** Writes an artifact unless its id was seen before: true for exactly one caller. */
export async function putFirst(query: Query, key: ArtifactKey, payload: Uint8Array, ttl: number): Promise<boolean> {
  return (await query.run(FIRST, [key.model, key.idHash, payload, ttl])).length === 1;
}

export async function removeArtifact(query: Query, key: ArtifactKey): Promise<void> {
  const text = 'delete from oidc_artifacts where model = $1 and id_hash = $2';
  await query.run({ name: 'oidc_remove', text }, [key.model, key.idHash]);
}

/** Removes what was issued under a grant: one model of it, or (null) all with the grant itself. */
export async function removeGranted(query: Query, grantId: string, model: string | null): Promise<void> {
  const text = `delete from oidc_artifacts where grant_hash = $1 and ($2::text is null or model = $2)
    or model = 'Grant' and id_hash = $1 and $2::text is null`;
  await query.run({ name: 'oidc_remove_granted', text }, [sha256(grantId), model]);
}

/** Ends a session with everything that was issued in it, offline tokens included. */
export async function removeSession(query: Query, key: ArtifactKey): Promise<void> {
  const text = `delete from oidc_artifacts where session_hash =
    (select session_hash from oidc_artifacts where model = 'Session' and id_hash = $1)`;
  await query.run({ name: 'oidc_remove_session', text }, [key.idHash]);
}

/** Ends what one client was issued in a session; the session itself stays. */
export async function removeClientOfSession(query: Query, sessionUid: string, clientId: string): Promise<void> {
  const text = `delete from oidc_artifacts where session_hash = $1 and client_id = $2`;
  await query.run({ name: 'oidc_remove_client_of_session', text }, [sha256(sessionUid), clientId]);
}

/** Removes up to `limit` artifacts that nobody can find any more; how many there were. */
export async function removeExpired(query: Query, limit: number): Promise<number> {
  const text = `delete from oidc_artifacts where ctid = any (array(
      select ctid from oidc_artifacts where expires_at < now() limit $1 for update skip locked)) returning 1`;
  return (await query.run({ name: 'oidc_remove_expired', text }, [limit])).length;
}

function holderValues(holder: Holder | null): readonly unknown[] {
  if (holder === null) return [null, null, null, null, null, null];
  const { person, epoch, target } = holder;
  return [
    person.tenantId,
    person.userId,
    epoch,
    target?.tenantId ?? null,
    target?.guestId ?? null,
    target?.epoch ?? null,
  ];
}
