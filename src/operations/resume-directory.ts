// A paused directory before an administrator: doing what it asked for, or forgetting it.

import type { Context, TenantTx } from '../context.ts';
import { type AuditEvent, denied, done } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { apply } from '../store/apply.ts';
import { recordEvents } from '../store/audit-events.ts';
import { lockGuard, rememberApproved } from '../store/blast-guard.ts';
import { allowLongStatements } from '../store/config-lock.ts';
import { lockSubjects } from '../store/directory-user-sets.ts';
import { endSessionsOfMany } from '../store/end-sessions.ts';
import {
  type ActCounts,
  type DoneToUser,
  deactivateRecorded,
  endRecordedGroups,
  leaveRecorded,
  readActs,
  readDirectoryState,
  readHarms,
  removeRecorded,
} from '../store/resume-directory.ts';
import { unknownConnection } from './name-tenant.ts';
import { chunks, deriveResume, type Paused } from './plan-resume.ts';
import type { TenantRef } from './standing.ts';

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
 * counts anew, but for whom the plan named by what has to be sent again. Only if that is exactly what `digest` names, else `stale_plan`.
 * It takes and gives nothing: nobody's suspension, grant or Is Active is touched, administrators whom the directory did not make stay,
 * and so does the last owner of a tenant.
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
    const { plan, kept, losses } = await deriveResume(ctx, tx, tenant, state);
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
      ...losses,
      done('directory.resumed', 'connection', connectionId, { ...by, ...outcome }),
    ];
    for (const chunk of chunks(events)) await recordEvents(ctx, tx, chunk);
    await apply(ctx, tx, { changes: [{ kind: 'unpause_directory', connectionId, approved: true }], events: [] });
    // What has to be sent again would cross the line once more. What is done by now is not sent again: whoever lost no more than a group
    // by it is counted like anybody else.
    const again = harms.filter((harm) => harm.touched || harm.unmapped.length > 0).map((harm) => harm.userId);
    for (const chunk of chunks(again)) await rememberApproved(tx, connectionId, chunk);
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
      changes: [{ kind: 'unpause_directory', connectionId, approved: false }],
      events: [done('directory.discarded', 'connection', connectionId, { connection, acts })],
    });
    return { kind: 'discarded', acts } as const;
  });
}

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
