// What a paused directory asked for, person by person, if it were done.

import type { Context, TenantTx } from '../context.ts';
import type { AccessState, EffectiveRole } from '../core/access.ts';
import { type Harm, subjectAfter } from '../core/blast-guard.ts';
import { compareTexts } from '../core/canonical.ts';
import { type AuditEvent, done } from '../core/change.ts';
import type { AccessView } from '../core/config-change.ts';
import { barsByLeaving, isProtected } from '../core/directory.ts';
import type { Refusal } from '../core/errors.ts';
import type { ConnectionId, DirectoryGroupId, UserId } from '../core/ids.ts';
import { accessDifference, accessUnder, asItIs, differenceText, type SubjectRecord } from '../core/plan-access.ts';
import { currentConfig } from '../store/config-in-force.ts';
import { allowLongStatements } from '../store/config-lock.ts';
import { isLastOwner } from '../store/people.ts';
import { readPlanSubjects } from '../store/plan-subjects.ts';
import {
  type ActCounts,
  type DirectoryState,
  readActs,
  readAdministrators,
  readDirectoryState,
  readGroupNames,
  readGroupsToEnd,
  readHarms,
} from '../store/resume-directory.ts';
import { unknownConnection } from './name-tenant.ts';
import type { TenantRef } from './standing.ts';

/** What comes of a person, in the order in which people are told: `kept` stays in though the directory asked them out. */
export const fates = ['removed', 'deactivated', 'kept', 'loses_roles', 'loses_none'] as const;
export type Fate = (typeof fates)[number];

/** What resuming does to one person. */
export type ResumedPerson = {
  readonly id: UserId;
  readonly name: string;
  readonly fate: Fate;
  /** The directory has them active no more, whether it deactivates or removes them. */
  readonly deactivated: boolean;
  /** Names of the groups that they leave. */
  readonly leaves: readonly string[];
  /** Names of the groups that leave their rules, once the directory sends that again. */
  readonly unmapped: readonly string[];
  /** A push takes something from them, once it is sent again. */
  readonly touched: boolean;
  /** They stay active: an administrator whom the directory did not make, or the last owner of a tenant. */
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
  readonly enabled: boolean;
  readonly held: boolean;
  readonly acts: ActCounts;
  /** Groups that would end, by name; {@link MOST_GROUPS} at most. */
  readonly groupsEnding: readonly string[];
  /** By what comes of them, then by name. Only the first 20,000 are told; the digest covers all. */
  readonly people: readonly ResumedPerson[];
  readonly counts: {
    readonly people: number;
    /** Whatever else comes of them. */
    readonly losing: number;
    readonly fates: Readonly<Record<Fate, number>>;
  };
};

const MOST_TOLD = 20_000;
const MOST_GROUPS = 1_000;
const CHUNK = 1_000;

export type DirectoryStanding =
  | ResumePlan
  | { readonly kind: 'not_paused'; readonly enabled: boolean; readonly held: boolean };

/**
 * How a directory stands: paused, then with who would be deactivated or leave a group if what it asked for were done, and the roles
 * that they would lose; or not. Changes nothing. Refuses `unknown_connection`.
 */
export function planResume(ctx: Context, tenant: TenantRef, connection: string): Promise<DirectoryStanding | Refusal> {
  return ctx.transaction(tenant.tenantId, async (tx) => {
    await allowLongStatements(tx);
    const state = await readDirectoryState(tx, connection);
    if (state === undefined) return unknownConnection(tenant, connection);
    if (state.paused === null) return { kind: 'not_paused', enabled: state.enabled, held: state.held };
    return (await deriveResume(ctx, tx, tenant, { ...state, paused: state.paused })).plan;
  });
}

/** A directory as it stands while it is paused. */
export type Paused = DirectoryState & { readonly paused: NonNullable<DirectoryState['paused']> };

/** A plan with what doing it needs beside. */
export type Derived = {
  readonly plan: ResumePlan;
  readonly kept: ReadonlyMap<UserId, 'protected_user' | 'last_owner'>;
  /** What changes for each person whose roles do, for the audit trail. */
  readonly losses: readonly AuditEvent[];
};

/** What the acts recorded now would come to, whom they leave in, and what is written of it. */
export async function deriveResume(ctx: Context, tx: TenantTx, tenant: TenantRef, state: Paused): Promise<Derived> {
  const { connectionId, paused, enabled, held, guard } = state;
  const view = await viewOf(tx);
  const { counts: acts, hash } = await readActs(tx, connectionId);
  const groupsEnding = await readGroupsToEnd(tx, connectionId, MOST_GROUPS);
  const harms = await readHarms(tx, connectionId);
  const kept = await keptOf(tx, connectionId, harms);
  const names = await readGroupNames(tx, [...new Set(harms.flatMap((harm) => [...harm.groups, ...harm.unmapped]))]);
  let people: ResumedPerson[] = [];
  const losses: AuditEvent[] = [];
  let digest = ctx.keyHash(`${connectionId}\n${hash}`);
  let losing = 0;
  const counted: Record<Fate, number> = { removed: 0, deactivated: 0, kept: 0, loses_roles: 0, loses_none: 0 };
  for (const chunk of chunks(harms)) {
    const byId = new Map<string, Harm>(chunk.map((harm) => [harm.userId, harm]));
    for await (const subjects of readPlanSubjects(tx, [...byId.keys()] as UserId[])) {
      for (const subject of subjects) {
        const asked = byId.get(subject.subjectId);
        if (asked === undefined) continue;
        const reason = kept.get(asked.userId) ?? null;
        const harm = reason === null ? asked : { ...asked, deactivated: false, removed: false };
        const seen = personAfter(tenant, view, connectionId, subject, harm);
        digest = ctx.keyHash(`${digest}\n${asked.userId} ${reason} ${seen.text}`);
        const fate = fateOf(harm, reason, seen.loses);
        counted[fate] += 1;
        if (seen.loses.length > 0) losing += 1;
        // What has to be sent again is told by the audit trail when it is done.
        const now =
          harm.unmapped.length === 0
            ? seen
            : personAfter(tenant, view, connectionId, subject, { ...harm, unmapped: [] });
        if (now.loses.length > 0) losses.push(lossEvent(subject, now.loses));
        people.push({ fate, ...toldOf(subject, harm, names, reason), ...seen.access });
      }
    }
    if (people.length > 2 * MOST_TOLD) people = firstTold(people);
  }
  const plan: ResumePlan = {
    kind: 'paused',
    digest: digest.slice(0, 32),
    state: paused,
    guard,
    enabled,
    held,
    acts,
    groupsEnding,
    people: firstTold(people),
    counts: { people: harms.length, losing, fates: counted },
  };
  return { plan, kept, losses };
}

/** Those that are told, in the order of telling. */
function firstTold(people: readonly ResumedPerson[]): ResumedPerson[] {
  const keyed = people.map((person) => [fates.indexOf(person.fate), person.name, person.id, person] as const);
  keyed.sort((a, b) => a[0] - b[0] || compareTexts(a[1], b[1]) || compareTexts(a[2], b[2]));
  return keyed.slice(0, MOST_TOLD).map(([, , , person]) => person);
}

function fateOf(harm: Harm, kept: ResumedPerson['kept'], loses: readonly EffectiveRole[]): Fate {
  if (harm.removed) return 'removed';
  if (harm.deactivated) return 'deactivated';
  if (kept !== null) return 'kept';
  return loses.length > 0 ? 'loses_roles' : 'loses_none';
}

function toldOf(
  subject: SubjectRecord,
  harm: Harm,
  names: ReadonlyMap<DirectoryGroupId, string>,
  kept: ResumedPerson['kept'],
): Omit<ResumedPerson, 'fate' | 'before' | 'after' | 'loses'> {
  const { userId: id, deactivated, touched } = harm;
  const named = (groups: readonly DirectoryGroupId[]) => groups.map((group) => names.get(group) ?? group).sort();
  return {
    id,
    name: subject.name,
    deactivated,
    leaves: named(harm.groups),
    unmapped: named(harm.unmapped),
    touched,
    kept,
  };
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
  const difference = accessDifference(tenant.slug, subject, before, after, false);
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
      if (isProtected(row)) {
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
  const config = await currentConfig(tx);
  if (config === undefined) throw new Error('the tenant of an open connection is gone');
  const { settings: policy, roles, rules, connections } = config;
  return { active: true, policy, roles, rules, connections };
}

/** In pieces of a thousand: as many as one statement takes. */
export function chunks<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / CHUNK) }, (_, at) => list.slice(at * CHUNK, (at + 1) * CHUNK));
}
