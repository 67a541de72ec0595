// What the commands for tokens of directories and those for their OAuth clients have in common.

import type { Instant } from '../core/ids.ts';
import { type CliWorld, required, tenantOf, type Values } from './command.ts';
import { lifeOf } from './duration.ts';
import { iso, minute } from './time.ts';

export const newCredentialOptions = {
  tenant: { type: 'string' },
  connection: { type: 'string' },
  days: { type: 'string' },
  expires: { type: 'string' },
} as const;

/** For which directory a credential is to be made, and until when. */
export async function newCredential(world: CliWorld, values: Values) {
  const tenant = await tenantOf(world, values);
  const connection = required(values, 'connection');
  const until = (world.context.now() + lifeOf(values)) as Instant;
  const url = `${world.settings.publicUrl}/scim/v2/${tenant.slug}/${connection}`;
  return { tenant, connection, until, url, expiresAt: new Date(until).toISOString() };
}

type Listed = {
  readonly connectionKey: string;
  readonly live: boolean;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant | null;
  readonly expiresAt: Instant | null;
};

/** Until when, in a table. */
export function untilCell({ live, expiresAt }: Listed): string {
  return live ? minute(expiresAt) : `${minute(expiresAt)} (expired)`;
}

/** What programs are told of a credential, beside what names it. */
export function credentialJson({ connectionKey, live, createdAt, lastUsedAt, expiresAt }: Listed) {
  return {
    connection: connectionKey,
    live,
    createdAt: iso(createdAt),
    lastUsedAt: iso(lastUsedAt),
    expiresAt: iso(expiresAt),
  };
}
