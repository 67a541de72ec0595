// Three tenants below each other with their directories, and who has which names in them.

import type { Directory } from '../../src/core/directory.ts';
import type { ConnectionId, Person, TenantSlug } from '../../src/core/ids.ts';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import { createTenant } from '../../src/operations/create-tenant.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { acme, changeSettings, touchConfig } from '../support/acme.ts';
import type { TestWorld } from '../support/world.ts';

export type Place = {
  readonly tenant: TenantRef;
  readonly key: string;
  readonly id: ConnectionId;
  readonly directory: Directory;
  readonly saml: boolean;
};
export type Stage = {
  readonly world: TestWorld;
  readonly tenants: readonly TenantRef[];
  readonly places: readonly Place[];
};

export async function namesakesStage(world: TestWorld): Promise<Stage> {
  const tenants = await acme(world);
  const deep = await createTenant(world.context(), {
    slug: 'deep',
    displayName: 'deep',
    parent: 'acme-labs' as TenantSlug,
    settings: {},
    managedBy: 'api',
  });
  if (deep.kind === 'refused') throw new Error(deep.message);
  await world.sql(
    `insert into roles (tenant_id, role_id, workspace, name, rights) values ($1, gen_random_uuid(), 'Analytics', 'Viewer', '{}')`,
    [deep.tenantId],
  );
  const below = [];
  for (const tenant of [tenants.labs, deep]) {
    const [row] = await world.sql<{ id: ConnectionId }>(
      `insert into connections (tenant_id, connection_id, key, display_name, protocol, issuer, scim)
       values ($1, gen_random_uuid(), 'okta', 'okta', 'saml', 'https://below', true) returning connection_id as id`,
      [tenant.tenantId],
    );
    below.push({ tenant, key: 'okta', id: row?.id as ConnectionId, saml: true });
  }
  for (const tenant of [tenants.acme, tenants.labs, deep])
    await changeSettings(world, tenant, { provisioningMode: 'jit', domainScope: 'any' });
  await touchConfig(world);
  const places = [];
  for (const place of [
    { tenant: tenants.acme, key: 'okta', id: tenants.okta, saml: false },
    { tenant: tenants.acme, key: 'entra', id: tenants.entra, saml: true },
    ...below,
  ]) {
    const made = await createScimCredential(world.context(), place.tenant, place.key, null);
    if (made.kind === 'refused') throw new Error(made.message);
    const directory = await authenticateDirectory(
      world.context(),
      { tenant: place.tenant.slug, connection: place.key },
      made.token,
    );
    if (directory === null) throw new Error('the fresh token is not accepted');
    places.push({ ...place, directory });
  }
  return { world, tenants: [tenants.acme, tenants.labs, deep], places };
}

type Row = Record<string, unknown>;
export type Account = {
  readonly userId: string;
  readonly tenantId: string;
  readonly pushed: ReadonlySet<string>;
  readonly linked: ReadonlySet<string>;
  readonly own: ReadonlySet<string>;
};
export type Suspension = {
  readonly id: string;
  readonly tenantId: string;
  readonly subjectId: string;
  readonly from: string | null;
  readonly open: boolean;
};
export type Guest = {
  readonly guestId: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly mapped: boolean;
};
export type User = { readonly id: string; readonly place: Place; readonly userId: string };
export type Picture = {
  readonly accounts: ReadonlyMap<string, Account>;
  readonly suspensions: readonly Suspension[];
  readonly guests: readonly Guest[];
  readonly users: readonly User[];
};

export const mail = (address: string) => `mail ${address.toLowerCase()}`;
export const isAddress = (text: string) => text.includes('@');

export async function look({ world, places, tenants }: Stage, prefix: string): Promise<Picture> {
  const [row] = await world.sql<{ all: Record<string, Row[]> }>(
    `with u as (select * from users where user_name like $1)
     select json_build_object('users', (select coalesce(json_agg(u), '[]') from u),
       'directory_users', (select coalesce(json_agg(d order by d.directory_user_id), '[]') from directory_users d join u using (tenant_id, user_id) where d.ended_at is null),
       'identities', (select coalesce(json_agg(i), '[]') from identities i join u using (tenant_id, user_id) where i.ended_at is null),
       'guests', (select coalesce(json_agg(g order by g.guest_id), '[]') from guests g join u on u.tenant_id = g.source_tenant_id and u.user_id = g.source_user_id),
       'suspensions', (select coalesce(json_agg(s order by s.suspension_id), '[]') from suspensions s where s.subject_id in (select user_id from u union all select g.guest_id from guests g join u on u.tenant_id = g.source_tenant_id and u.user_id = g.source_user_id))) as all`,
    [`${prefix}%`],
  );
  if (row === undefined) throw new Error('no picture');
  const { users = [], directory_users = [], identities = [], guests = [], suspensions = [] } = row.all;
  const placeOf = (id: unknown) => places.find((one) => one.id === id) as Place;
  const accounts = new Map<string, Account>();
  for (const user of users.sort((a, b) => String(a.user_id).localeCompare(String(b.user_id)))) {
    const pushed = new Set<string>();
    const linked = new Set<string>();
    const own = new Set<string>();
    if (user.email !== null) for (const set of [pushed, own]) set.add(mail(String(user.email)));
    for (const one of directory_users.filter((other) => other.user_id === user.user_id)) {
      const { key, tenant } = placeOf(one.connection_id);
      if (one.external_id !== null) pushed.add(`ext ${key} ${one.external_id}`);
      if (one.email !== null) pushed.add(mail(String(one.email)));
      const called = String(one.user_name);
      if (isAddress(called)) pushed.add(mail(called));
      else for (const set of [pushed, own]) set.add(`name ${tenant.slug} ${key} ${called}`);
      for (const { value } of (one.attributes as { emails: { value: string }[] }).emails) pushed.add(mail(value));
    }
    for (const one of identities.filter((other) => other.user_id === user.user_id)) {
      const { key } = placeOf(one.connection_id);
      for (const kind of ['id', 'ext']) linked.add(`${kind} ${key} ${one.subject}`);
    }
    accounts.set(String(user.user_id), {
      userId: String(user.user_id),
      tenantId: String(user.tenant_id),
      pushed,
      linked,
      own,
    });
  }
  const ours = new Set([...accounts.keys(), ...guests.map((one) => String(one.guest_id))]);
  return {
    accounts,
    guests: guests
      .filter((one) => tenants.some(({ tenantId }) => tenantId === one.tenant_id))
      .map((one) => ({
        guestId: String(one.guest_id),
        tenantId: String(one.tenant_id),
        userId: String(one.source_user_id),
        mapped: one.ended_at === null,
      })),
    suspensions: suspensions
      .filter((one) => ours.has(String(one.subject_id)))
      .map((one) => ({
        id: String(one.suspension_id),
        tenantId: String(one.tenant_id),
        subjectId: String(one.subject_id),
        from: one.inherited_from as string | null,
        open: one.lifted_at === null,
      })),
    users: directory_users.map((one) => ({
      id: String(one.directory_user_id),
      place: placeOf(one.connection_id),
      userId: String(one.user_id),
    })),
  };
}

/** Whom administrators act on: people of a tenant, and its guests. */
type Subject = {
  readonly subjectId: string;
  readonly kind: 'user' | 'guest';
  readonly tenant: TenantRef;
  readonly person: Person;
};

export function subjectsOf({ tenants }: Stage, { accounts, guests }: Picture): readonly Subject[] {
  const tenant = (id: string) => tenants.find(({ tenantId }) => tenantId === id) as TenantRef;
  const person = (userId: string) => ({ tenantId: accounts.get(userId)?.tenantId, userId }) as Person;
  return [
    ...[...accounts.values()].map((one) => ({
      subjectId: one.userId,
      kind: 'user' as const,
      tenant: tenant(one.tenantId),
      person: person(one.userId),
    })),
    ...guests.map((one) => ({
      subjectId: one.guestId,
      kind: 'guest' as const,
      tenant: tenant(one.tenantId),
      person: person(one.userId),
    })),
  ];
}
