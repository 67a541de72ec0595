// Tokens of directories. Only their SHA-256 is kept: they are random, so nothing slower is needed.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Query, Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import { type DirectorySettings, defaultDirectorySettings } from '../core/directory-settings.ts';
import type { ConnectionId, CredentialId, Instant, TenantId, TenantSlug } from '../core/ids.ts';
import { instant } from './instant.ts';

/** A token's parts: `prefix` finds the credential, `secretHash` (hex) proves it. */
export type TokenParts = { readonly prefix: string; readonly secretHash: string };

const TOKEN = /^dbs_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
const PREFIX_LENGTH = 12;
const PREFIX_LETTERS = 'abcdefghijklmnopqrstuvwxyz012345';
/** Of tokens for a doctor's visit; with a figure that no other token's has. */
const DOCTOR = 'doctor9';

/** A fresh token: 60 bits to find it by, 256 bits of secret. Its text is shown once and kept nowhere. */
export function newToken(begin = ''): TokenParts & { readonly token: string } {
  const random = Array.from(randomBytes(PREFIX_LENGTH - begin.length), (byte) => PREFIX_LETTERS[byte % 32]);
  const prefix = begin + random.join('');
  const secret = randomBytes(32).toString('base64url');
  return { token: `dbs_${prefix}_${secret}`, prefix, secretHash: sha256(secret) };
}

/** A token for a doctor's visit: known by its prefix, and not counted among the two that a directory may have. */
export function newDoctorToken(): TokenParts & { readonly token: string } {
  return newToken(DOCTOR);
}

/** The parts of a token's text, or null where the text is none of ours. */
export function parseToken(token: string): TokenParts | null {
  const [, prefix, secret] = TOKEN.exec(token) ?? [];
  return prefix === undefined || secret === undefined ? null : { prefix, secretHash: sha256(secret) };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Whether a credential `k`, its connection `c` and its tenant `t` may be used now. Every statement that asks has these. */
export const USABLE = 'k.ended_at is null and (k.expires_at is null or k.expires_at > now())';
export const OPEN_CONNECTION = 'c.enabled and c.scim and c.ended_at is null';
export const OPEN_TENANT = 't.active and t.ended_at is null';

/**
 * A credential that may be used now: `$1` tenant, `$2` credential. Every statement of a directory starts from it, so that ending
 * the credential, the connection or the tenant holds for the very next statement.
 */
export const LIVE = `live as (
  select c.connection_id, c.key, t.config_version
  from scim_credentials k
  join connections c on c.tenant_id = k.tenant_id and c.connection_id = k.connection_id and ${OPEN_CONNECTION}
  join tenants t on t.tenant_id = k.tenant_id and ${OPEN_TENANT}
  where k.tenant_id = $1 and k.credential_id = $2 and ${USABLE})`;

/** What is read of a credential `k` of a connection `c` of a tenant `t`, as {@link foundDirectory} takes it. */
export const FOUND = `t.tenant_id, t.slug, c.connection_id, c.key, c.directory, k.credential_id,
  k.last_used_at is null or k.last_used_at < now() - interval '1 minute' as unmarked`;

const FIND: Statement = {
  name: 'scim_credential_find',
  text: `
select ${FOUND}, k.secret_hash
from tenants t
join connections c on c.tenant_id = t.tenant_id and c.key = $2 and ${OPEN_CONNECTION}
join scim_credentials k on k.tenant_id = c.tenant_id and k.connection_id = c.connection_id and k.prefix = $3 and ${USABLE}
where t.slug = $1 and ${OPEN_TENANT}`,
};

export type FoundRow = {
  tenant_id: TenantId;
  slug: TenantSlug;
  connection_id: ConnectionId;
  key: string;
  directory: Partial<DirectorySettings>;
  credential_id: CredentialId;
  unmarked: boolean;
};

/** `unmarked`: its last use lies a minute back. */
export type FoundDirectory = { readonly directory: Directory; readonly unmarked: boolean };

export function foundDirectory(row: FoundRow): FoundDirectory {
  return {
    directory: {
      tenantId: row.tenant_id,
      tenant: row.slug,
      connectionId: row.connection_id,
      connectionKey: row.key,
      credentialId: row.credential_id,
      settings: { ...defaultDirectorySettings, ...row.directory },
    },
    unmarked: row.unmarked,
  };
}

const NOBODY = Buffer.alloc(32);

/**
 * The directory that a token opens at an address, or undefined: no such tenant, connection, token, or one that may not be used,
 * all the same. The comparison takes the same time whatever is wrong (T52).
 */
export async function findCredential(
  query: Query,
  at: { readonly tenant: string; readonly connection: string },
  parts: TokenParts,
): Promise<FoundDirectory | undefined> {
  const [row] = await query.run<FoundRow & { secret_hash: Buffer }>(FIND, [at.tenant, at.connection, parts.prefix]);
  const same = timingSafeEqual(Buffer.from(parts.secretHash, 'hex'), row?.secret_hash ?? NOBODY);
  return row === undefined || !same ? undefined : foundDirectory(row);
}

/** Notes that a credential was used, and from which address; at most once a minute, so that requests do not wait for one row. */
export async function markUsed(tx: TenantTx, credentialId: CredentialId, source: string | null): Promise<void> {
  await tx.run(
    {
      name: 'scim_credential_used',
      text: `update scim_credentials set last_used_at = now(), last_used_from = $3 where tenant_id = $1 and credential_id = $2
  and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    },
    [tx.tenantId, credentialId, source],
  );
}

export type CredentialFacts = {
  readonly connectionId: ConnectionId;
  readonly scim: boolean;
  readonly live: number;
  /** Tokens for doctors' visits, which `live` does not count. */
  readonly doctors: number;
};

/** A token of a directory, or its OAuth client. */
export type CredentialKind = 'token' | 'client';

/** The open connection of a key, its row locked: two credentials made at once must both be counted. `live` are those of the kind. */
export async function lockConnection(
  tx: TenantTx,
  connectionKey: string,
  kind: CredentialKind,
): Promise<CredentialFacts | undefined> {
  const [row] = await tx.run<{ connection_id: ConnectionId; scim: boolean }>(
    {
      name: null,
      text: `select connection_id, scim from connections where tenant_id = $1 and key = $2 and ended_at is null for update`,
    },
    [tx.tenantId, connectionKey],
  );
  if (row === undefined) return undefined;
  const live = await tx.run<{ doctor: boolean }>(
    {
      name: null,
      text: `select k.prefix like '${DOCTOR}%' as doctor from scim_credentials k
where k.tenant_id = $1 and k.connection_id = $2 and k.kind = $3 and ${USABLE}`,
    },
    [tx.tenantId, row.connection_id, kind],
  );
  const doctors = live.filter(({ doctor }) => doctor).length;
  return { connectionId: row.connection_id, scim: row.scim, live: live.length - doctors, doctors };
}

export type ScimCredential = {
  readonly credentialId: CredentialId;
  readonly connectionKey: string;
  readonly prefix: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly lastUsedAt: Instant | null;
  /** Address that it was last used from, as of `lastUsedAt`. */
  readonly lastUsedFrom: string | null;
  readonly live: boolean;
};

/** The open credentials of a kind of a tenant, or of one connection; expired ones included. */
export async function listCredentials(
  tx: TenantTx,
  kind: CredentialKind,
  connectionId: ConnectionId | null = null,
): Promise<readonly ScimCredential[]> {
  return tx.run<ScimCredential>(
    {
      name: null,
      text: `
select k.credential_id as "credentialId", c.key as "connectionKey", k.prefix, ${instant('k.created_at')} as "createdAt",
  ${instant('k.expires_at')} as "expiresAt", ${instant('k.last_used_at')} as "lastUsedAt",
  k.last_used_from as "lastUsedFrom", k.expires_at is null or k.expires_at > now() as live
from scim_credentials k join connections c on c.tenant_id = k.tenant_id and c.connection_id = k.connection_id
where k.tenant_id = $1 and k.kind = $2 and k.ended_at is null and ($3::uuid is null or k.connection_id = $3) order by c.key, k.created_at limit 1000`,
    },
    [tx.tenantId, kind, connectionId],
  );
}

/** An open credential's connection, or undefined. */
export async function findOpenCredential(
  tx: TenantTx,
  credentialId: CredentialId,
  kind: CredentialKind,
): Promise<ConnectionId | undefined> {
  const [row] = await tx.run<{ connection_id: ConnectionId }>(
    {
      name: null,
      text: `select connection_id from scim_credentials where tenant_id = $1 and credential_id = $2 and kind = $3 and ended_at is null for update`,
    },
    [tx.tenantId, credentialId, kind],
  );
  return row?.connection_id;
}
