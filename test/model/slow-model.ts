// What a person may do, worked out the slow way: from every row of the database, by loops, with nothing of the code under test.

import type { TestWorld } from '../support/world.ts';

type Row = Record<string, unknown>;
export type Picture = { readonly [table: string]: readonly Row[] };

const TABLES = [
  'tenants',
  'tenant_ancestors',
  'users',
  'directory_users',
  'directory_groups',
  'group_members',
  'asserted_groups',
  'connections',
  'mapping_rules',
  'rule_bindings',
  'roles',
  'role_grants',
  'suspensions',
  'guests',
  'identities',
];

/** Every row of the tables that access depends on, in one read. */
export async function picture(world: TestWorld): Promise<Picture> {
  const parts = TABLES.map((table) => `'${table}', (select coalesce(json_agg(t), '[]') from ${table} t)`);
  const [row] = await world.sql<{ all: Picture }>(`select json_build_object(${parts.join(', ')}) as all`);
  if (row === undefined) throw new Error('no picture');
  return row.all;
}

export type Expected = {
  readonly state: string;
  readonly roles: readonly string[];
  readonly allowed: readonly string[];
};

const rows = (all: Picture, table: string): readonly Row[] => all[table] ?? [];

function stateOf(all: Picture, tenantId: unknown, userId: unknown): 'deactivated' | 'pending' | 'suspended' | null {
  const user = rows(all, 'users').find((row) => row.tenant_id === tenantId && row.user_id === userId);
  if (user === undefined) throw new Error('no such user');
  if (user.admin_active === false) return 'deactivated';
  const words = rows(all, 'directory_users').filter((row) => row.user_id === userId && row.ended_by !== 'admin');
  // Held ones are heard only where no other speaks.
  const speaking = words.filter((row) => !isHeld(all, row.connection_id));
  const heard = speaking.length > 0 ? speaking : words;
  let active = false;
  for (const row of heard) if (isIn(all, row)) active = true;
  if (words.length > 0 && !active) return 'deactivated';
  if (user.approval !== 'approved') return 'pending';
  return isSuspended(all, tenantId, userId) ? 'suspended' : null;
}

function isHeld(all: Picture, connectionId: unknown): boolean {
  return rows(all, 'connections').find((row) => row.connection_id === connectionId)?.scim_held === true;
}

/** Whether a directory user is active as far as that counts: not where a held directory switched it on. */
function isIn(all: Picture, row: Row): boolean {
  if (row.active !== true || row.ended_at !== null) return false;
  return !(row.withheld === true && isHeld(all, row.connection_id));
}

function isSuspended(all: Picture, tenantId: unknown, subjectId: unknown): boolean {
  return rows(all, 'suspensions').some(
    (row) => row.tenant_id === tenantId && row.subject_id === subjectId && row.lifted_at === null,
  );
}

function label(all: Picture, roleId: unknown): string {
  const role = rows(all, 'roles').find((row) => row.role_id === roleId);
  return `${role?.workspace}: ${role?.name}`;
}

function grantedLabels(all: Picture, tenantId: unknown, subjectId: unknown): Set<string> {
  const found = new Set<string>();
  for (const row of rows(all, 'role_grants')) {
    if (row.tenant_id === tenantId && row.subject_id === subjectId && row.ended_at === null)
      found.add(label(all, row.role_id));
  }
  return found;
}

function mappedLabels(all: Picture, userId: unknown): Set<string> {
  const found = new Set<string>();
  for (const directoryUser of rows(all, 'directory_users')) {
    if (directoryUser.user_id !== userId || directoryUser.ended_at !== null || directoryUser.active !== true) continue;
    const connection = rows(all, 'connections').find((row) => row.connection_id === directoryUser.connection_id);
    if (connection?.enabled !== true || connection.scim_held === true || connection.ended_at !== null) continue;
    for (const member of rows(all, 'group_members')) {
      if (member.directory_user_id !== directoryUser.directory_user_id) continue;
      const group = rows(all, 'directory_groups').find((row) => row.group_id === member.group_id);
      if (group === undefined || group.ended_at !== null) continue;
      for (const rule of rows(all, 'mapping_rules')) {
        if (rule.connection_id !== group.connection_id || rule.ended_at !== null) continue;
        const bound = rows(all, 'rule_bindings').some(
          (row) => row.rule_id === rule.rule_id && row.group_id === group.group_id && row.state === 'bound',
        );
        if (rule.match_kind === 'id' ? rule.match_value === group.external_id : bound)
          found.add(label(all, rule.role_id));
      }
    }
  }
  return found;
}

/** By groups that an assertion named, where no directory of that connection has the person. */
function assertedLabels(all: Picture, userId: unknown): Set<string> {
  const found = new Set<string>();
  for (const asserted of rows(all, 'asserted_groups')) {
    if (asserted.user_id !== userId) continue;
    const connection = rows(all, 'connections').find((row) => row.connection_id === asserted.connection_id);
    if (connection?.enabled !== true || connection.ended_at !== null) continue;
    const spokenFor = rows(all, 'directory_users').some(
      (row) =>
        row.user_id === userId &&
        row.connection_id === asserted.connection_id &&
        row.ended_at === null &&
        connection.scim_held !== true,
    );
    if (spokenFor) continue;
    for (const rule of rows(all, 'mapping_rules')) {
      if (
        rule.connection_id === asserted.connection_id &&
        rule.ended_at === null &&
        rule.match_value === asserted.value
      )
        found.add(label(all, rule.role_id));
    }
  }
  return found;
}

/** With `initialAccess: none` rules speak only for people whom somebody let in. */
function rulesSpeak(all: Picture, tenantId: unknown, userId: unknown): boolean {
  const settings = rows(all, 'tenants').find((row) => row.tenant_id === tenantId)?.settings as {
    initialAccess?: string;
  };
  return settings.initialAccess !== 'none' || grantedLabels(all, tenantId, userId).size > 0;
}

/** For the person's home tenant. */
export function expectedAtHome(all: Picture, tenantId: string, userId: string): Expected {
  const barred = stateOf(all, tenantId, userId);
  const mapped = rulesSpeak(all, tenantId, userId)
    ? [...mappedLabels(all, userId), ...assertedLabels(all, userId)]
    : [];
  const roles = barred === null ? [...new Set([...grantedLabels(all, tenantId, userId), ...mapped])].sort() : [];
  return {
    state: barred ?? (roles.length > 0 ? 'active' : 'no_access'),
    roles,
    allowed: expectedAllowed(all, tenantId, userId),
  };
}

/** For a tenant where the person is, or was, a guest. */
export function expectedAsGuest(all: Picture, home: string, userId: string, targetSlug: string): Expected {
  const target = rows(all, 'tenants').find((row) => row.slug === targetSlug);
  const guest = rows(all, 'guests').find((row) => row.tenant_id === target?.tenant_id && row.source_user_id === userId);
  const allowed = expectedAllowed(all, home, userId);
  const barredAtHome = stateOf(all, home, userId);
  if (barredAtHome !== null) return { state: barredAtHome, roles: [], allowed };
  if (guest === undefined) return { state: 'no_access', roles: [], allowed };
  if (isSuspended(all, target?.tenant_id, guest.guest_id)) return { state: 'suspended', roles: [], allowed };
  const roles = guest.ended_at === null ? [...grantedLabels(all, target?.tenant_id, guest.guest_id)].sort() : [];
  return { state: roles.length > 0 ? 'active' : 'no_access', roles, allowed };
}

function expectedAllowed(all: Picture, home: string, userId: string): readonly string[] {
  if (stateOf(all, home, userId) !== null) return [];
  const slug = (tenantId: unknown) => String(rows(all, 'tenants').find((row) => row.tenant_id === tenantId)?.slug);
  const allowed = [slug(home)];
  for (const guest of rows(all, 'guests')) {
    if (guest.source_user_id !== userId || guest.ended_at !== null) continue;
    const below = rows(all, 'tenant_ancestors').some(
      (row) => row.tenant_id === guest.tenant_id && row.ancestor_id === home,
    );
    if (below && !isSuspended(all, guest.tenant_id, guest.guest_id)) allowed.push(slug(guest.tenant_id));
  }
  return allowed.sort();
}

/** Whether the identity provider and every switch would let this person in by this connection: what I18 promises a sign-in to. */
export function mayComeIn(all: Picture, tenantId: string, userId: string, connectionId: string): boolean {
  const here = rows(all, 'directory_users').filter(
    (row) => row.user_id === userId && row.connection_id === connectionId && row.ended_by !== 'admin',
  );
  const inactiveHere = here.length > 0 && !here.some((row) => isIn(all, row));
  return stateOf(all, tenantId, userId) !== 'deactivated' && !inactiveHere;
}
