// A paused directory before an administrator: what it asked for, doing it, or forgetting it.

import type { Context, TenantTx } from '../context.ts';
import type { AccessState, EffectiveRole } from '../core/access.ts';
import { type Harm, subjectAfter } from '../core/blast-guard.ts';
import { type AuditEvent, denied, done } from '../core/change.ts';
import type { AccessView } from '../core/config-change.ts';
import { barsByLeaving, isProtected } from '../core/directory.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { ConnectionId, DirectoryGroupId, UserId } from '../core/ids.ts';
import { accessDifference, accessUnder, asItIs, differenceText, type SubjectRecord } from '../core/plan-access.ts';
import { apply, recordEvents } from '../store/apply.ts';
import { lockGuard } from '../store/blast-guard.ts';
import { configInForce } from '../store/config-in-force.ts';
import { allowLongStatements } from '../store/config-lock.ts';
import { endSessionsOfMany } from '../store/end-sessions.ts';
import { isLastOwner } from '../store/people.ts';
import { readPlanSubjects } from '../store/plan-subjects.ts';
import {
  type ActCounts,
  type DirectoryState,
  type DoneToUser,
  deactivateRecorded,
  endRecordedGroups,
  leaveRecorded,
  lockSubjects,
  readActs,
  readAdministrators,
  readDirectoryState,
  readGroupNames,
  readHarms,
  removeRecorded,
} from '../store/resume-directory.ts';
import { readConfigVersion } from '../store/sign-in-facts.ts';
import type { TenantRef } from './standing.ts';

/** What resuming does to one person. */
export type ResumedPerson = {
  readonly id: UserId;
  readonly name: string;
  readonly deactivated: boolean;
  /** Names of the groups that they leave. */
  readonly leaves: readonly string[];
  /** They stay active: an administrator whom the directory did not make, or the last owner. */
  readonly kept: 'protected_user' | 'last_owner' | null;
  readonly before: AccessState;
  readonly after: AccessState;
  readonly loses: readonly EffectiveRole[];
};

export type ResumePlan = {
  readonly kind: 'paused';
  /** Names what is recorded and what doing it does to every person. 32 hexadecimal digits. */
  readonly digest: string;
  readonly state: NonNullable<DirectoryState['paused']>;
  /** The lines in force now; null where the file has none any more. */
  readonly guard: DirectoryState['guard'];
  readonly held: boolean;
  readonly acts: ActCounts;
  /** Only the first 20,000 are told; the digest covers all. */
  readonly people: readonly ResumedPerson[];
  readonly counts: { readonly people: number; readonly losing: number };
};

const MOST_TOLD = 20_000;
const CHUNK = 1_000;

export type DirectoryStanding = ResumePlan | { readonly kind: 'not_paused'; readonly held: boolean };

/**
 * How a directory stands: paused, then with who would be deactivated or leave a group if what it asked for were done, and the roles
 * that they would lose; or not. Changes nothing. Refuses `unknown_connection`.
 */
export function planResume(ctx: Context, tenant: TenantRef, connection: string): Promise<DirectoryStanding | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    await allowLongStatements(tx);
    const state = await readDirectoryState(tx, connection);
    if (state === undefined) return unknownConnection(tenant, connection);
    if (state.paused === null) return { kind: 'not_paused', held: state.held };
    return (await derive(ctx, tx, tenant, { ...state, paused: state.paused })).plan;
  });
}

export type ResumeOutcome =
  | {
      readonly kind: 'resumed';
      readonly deactivated: number;
      readonly removed: number;
      readonly left: number;
      readonly groupsEnded: number;
      readonly kept: number;
    }
  | Refusal;

/**
 * Does what the paused directory asked for, as facts of its own that an administrator approved, and takes its pushes again; the guard
 * counts anew. Only if that is exactly what `digest` names, else `stale_plan`. It takes and gives nothing: nobody's suspension, grant
 * or Is Active is touched, administrators whom the directory did not make stay, and so does the last owner.
 */
export function resumeDirectory(
  ctx: Context,
  tenant: TenantRef,
  connection: string,
  digest: string,
): Promise<ResumeOutcome> {
  return ctx.transaction(tenant.tenantId, async (tx): Promise<ResumeOutcome> => {
    await allowLongStatements(tx);
    const state = await lockPaused(tx, tenant, connection);
    if ('code' in state) return state;
    const { connectionId } = state;
    const harms = await readHarms(tx, connectionId);
    const leaving = harms.filter((harm) => harm.deactivated).map((harm) => harm.userId);
    await lockSubjects(tx, leaving);
    const { plan, kept, text } = await derive(ctx, tx, tenant, state);
    if (plan.digest !== digest) {
      await recordEvents(ctx, tx, [denied('directory.resume', 'connection', connectionId, 'stale_plan', { digest })]);
      return refused(
        'stale_plan',
        'The plan is out of date: something changed since. Plan again, read it, and resume by that digest.',
      );
    }
    const keptIds = [...kept.keys()];
    const deactivated = await deactivateRecorded(tx, connectionId, keptIds);
    const removed = await removeRecorded(tx, connectionId, keptIds);
    const left = await leaveRecorded(tx, connectionId);
    const ended = await endRecordedGroups(tx, connectionId);
    const out = [...deactivated, ...removed].filter((one) => one.barred).map((one) => one.userId);
    for (const chunk of chunks(out)) await endSessionsOfMany(tx, chunk, []);
    const by = { connection, digest };
    const user = (kind: string) => (one: DoneToUser) =>
      done(kind, 'user', one.userId, { directoryUserId: one.directoryUserId, barred: one.barred, ...by });
    const outcome = {
      deactivated: deactivated.length,
      removed: removed.length,
      left: left.reduce((sum, group) => sum + group.removed, 0),
      groupsEnded: ended.length,
      kept: kept.size,
    };
    const events: AuditEvent[] = [
      ...deactivated.map(user('user.directory_deactivated')),
      ...removed.map(user('user.removed')),
      ...left.map(({ groupId, removed: count, removedIds }) =>
        done('group.members_changed', 'group', groupId, { added: 0, removed: count, removedIds, ...by }),
      ),
      ...ended.map(({ groupId, displayName }) => done('group.removed', 'group', groupId, { displayName, ...by })),
      ...[...kept].map(([userId, reason]) => denied('user.update', 'user', userId, reason, by)),
      ...text,
      done('directory.resumed', 'connection', connectionId, { ...by, ...outcome }),
    ];
    for (const chunk of chunks(events)) await recordEvents(ctx, tx, chunk);
    await apply(ctx, tx, { changes: [{ kind: 'unpause_directory', connectionId }], events: [] });
    return { kind: 'resumed', ...outcome };
  });
}

/** Forgets what the paused directory asked for, and takes its pushes again; the guard counts anew. Nobody's access changes. */
export function discardPaused(
  ctx: Context,
  tenant: TenantRef,
  connection: string,
): Promise<{ readonly kind: 'discarded'; readonly acts: ActCounts } | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const state = await lockPaused(tx, tenant, connection);
    if ('code' in state) return state;
    const { connectionId } = state;
    const { counts: acts } = await readActs(tx, connectionId);
    await apply(ctx, tx, {
      changes: [{ kind: 'unpause_directory', connectionId }],
      events: [done('directory.discarded', 'connection', connectionId, { connection, acts })],
    });
    return { kind: 'discarded', acts } as const;
  });
}

type Paused = DirectoryState & { readonly paused: NonNullable<DirectoryState['paused']> };

/** Under the lock that every write of the directory that takes something waits for. */
async function lockPaused(tx: TenantTx, tenant: TenantRef, connection: string): Promise<Paused | Refusal> {
  const found = await readDirectoryState(tx, connection);
  if (found === undefined) return unknownConnection(tenant, connection);
  await lockGuard(tx, found.connectionId);
  const state = await readDirectoryState(tx, connection);
  if (state === undefined || state.paused === null)
    return refused('invalid', `The directory ${connection} of ${tenant.slug} is not paused.`);
  return { ...state, paused: state.paused };
}

function unknownConnection(tenant: TenantRef, connection: string): Refusal {
  const message = `There is no connection ${JSON.stringify(connection)} with SCIM in ${tenant.slug}.`;
  return refused('unknown_connection', message);
}

type Derived = {
  readonly plan: ResumePlan;
  readonly kept: ReadonlyMap<UserId, 'protected_user' | 'last_owner'>;
  /** What changes for each person whose roles do, for the audit trail. */
  readonly text: readonly AuditEvent[];
};

async function derive(ctx: Context, tx: TenantTx, tenant: TenantRef, state: Paused): Promise<Derived> {
  const { connectionId, paused, held, guard } = state;
  const view = await viewOf(tx);
  const { counts: acts, hash } = await readActs(tx, connectionId);
  const harms = await readHarms(tx, connectionId);
  const kept = await keptOf(tx, connectionId, harms);
  const names = await readGroupNames(tx, [...new Set(harms.flatMap((harm) => harm.groups))]);
  const people: ResumedPerson[] = [];
  const text: AuditEvent[] = [];
  let digest = ctx.keyHash(`${connectionId}\n${hash}`);
  let losing = 0;
  for (const chunk of chunks(harms)) {
    const byId = new Map<string, Harm>(chunk.map((harm) => [harm.userId, harm]));
    for await (const subjects of readPlanSubjects(tx, [...byId.keys()] as UserId[])) {
      for (const subject of subjects) {
        const asked = byId.get(subject.subjectId);
        if (asked === undefined) continue;
        const reason = kept.get(asked.userId) ?? null;
        const harm = reason === null ? asked : { ...asked, deactivated: false };
        const seen = personAfter(tenant, view, connectionId, subject, harm);
        digest = ctx.keyHash(`${digest}\n${asked.userId} ${reason} ${seen.text}`);
        if (seen.loses.length > 0) losing += 1;
        if (seen.loses.length > 0) text.push(lossEvent(subject, seen.loses));
        if (people.length < MOST_TOLD) people.push({ ...toldOf(subject, harm, names, reason), ...seen.access });
      }
    }
  }
  const plan: ResumePlan = {
    kind: 'paused',
    digest: digest.slice(0, 32),
    state: paused,
    guard,
    held,
    acts,
    people,
    counts: { people: harms.length, losing },
  };
  return { plan, kept, text };
}

function toldOf(
  subject: SubjectRecord,
  harm: Harm,
  names: ReadonlyMap<DirectoryGroupId, string>,
  kept: ResumedPerson['kept'],
): Pick<ResumedPerson, 'id' | 'name' | 'deactivated' | 'leaves' | 'kept'> {
  const leaves = harm.groups.map((id) => names.get(id) ?? id).sort();
  return { id: harm.userId, name: subject.name, deactivated: harm.deactivated, leaves, kept };
}

function lossEvent(subject: SubjectRecord, loses: readonly EffectiveRole[]): AuditEvent {
  return done('access.changed', subject.kind, subject.subjectId, { gains: [], loses: loses.map((role) => role.role) });
}

function personAfter(
  tenant: TenantRef,
  view: AccessView,
  connectionId: ConnectionId,
  subject: SubjectRecord,
  harm: Harm,
): {
  readonly access: Pick<ResumedPerson, 'before' | 'after' | 'loses'>;
  readonly loses: readonly EffectiveRole[];
  readonly text: string;
} {
  const before = accessUnder(subject, view, asItIs);
  const after = accessUnder(subjectAfter(subject, connectionId, harm), view, asItIs);
  const difference = accessDifference(tenant.slug, subject, before, after);
  const loses = difference?.loses ?? [];
  const text = difference === null ? `${before.state} ${after.state}` : differenceText(difference);
  return { access: { before: before.state, after: after.state, loses }, loses, text };
}

/** Whom even an approved act leaves in: asked once more, since rights may have been given meanwhile. */
async function keptOf(
  tx: TenantTx,
  connectionId: ConnectionId,
  harms: readonly Harm[],
): Promise<ReadonlyMap<UserId, 'protected_user' | 'last_owner'>> {
  const kept = new Map<UserId, 'protected_user' | 'last_owner'>();
  const leaving = harms.filter((harm) => harm.deactivated).map((harm) => harm.userId);
  // Of the last two owners, both in the record, one stays.
  const barred: UserId[] = [];
  for (const chunk of chunks(leaving)) {
    for (const row of await readAdministrators(tx, connectionId, chunk)) {
      if (isProtected({ ...row, lastOwner: false })) {
        kept.set(row.userId, 'protected_user');
      } else if (
        row.directoryUsers.some((one) => one.connectionId === connectionId && barsByLeaving(row, one.directoryUserId))
      ) {
        if (await isLastOwner(tx, row.userId, barred)) kept.set(row.userId, 'last_owner');
        else barred.push(row.userId);
      }
    }
  }
  return kept;
}

async function viewOf(tx: TenantTx): Promise<AccessView> {
  const version = await readConfigVersion(tx);
  if (version === undefined) throw new Error('the tenant of an open connection is gone');
  const { settings: policy, roles, rules, connections } = await configInForce(tx, version);
  return { active: true, policy, roles, rules, connections };
}

function chunks<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / CHUNK) }, (_, at) => list.slice(at * CHUNK, (at + 1) * CHUNK));
}
