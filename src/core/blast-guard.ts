// How much a directory may take from people at once, and what it comes to when what it asked for is done. Facts in, answers out.

import type { Change, Decision } from './change.ts';
import { denied, done } from './change.ts';
import type { BlastGuard } from './directory-settings.ts';
import { type Refusal, refused } from './errors.ts';
import type { ConnectionId, DirectoryGroupId, TenantSlug, UserId } from './ids.ts';
import { type GroupRef, type MappingRule, ruleMatches } from './mapping.ts';
import type { SubjectRecord } from './plan-access.ts';
import type { Email } from './profile.ts';

/** In a smaller directory a share is no measure: one leaver of four is a quarter. There the number of people counts alone. */
const smallestShared = 20;

export type Line = 'people' | 'percent';

/**
 * The line that a directory crosses by having touched so many different people within its guard's minutes, or null. `activeUsers`
 * are those whom it had active before it began; from as many on as {@link activeUsersThatMatter} the answer is the same.
 */
export function crossedLine(guard: BlastGuard, people: number, activeUsers: number): Line | null {
  if (people > guard.people) return 'people';
  return activeUsers >= smallestShared && people * 100 > activeUsers * guard.percent ? 'percent' : null;
}

/** With this many active users, or more, so many people are no crossing of the guard's share. */
export function activeUsersThatMatter(guard: BlastGuard, people: number): number {
  return Math.max(smallestShared, Math.ceil((people * 100) / guard.percent));
}

type Mapped = { readonly connectionId: ConnectionId; readonly held: boolean };
type MappedGroup = {
  readonly groupId: DirectoryGroupId;
  readonly externalId: string | null;
  readonly displayName: string;
};

/** Whether leaving the group could take a role from anybody. A held directory's groups give none. */
export function isMapped(rules: readonly MappingRule[], directory: Mapped, group: MappedGroup): boolean {
  return mappings(rules, directory, group).length > 0;
}

/** Whether a rule that goes by the group's externalId loses it: for its members that is as much as leaving it. */
export function losesMapping(
  rules: readonly MappingRule[],
  directory: Mapped,
  from: MappedGroup,
  to: Pick<MappedGroup, 'externalId'>,
): boolean {
  const kept = mappings(rules, directory, { ...from, ...to });
  return mappings(rules, directory, from).some((rule) => !kept.includes(rule));
}

function mappings(rules: readonly MappingRule[], directory: Mapped, group: MappedGroup): readonly MappingRule[] {
  if (directory.held) return [];
  const { groupId, externalId, displayName } = group;
  const { connectionId } = directory;
  const ref = { kind: 'directory', groupId, connectionId, externalId, displayName } as const;
  return rules.filter((rule) => ruleMatches(rule, ref));
}

/** Every write of a paused directory is answered so, and the identity provider tries again (T58). */
export function refusePaused(): Refusal {
  return refused(
    'directory_paused',
    'This directory is paused, because it would take access from more people at once than its guard allows. An administrator of the tenant has to resume it or discard what it asked for. Nothing of this request was done; send it again later.',
  );
}

export type PauseFacts = {
  readonly tenant: TenantSlug;
  readonly connectionId: ConnectionId;
  readonly connectionKey: string;
  readonly guard: BlastGuard;
  readonly line: Line;
  readonly people: number;
  readonly administrators: readonly Email[];
};

/** Pauses a directory by the request that would cross its line, and tells the administrators. */
export function decidePause(facts: PauseFacts): Decision<Refusal> {
  const { tenant, connectionId, connectionKey: connection, guard, line, people } = facts;
  const mails = facts.administrators.map((to): Change => {
    const mail = { template: 'directory_paused', to, tenant, connection, line, people, guard } as const;
    return { kind: 'send_mail', mail };
  });
  return {
    outcome: refusePaused(),
    changes: [{ kind: 'pause_directory', connectionId, line, people }, ...mails],
    events: [
      denied('directory.write', 'connection', connectionId, 'guard', { line, people }),
      done('directory.paused', 'connection', connectionId, { connection, line, people, guard }, 'alert'),
    ],
  };
}

/** What the recorded acts of a directory do to one person. */
export type Harm = {
  readonly userId: UserId;
  /** The directory has them active no more. */
  readonly deactivated: boolean;
  /** It is so because they are removed. */
  readonly removed: boolean;
  /** Groups that they leave. */
  readonly groups: readonly DirectoryGroupId[];
  /** Groups that leave their rules, once the directory sends that again. */
  readonly unmapped: readonly DirectoryGroupId[];
  /** A push takes something from them, once it is sent again; what is not recorded. */
  readonly touched: boolean;
};

/** A person's facts as they are once all of it is done. A guest's are those of the person at home. */
export function subjectAfter(subject: SubjectRecord, connectionId: ConnectionId, harm: Harm): SubjectRecord {
  const ended = <T extends { readonly connectionId: ConnectionId; readonly active: boolean }>(entries: readonly T[]) =>
    harm.deactivated
      ? entries.map((entry) => (entry.connectionId === connectionId ? { ...entry, active: false } : entry))
      : entries;
  const stays = (group: GroupRef) =>
    group.kind !== 'directory' ||
    group.connectionId !== connectionId ||
    !(harm.deactivated || harm.groups.includes(group.groupId) || harm.unmapped.includes(group.groupId));
  const { facts, home } = subject;
  return {
    ...subject,
    facts: { ...facts, directory: ended(facts.directory), groups: facts.groups.filter(stays) },
    home: home === null ? null : { ...home, directory: ended(home.directory) },
  };
}
