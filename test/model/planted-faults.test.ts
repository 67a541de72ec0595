// A test of the test: each fault that somebody could well write is planted, and the random histories must find it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenClaims } from '../../src/core/claims.ts';
import type { TenantSlug } from '../../src/core/ids.ts';
import { testWorld } from '../support/world.ts';
import { Broken, play, type Step, steps } from './history.ts';
import { emailOf, realSystem, type System } from './system.ts';

type Fault = (system: System) => Partial<System>;

const rowsOf = (system: System, person: number) =>
  system.world.sql<{ userId: never; email: string | null }>(
    `select user_id as "userId", email from users where email = $1`,
    [emailOf(person)],
  );

const suspendedOf = (system: System, person: number) =>
  system.world.sql<{ userId: never; email: string | null }>(
    `select user_id as "userId", email from users u where email = $1
       and exists (select 1 from suspensions s where s.subject_id = u.user_id and s.lifted_at is null)`,
    [emailOf(person)],
  );

const faults: Record<string, { readonly caughtBy: RegExp; readonly fault: Fault }> = {
  'T117 SCIM active:true clears the suspension': {
    caughtBy: /^I1/,
    fault: (system) => ({
      async pushActive(connection, person, active) {
        await system.pushActive(connection, person, active);
        for (const row of active ? await suspendedOf(system, person) : [])
          await system.assignRole(row, 'Analytics: Viewer');
      },
    }),
  },
  'T119 JIT ignores the removed person': {
    caughtBy: /^I(3|11|18)/,
    fault: (system) => ({
      async signIn(connection, person, how) {
        const outcome = await system.signIn(connection, person, how);
        if (outcome.kind === 'signed_in' || outcome.reason !== 'deactivated') return outcome;
        // As if nobody had ever been known by these keys: the person is simply made anew.
        await system.world.sql(`delete from held_keys`);
        await system.world.sql(`update identities set ended_at = now() where subject = $1 and ended_at is null`, [
          how.subject,
        ]);
        await system.world.sql(
          `update directory_users set external_id = null, ended_by = case when ended_at is null then null else 'admin' end where external_id = $1`,
          [how.subject],
        );
        await system.world.sql(`update users set email = null where email = $1`, [emailOf(person)]);
        await system.setMode('jit');
        return system.signIn(connection, person, { ...how, verified: true, domain: 'acme.example' });
      },
    }),
  },
  'T33 a link by an address in a domain that the connection does not own': {
    caughtBy: /^I11 by address/,
    fault: (system) => ({
      async signIn(connection, person, how) {
        const { acme, okta, entra } = system.tenants;
        for (const id of [okta, entra]) {
          await system.world.sql(
            `insert into connection_domains (tenant_id, connection_id, domain) values ($1, $2, 'elsewhere.example') on conflict do nothing`,
            [acme.tenantId, id],
          );
        }
        await system.world.sql(`update tenants set config_version = nextval('config_versions')`);
        return system.signIn(connection, person, how);
      },
    }),
  },
  'T26 a link by an address that nobody verified': {
    caughtBy: /^I11 by address/,
    fault: (system) => ({
      signIn: (connection, person, how) => system.signIn(connection, person, { ...how, verified: true }),
    }),
  },
  'T67 a refresh skips the state check': {
    caughtBy: /^I1/,
    fault: (system) => {
      const last = new Map<string, TokenClaims>();
      return {
        async refresh(row, target) {
          const read = await system.refresh(row, target);
          const key = `${row.userId} ${target}`;
          if (read?.claims) last.set(key, read.claims);
          return read === null ? null : { ...read, claims: read.claims ?? last.get(key) ?? null };
        },
      };
    },
  },
  'T74 mappings are followed from tenant to tenant': {
    caughtBy: /^I4 I7/,
    fault: (system) => ({
      async refresh(row, target) {
        const read = await system.refresh(row, target);
        if (read === null || !read.allowed.includes('acme-labs' as TenantSlug)) return read;
        return { ...read, allowed: [...read.allowed, 'acme-labs-eu' as TenantSlug] };
      },
    }),
  },
  'T126 a role is kept when its group is left': {
    caughtBy: /^I4 I7/,
    fault: (system) => {
      const last = new Map<string, readonly never[]>();
      return {
        async refresh(row, target) {
          const read = await system.refresh(row, target);
          if (read === null || read.access.state === 'suspended' || read.access.state === 'deactivated') return read;
          const roles = read.access.roles.length > 0 ? read.access.roles : (last.get(row.userId + target) ?? []);
          last.set(row.userId + target, roles as readonly never[]);
          return { ...read, access: { ...read.access, roles } };
        },
      };
    },
  },
  'T118 a fresh account for a suspended person begins without the suspension': {
    caughtBy: /^I(1|3)/,
    fault: (system) => ({
      async push(connection, person, externalId) {
        await system.world.sql(`delete from held_keys`);
        const known = await rowsOf(system, person);
        const outcome = await system.push(connection, person, externalId);
        for (const row of await suspendedOf(system, person)) {
          if (!known.some((before) => before.userId === row.userId)) await system.assignRole(row, 'Analytics: Viewer');
        }
        return outcome;
      },
    }),
  },
  'R90 Is Active on lifts a suspension': {
    caughtBy: /^I1/,
    fault: (system) => ({
      async setActive(row, active) {
        await system.setActive(row, active);
        if (active) await system.assignRole(row, 'Analytics: Viewer');
      },
    }),
  },
  'I18 everybody is refused': {
    caughtBy: /^I18/,
    fault: () => ({ signIn: async () => ({ kind: 'refused', reason: 'unknown_person' }) }),
  },
};

describe('the histories find what is planted', () => {
  for (const [name, { caughtBy, fault }] of Object.entries(faults)) {
    test(name, { timeout: 240_000 }, async () => {
      const history = fc.array(steps, { minLength: 40, maxLength: 40 });
      const result = await fc.check(
        fc.asyncProperty(history, async (given) => {
          const world = await testWorld();
          try {
            const system = await realSystem(world);
            await play({ ...system, ...fault(system) }, given);
          } finally {
            await world.close();
          }
        }),
        { seed: 7, numRuns: 150, endOnFailure: true },
      );
      expect(result.failed, 'not found in 150 histories').toBe(true);
      expect(result.errorInstance).toBeInstanceOf(Broken);
      expect((result.errorInstance as Broken).message).toMatch(caughtBy);
    });
  }
});

describe('what is too rare for chance is found by a history of its own', () => {
  const renamed: readonly Step[] = [
    { act: 'push', connection: 'okta', person: 0 },
    { act: 'push', connection: 'okta', person: 1 },
    { act: 'setMember', connection: 'okta', person: 1, on: true },
    { act: 'suspend', person: 0 },
    { act: 'remove', connection: 'okta', person: 0 },
    { act: 'rename', connection: 'okta', person: 1, what: 'externalId', to: 0 },
    {
      act: 'signIn',
      connection: 'okta',
      person: 0,
      subject: 'known',
      verified: true,
      domain: 'acme.example',
      groups: ['Editors'],
    },
  ];
  const played = async (history: readonly Step[], fault: Fault) => {
    const world = await testWorld();
    try {
      const system = await realSystem(world);
      return await play({ ...system, ...fault(system) }, history).then(
        () => 'holds',
        (error: unknown) => String(error),
      );
    } finally {
      await world.close();
    }
  };

  test('T118 T121 a suspended person’s names go to somebody else, who keeps their access', async () => {
    const forgets: Fault = (system) => ({
      async rename(connection, person, what, to) {
        await system.world.sql('delete from held_keys');
        await system.rename(connection, person, what, to);
      },
    });
    expect(await played(renamed, forgets)).toMatch(/I1 I3 human/);
    expect(await played(renamed, () => ({}))).toBe('holds');
  });

  test.each<[string, readonly Step[]]>([
    ['switched on', [{ act: 'pushActive', connection: 'okta', person: 0, on: true }]],
    [
      'removed and pushed again',
      [
        { act: 'remove', connection: 'okta', person: 0 },
        { act: 'push', connection: 'okta', person: 0 },
      ],
    ],
  ])('T117 a held directory lets back in who was out and is %s', async (_, back) => {
    const history: readonly Step[] = [
      { act: 'push', connection: 'okta', person: 0 },
      { act: 'assignRole', person: 0 },
      { act: 'pushActive', connection: 'okta', person: 0, on: false },
      { act: 'setHeld', connection: 'okta', on: true },
      ...back,
      { act: 'setHeld', connection: 'okta', on: false },
    ];
    const counts = (system: System) => system.world.sql('update directory_users set withheld = false');
    const letsIn: Fault = (system) => ({
      async pushActive(connection, person, active) {
        await system.pushActive(connection, person, active);
        await counts(system);
      },
      async push(connection, person, externalId) {
        const outcome = await system.push(connection, person, externalId);
        await counts(system);
        return outcome;
      },
    });
    expect(await played(history, letsIn)).toMatch(/^Error: T117 held/);
    expect(await played(history, () => ({}))).toBe('holds');
  });
});
