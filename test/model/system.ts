// The system under test: real operations on a real database, behind the small set of acts that histories are made of. A planted
// fault overrides one of them.

import type { PushedUser } from '../../src/core/change.ts';
import type { Directory } from '../../src/core/directory.ts';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { UpstreamAssertion } from '../../src/core/identity.ts';
import type {
  ConnectionId,
  DirectoryUserId,
  Instant,
  Person,
  RuleId,
  SubjectId,
  TenantSlug,
  UserId,
} from '../../src/core/ids.ts';
import type { Email } from '../../src/core/profile.ts';
import type { ConnectionSettings, OidcSettings, SamlSettings } from '../../src/core/tenant.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { updateDirectoryGroup } from '../../src/operations/change-group.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import type { CurrentUser } from '../../src/operations/known-user.ts';
import { mapGuest, unmapGuest } from '../../src/operations/map-guest.ts';
import { createDirectoryGroup } from '../../src/operations/provision-group.ts';
import { createDirectoryUser, removeDirectoryUser, updateDirectoryUser } from '../../src/operations/provision-user.ts';
import { type AccessRead, readAccess } from '../../src/operations/read-access.ts';
import { requestAccess } from '../../src/operations/request-access.ts';
import { setActive } from '../../src/operations/set-active.ts';
import { type SignInOutcome, signIn } from '../../src/operations/sign-in.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { writeConfigSteps } from '../../src/store/config-changes.ts';
import { type Acme, acme, addRule, addUser, changeSettings } from '../support/acme.ts';
import { operator, type TestWorld } from '../support/world.ts';

export type ConnectionKey = 'okta' | 'entra';

export type Name = 'externalId' | 'userName' | 'email';
export type InitialAccess = 'none' | 'default_role' | 'mapped_roles';

export type UserRow = { readonly userId: UserId; readonly email: string | null };

/** What histories can do. Every act returns when its effect is acknowledged. */
export type System = {
  readonly world: TestWorld;
  readonly tenants: Acme;
  push(connection: ConnectionKey, person: number, externalId: string): Promise<'created' | 'refused'>;
  pushActive(connection: ConnectionKey, person: number, active: boolean): Promise<void>;
  /** A push of changed names: the person's user is called by those of `to` from now on. */
  rename(connection: ConnectionKey, person: number, what: Name, to: number): Promise<void>;
  remove(connection: ConnectionKey, person: number): Promise<void>;
  /** The connection goes and comes back, as when the files lose it: under another id, with its rule, its group and a fresh token. */
  reconnect(connection: ConnectionKey): Promise<void>;
  /** As `directory hold` and `directory activate` write it. */
  setHeld(connection: ConnectionKey, held: boolean): Promise<void>;
  connectionId(connection: ConnectionKey): ConnectionId;
  setMember(connection: ConnectionKey, person: number, member: boolean): Promise<void>;
  signIn(
    connection: ConnectionKey,
    person: number,
    how: {
      readonly subject: string;
      readonly verified: boolean;
      readonly domain: string;
      readonly groups: readonly string[];
    },
  ): Promise<SignInOutcome>;
  suspend(row: UserRow): Promise<boolean>;
  assignRole(row: UserRow, role: string): Promise<boolean>;
  setActive(row: UserRow, active: boolean): Promise<void>;
  requestAccess(row: UserRow): Promise<void>;
  map(row: UserRow): Promise<void>;
  unmap(row: UserRow): Promise<void>;
  suspendGuest(row: UserRow): Promise<void>;
  assignGuest(row: UserRow): Promise<boolean>;
  setMode(mode: 'jit' | 'invite_only'): Promise<void>;
  setInitialAccess(access: InitialAccess): Promise<void>;
  /** What the next token would say, for the home tenant or for the child. */
  refresh(row: UserRow, target: 'home' | 'labs'): Promise<AccessRead | null>;
};

export const emailOf = (person: number, domain = 'acme.example') => `person${person}@${domain}`;
export const subjectOf = (connection: ConnectionKey, person: number) => `${connection}-${person}`;

export async function realSystem(world: TestWorld): Promise<System> {
  const tenants = await acme(world);
  const ctx = world.context();
  const directories = new Map<ConnectionKey, Directory>();
  const groups = new Map<ConnectionKey, string>();
  const connectionIds = { okta: tenants.okta, entra: tenants.entra };
  const connect = async (key: ConnectionKey): Promise<void> => {
    const created = await createScimCredential(ctx, tenants.acme, key, null);
    if (created.kind === 'refused') throw new Error(created.message);
    const directory = await authenticateDirectory(ctx, { tenant: 'acme', connection: key }, created.token);
    if (directory === null) throw new Error('the fresh token is not accepted');
    directories.set(key, directory);
    await addRule(world, tenants.acme, {
      connection: directory.connectionId,
      kind: key === 'okta' ? 'id' : 'name',
      value: key === 'okta' ? 'editors-id' : 'Editors',
      role: tenants.role(tenants.acme, key === 'okta' ? 'Editor' : 'Viewer'),
    });
    const group = await createDirectoryGroup(
      actingFor(directory),
      directory,
      { displayName: 'Editors', externalId: 'editors-id' },
      [],
    );
    if (group.kind !== 'done') throw new Error(group.kind);
    groups.set(key, group.group.id);
  };
  for (const key of ['okta', 'entra'] as const) await connect(key);
  // Somebody at an address that no connection vouches for: no sign-in may ever reach this account by it.
  for (let number = 0; number < 3; number += 1)
    await addUser(world, tenants.acme, emailOf(number, 'elsewhere.example'));
  function actingFor(directory: Directory) {
    return world.context({ kind: 'directory', connectionId: directory.connectionId, name: directory.connectionKey });
  }
  const directoryOf = (key: ConnectionKey) => directories.get(key) as Directory;
  const openRow = async (key: ConnectionKey, person: number): Promise<string | undefined> => {
    const [row] = await world.sql<{ id: string }>(
      `select directory_user_id as id from directory_users where connection_id = $1 and user_name_key = $2 and ended_at is null`,
      [directoryOf(key).connectionId, emailOf(person)],
    );
    return row?.id;
  };
  const person = (row: UserRow): Person => ({ tenantId: tenants.acme.tenantId, userId: row.userId });
  const user = (row: UserRow) => ({ subjectId: row.userId as SubjectId, kind: 'user' as const, person: person(row) });
  const guest = async (row: UserRow) => {
    const [found] = await world.sql<{ id: SubjectId }>(`select guest_id as id from guests where source_user_id = $1`, [
      row.userId,
    ]);
    return found === undefined ? undefined : { subjectId: found.id, kind: 'guest' as const, person: person(row) };
  };

  return {
    world,
    tenants,
    async push(key, who, externalId) {
      const outcome = await createDirectoryUser(
        actingFor(directoryOf(key)),
        directoryOf(key),
        pushed(who, externalId, true),
      );
      return outcome.kind === 'done' ? 'created' : 'refused';
    },
    async pushActive(key, who, active) {
      const id = await openRow(key, who);
      if (id === undefined) return;
      const edit = ({ attributes }: CurrentUser) =>
        pushed(who, typeof attributes.externalId === 'string' ? attributes.externalId : null, active);
      await updateDirectoryUser(actingFor(directoryOf(key)), directoryOf(key), id, edit, null);
    },
    async rename(key, who, what, to) {
      const id = await openRow(key, who);
      if (id === undefined) return;
      const names = { externalId: subjectOf(key, to), userName: emailOf(to), email: emailOf(to) };
      const edit = ({ attributes }: CurrentUser): PushedUser => {
        const held = attributes as {
          userName: string;
          externalId?: string;
          emails: [{ value: string }];
          active: boolean;
        };
        const now = { userName: held.userName, externalId: held.externalId ?? null, email: held.emails[0].value };
        return named({ ...now, [what]: names[what] }, who, held.active);
      };
      await updateDirectoryUser(actingFor(directoryOf(key)), directoryOf(key), id, edit, null);
    },
    async reconnect(key) {
      const { tenantId } = tenants.acme;
      const { connectionId } = directoryOf(key);
      const [rule] = await world.sql<{ id: RuleId }>(
        `select rule_id as id from mapping_rules where connection_id = $1 and ended_at is null`,
        [connectionId],
      );
      const connection = settingsOf(key);
      const fresh = ctx.newId<ConnectionId>();
      await ctx.transaction(tenantId, (tx) =>
        writeConfigSteps(
          tx,
          [
            { tenantId, kind: 'remove_rule', ruleId: rule?.id as RuleId, key: '', role: '' },
            { tenantId, kind: 'remove_connection', connectionId, connection },
            { tenantId, kind: 'add_connection', connectionId: fresh, connection },
          ],
          [],
          operator,
        ),
      );
      connectionIds[key] = fresh;
      await connect(key);
    },
    async setHeld(key, held) {
      const { tenantId } = tenants.acme;
      const { connectionId } = directoryOf(key);
      const [row] = await world.sql<{ held: boolean }>(
        'select scim_held as held from connections where connection_id = $1',
        [connectionId],
      );
      if (row?.held === held) return;
      const [from, to] = [!held, held].map((scimHeld) => ({ ...settingsOf(key), scimHeld }));
      if (from === undefined || to === undefined) return;
      await ctx.transaction(tenantId, (tx) =>
        writeConfigSteps(tx, [{ tenantId, kind: 'change_connection', connectionId, from, to }], [], operator),
      );
    },
    connectionId: (key) => connectionIds[key],
    async remove(key, who) {
      const id = await openRow(key, who);
      if (id !== undefined) await removeDirectoryUser(actingFor(directoryOf(key)), directoryOf(key), id, null);
    },
    async setMember(key, who, member) {
      const id = await openRow(key, who);
      if (id === undefined) return;
      const ids = [id as DirectoryUserId];
      const members = { kind: 'change' as const, add: member ? ids : [], remove: member ? [] : ids };
      await updateDirectoryGroup(
        actingFor(directoryOf(key)),
        directoryOf(key),
        groups.get(key) as string,
        { names: {}, members },
        null,
      );
    },
    signIn(key, who, how) {
      const email = emailOf(who, how.domain) as Email;
      const assertion: UpstreamAssertion = {
        connectionId: directoryOf(key).connectionId,
        method: key === 'okta' ? 'oidc' : 'saml',
        issuer: `https://${key}.acme.example`,
        subject: how.subject,
        directoryIds: [how.subject],
        directoryUserName: null,
        email,
        emailVerified: how.verified,
        givenName: null,
        familyName: null,
        displayName: null,
        groups: how.groups.length === 0 ? { kind: 'absent' } : { kind: 'named', values: how.groups },
        authenticatedAt: Date.now() as Instant,
      };
      const actor = { kind: 'person', connectionId: assertion.connectionId, name: email } as const;
      const expiresAt = (Date.now() + 60_000) as Instant;
      return signIn(world.context(actor), tenants.acme.tenantId, { assertion, replayKey: null, expiresAt });
    },
    async suspend(row) {
      return (await suspend(ctx, tenants.acme, user(row), null)).kind === 'suspended';
    },
    async assignRole(row, role) {
      return (await assignRole(ctx, tenants.acme, user(row), role, operator)).kind === 'assigned';
    },
    async setActive(row, active) {
      await setActive(ctx, tenants.acme, user(row), active, null);
    },
    async requestAccess(row) {
      await requestAccess(ctx, person(row), null, 'please');
    },
    async map(row) {
      await mapGuest(ctx, tenants.labs, person(row), { roles: ['Analytics: Viewer'], groups: [] }, operator);
    },
    async unmap(row) {
      await unmapGuest(ctx, tenants.labs, person(row), operator);
    },
    async suspendGuest(row) {
      const found = await guest(row);
      if (found !== undefined) await suspend(ctx, tenants.labs, found, null);
    },
    async assignGuest(row) {
      const found = await guest(row);
      return (
        found !== undefined &&
        (await assignRole(ctx, tenants.labs, found, 'Analytics: Editor', operator)).kind === 'assigned'
      );
    },
    setMode: (provisioningMode) => changeSettings(world, tenants.acme, { provisioningMode }),
    setInitialAccess: (initialAccess) =>
      changeSettings(world, tenants.acme, { initialAccess, defaultRole: 'Analytics: Viewer' }),
    refresh: (row, target) => readAccess(ctx, person(row), target === 'labs' ? ('acme-labs' as TenantSlug) : null),
  };
}

function settingsOf(key: ConnectionKey): ConnectionSettings {
  const common = {
    key,
    displayName: key,
    enabled: true,
    scim: true,
    scimHeld: false,
    directory: defaultDirectorySettings,
    issuer: `https://${key}.acme.example`,
    domains: ['acme.example'],
  };
  // What the protocols need is not looked at here: no connector speaks.
  return key === 'okta'
    ? { ...common, protocol: 'oidc', oidc: {} as OidcSettings }
    : { ...common, protocol: 'saml', saml: {} as SamlSettings };
}

function pushed(person: number, externalId: string | null, active: boolean): PushedUser {
  return named({ externalId, userName: emailOf(person), email: emailOf(person) }, person, active);
}

function named(
  { externalId, userName, email }: { externalId: string | null; userName: string; email: string },
  person: number,
  active: boolean,
): PushedUser {
  const profile = {
    userName,
    email: email as Email,
    givenName: 'Person',
    familyName: String(person),
    displayName: null,
    department: null,
    locale: null,
    timeZone: null,
  };
  const attributes = {
    userName,
    emails: [{ value: email, type: 'work', primary: true }],
    name: { givenName: 'Person', familyName: String(person) },
    active,
    ...(externalId === null ? {} : { externalId }),
  };
  return {
    externalId,
    userName,
    active,
    email: email as Email,
    profile,
    attributes,
    json: JSON.stringify(attributes),
  };
}
