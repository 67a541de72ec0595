// A doctor's visit to a directory: a token of its own for a quarter of an hour, and everything put away at the end.

import type { Context } from '../context.ts';
import { done } from '../core/change.ts';
import { activeUsersThatCount, doctorDomain, guardAllows, isSpokenOf } from '../core/directory-doctor.ts';
import type { BlastGuard } from '../core/directory-settings.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { type ConnectionId, type CredentialId, type Instant, isUuid } from '../core/ids.ts';
import { apply } from '../store/apply.ts';
import { recordEvents } from '../store/audit-events.ts';
import { countActiveUsers, countLatelyTouched } from '../store/blast-guard.ts';
import { readConfigInForce } from '../store/config-in-force.ts';
import { endVisitors } from '../store/doctor-visits.ts';
import { lockConnection, newDoctorToken } from '../store/scim-credentials.ts';
import { endScimCredential } from './end-scim-credential.ts';
import { unknownConnection } from './name-tenant.ts';
import { showDirectory } from './read-directories.ts';
import type { TenantRef } from './standing.ts';

/** Whoever is killed in the middle of a visit leaves no key for longer. */
const TOKEN_LIVES_MS = 15 * 60_000;
const AT_ONCE = 2;

export type DoctorVisit = {
  readonly kind: 'begun';
  readonly connectionId: ConnectionId;
  readonly credentialId: CredentialId;
  readonly token: string;
  readonly held: boolean;
  readonly pausedAt: Instant | null;
  readonly requestsPerSecond: number | null;
  /** Null: there is none, or it leaves room for all whom the visit will touch. */
  readonly guardInTheWay: BlastGuard | null;
  /** Whether a rule speaks of a group of that name. */
  readonly isSpokenOf: (displayName: string) => boolean;
};

/**
 * Begins a visit that will touch `people` of its own making: a token beside those of the directory, which ends with the visit or after
 * a quarter of an hour. Refuses `unknown_connection`, and (`invalid`) a connection that is switched off, or two visits at once.
 */
export async function beginDoctorVisit(
  ctx: Context,
  tenant: TenantRef,
  connection: string,
  people: number,
): Promise<DoctorVisit | Refusal> {
  const directory = await showDirectory(ctx, tenant, connection);
  if ('kind' in directory) return directory;
  if (!directory.enabled)
    return refused(
      'invalid',
      `The connection ${connection} of ${tenant.slug} is switched off: its directory answers nobody.`,
    );
  const tx = ctx.hot(tenant.tenantId);
  const { connectionId, held, pausedAt, settings } = directory;
  const { guard, requestsPerSecond } = settings;
  const rules = (await readConfigInForce(tx))?.rules ?? [];
  let guardInTheWay: BlastGuard | null = null;
  if (guard !== null) {
    const touched = await countLatelyTouched(tx, connectionId, guard.minutes);
    const active = await countActiveUsers(tx, connectionId, activeUsersThatCount(guard, touched, people));
    if (!guardAllows(guard, touched, people, active)) guardInTheWay = guard;
  }
  const made = await createToken(ctx, tenant, connection);
  if (made.kind === 'refused') return made;
  return {
    ...made,
    kind: 'begun',
    connectionId,
    held,
    pausedAt,
    requestsPerSecond,
    guardInTheWay,
    isSpokenOf: (name) => isSpokenOf(rules, connectionId, name),
  };
}

function createToken(
  ctx: Context,
  tenant: TenantRef,
  connectionKey: string,
): Promise<{ readonly kind: 'made'; readonly credentialId: CredentialId; readonly token: string } | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const connection = await lockConnection(tx, connectionKey, 'token');
    if (connection === undefined || !connection.scim) return unknownConnection(tenant, connectionKey);
    if (connection.doctors >= AT_ONCE)
      return refused(
        'invalid',
        'Two doctors are at this directory, or were stopped there within the last quarter of an hour. Try again later.',
      );
    const { connectionId } = connection;
    const { token, prefix, secretHash } = newDoctorToken();
    const credentialId = ctx.newId<CredentialId>();
    const expiresAt = (ctx.now() + TOKEN_LIVES_MS) as Instant;
    const by = ctx.caller.actor;
    await apply(ctx, tx, {
      changes: [{ kind: 'create_scim_credential', credentialId, connectionId, prefix, secretHash, expiresAt, by }],
      events: [
        done('scim_credential.created', 'connection', connectionId, { credentialId, prefix, expiresAt, for: 'doctor' }),
      ],
    });
    return { kind: 'made', credentialId, token };
  });
}

/**
 * Ends a visit: the people whom it made, of those directory users, and its token. Ends nobody else, whatever `directoryUserIds` says.
 * How many people ended.
 */
export async function endDoctorVisit(
  ctx: Context,
  tenant: TenantRef,
  { connectionId, credentialId }: Pick<DoctorVisit, 'connectionId' | 'credentialId'>,
  directoryUserIds: readonly string[],
): Promise<{ readonly people: number }> {
  const people = await ctx.transaction(tenant.tenantId, async (tx) => {
    const ended = await endVisitors(tx, connectionId, credentialId, directoryUserIds.filter(isUuid), doctorDomain);
    if (ended > 0)
      await recordEvents(ctx, tx, [
        done('connection.examined', 'connection', connectionId, { credentialId, peopleEnded: ended }),
      ]);
    return ended;
  });
  await endScimCredential(ctx, tenant, credentialId);
  return { people };
}
