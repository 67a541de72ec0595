// The doctor at a directory that is held, guarded, paused or limited, and whom its end may end.

import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { beginDoctorVisit, endDoctorVisit } from '../../src/operations/doctor-visit.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { type Acme, touchConfig } from '../support/acme.ts';
import { type DoctorStage, doctorStage, type Json } from '../support/doctor-stage.ts';
import { directoryClient, newScimToken, type ScimServer, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let ann: string;
let doctor: DoctorStage['doctor'];
let open: DoctorStage['open'];
let settings: DoctorStage['settings'];
beforeEach(async () => {
  const stage = await doctorStage();
  ({ world, tenants, server, ann, doctor, open, settings } = stage);
  return stage.close;
});

describe('a directory that is to be handled with care', () => {
  afterEach(() => settings({}));

  test('held: it is told, and nothing is wrong', async () => {
    await world.sql(`update connections set scim_held = true where connection_id = $1`, [tenants.okta]);
    const { json, exitCode } = await doctor('--url', server.url, '--idp', 'okta');
    await world.sql(`update connections set scim_held = false where connection_id = $1`, [tenants.okta]);
    expect(exitCode).toBe(0);
    expect((json as Json).notes).toContain('The directory is held: what it pushes lands, and gives nobody a role.');
  });

  test('switched off, or unknown: a sentence', async () => {
    await world.sql(`update connections set enabled = false where connection_id = $1`, [tenants.okta]);
    expect((await doctor('--url', server.url)).error).toBe(
      'The connection okta of acme is switched off: its directory answers nobody.',
    );
    await world.sql(`update connections set enabled = true where connection_id = $1`, [tenants.okta]);
    expect((await doctor('--url', server.url, '--directory', 'nothing')).error).toBe(
      'There is no connection "nothing" with SCIM in acme.',
    );
  });

  test('a guard with room counts the visit’s people while it lasts, and not afterwards', async () => {
    await settings({ guard: { people: 5, percent: 100, minutes: 60 } });
    const before = await open();
    const { exitCode } = await doctor('--url', server.url);
    expect(exitCode).toBe(0);
    expect(await open()).toEqual(before);
  });

  test('a guard without room: nothing is changed, so that no visit pauses a directory', async () => {
    await settings({ guard: { people: 4, percent: 100, minutes: 60 } });
    const before = await open();
    const { json, exitCode, text } = await doctor('--url', server.url);
    expect(exitCode).toBe(1);
    expect(text).toContain(
      'The calls touch 5 people, and by as many more the guard (4 people or 100 % within 60 minutes) would pause the directory: only reading calls are made. For all of them, raise the guard for the visit.',
    );
    const made = (json as Json).calls.filter(({ verdict }) => verdict !== 'skipped');
    expect(new Set(made.map(({ method, verdict }) => `${method} ${verdict}`))).toEqual(new Set(['GET ok']));
    expect(made.length).toBeGreaterThan(5);
    expect(await world.sql(`select 1 from directory_guards where paused_at is not null`)).toEqual([]);
    expect(await open()).toEqual(before);
  });

  test('paused: it is told since when, and only read', async () => {
    await world.sql(
      `insert into directory_guards (tenant_id, connection_id, paused_at, crossed) values ($1, $2, '2026-11-22T05:00:00Z', 'people')
      on conflict (tenant_id, connection_id) do update set paused_at = excluded.paused_at, crossed = excluded.crossed`,
      [tenants.acme.tenantId, tenants.okta],
    );
    const { json, exitCode, text } = await doctor('--url', server.url);
    await world.sql(`update directory_guards set paused_at = null, crossed = null`);
    expect(exitCode).toBe(1);
    expect(text).toContain(
      'The directory is paused since 2026-11-22T05:00:00.000Z and refuses every change: only reading calls are made. See: drawbridge directory plan --tenant acme --connection okta',
    );
    // One line for all that was not done, not one each.
    expect(text.match(/^skipped .*$/gm)).toEqual([
      expect.stringMatching(/^skipped {2}\d\d calls: the directory is paused \(--verbose lists them\)$/),
    ]);
    expect((json as Json).calls.filter(({ method, verdict }) => method !== 'GET' && verdict !== 'skipped')).toEqual([]);
  });

  test('a limit of requests is kept to by half of it', async () => {
    await settings({ requestsPerSecond: 50 });
    const began = performance.now();
    const { json, exitCode } = await doctor('--url', server.url, '--idp', 'okta');
    expect(exitCode).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(((json as Json).calls.length - 1) * 40);
  });

  test('rules that speak of any name: no group is made', async () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
    for (const letter of letters)
      await world.sql(
        `insert into mapping_rules (tenant_id, rule_id, key, connection_id, match_kind, match_value, allow_new_groups, role_id) values ($1, $2, $3, $4, 'prefix', $5, true, $6)`,
        [
          tenants.acme.tenantId,
          randomUUID(),
          `p-${letter}`,
          tenants.okta,
          letter.toUpperCase(),
          tenants.role(tenants.acme, 'Admin'),
        ],
      );
    await touchConfig(world);
    const { json, exitCode } = await doctor('--url', server.url);
    expect([
      exitCode,
      (json as Json).calls.filter(({ method, target }) => method === 'POST' && target === '/Groups'),
    ]).toEqual([0, []]);
    expect((json as Json).notes).toContain(
      'Whatever a group is called, a rule speaks of it: no call is made that needs a group.',
    );
    // One letter is free again: every group of the visit begins with it.
    await world.sql(`update mapping_rules set ended_at = now() where key = any ($1)`, [
      letters.slice(0, 20).map((letter) => `p-${letter}`),
    ]);
    await touchConfig(world);
    const some = await doctor('--url', server.url, '--idp', 'okta', '--verbose');
    const created = (some.json as { calls: { name: string; body: string }[] }).calls.find(
      ({ name }) => name === 'push a group',
    );
    expect(JSON.parse(created?.body ?? '{}').displayName).toMatch(/^[a-t]/);
    expect(await world.sql(`select 1 from rule_bindings`)).toEqual([]);
  });
});

test('a visit’s token is none of the two that a directory may have; a third visit at once is refused', async () => {
  const ctx = world.context();
  const begin = () => beginDoctorVisit(ctx, tenants.globex, 'okta', 1);
  const first = await begin();
  await newScimToken(world, tenants.globex, 'okta');
  await newScimToken(world, tenants.globex, 'okta');
  await expect(newScimToken(world, tenants.globex, 'okta')).rejects.toThrow('Two tokens');
  const second = await begin();
  expect(await begin()).toMatchObject({ kind: 'refused', code: 'invalid' });
  for (const visit of [first, second]) {
    if (visit.kind === 'refused') throw new Error(visit.message);
    await endDoctorVisit(ctx, tenants.globex, visit, []);
  }
  expect((await begin()).kind).toBe('begun');
});

test('the end of a visit ends nobody whom the visit did not make, whatever ids it is told', async () => {
  const ctx = world.context();
  const earlier = await beginDoctorVisit(ctx, tenants.acme, 'okta', 1);
  if (earlier.kind === 'refused') throw new Error(earlier.message);
  const other = directoryClient(server, 'acme', 'okta', earlier.token);
  const like = userBody('before', { userName: 'before@doctor.invalid', emails: [] });
  const gone = (await other.post('/Users', like)).body.id as string;
  await other.delete(`/Users/${gone}`);
  const visit = await beginDoctorVisit(ctx, tenants.acme, 'okta', 1);
  if (visit.kind === 'refused') throw new Error(visit.message);
  const client = directoryClient(server, 'acme', 'okta', visit.token);
  const late = (await client.post('/Users', userBody('late', { userName: 'late@doctor.invalid', emails: [] }))).body
    .id as string;
  const kept = (await client.post('/Users', userBody('kept', { userName: 'kept@doctor.invalid', emails: [] }))).body
    .id as string;
  await client.delete(`/Users/${kept}`);
  const [person] = await world.sql<{ user_id: string }>(
    `select user_id from directory_users where directory_user_id = $1`,
    [kept],
  );
  await suspend(
    ctx,
    tenants.acme,
    {
      subjectId: person?.user_id as never,
      kind: 'user',
      person: { tenantId: tenants.acme.tenantId, userId: person?.user_id as never },
    },
    null,
  );
  const before = await open();
  // Two were there before, one of them like a visitor; one is in the directory still; one is suspended, and a suspension is never lost.
  expect(await endDoctorVisit(ctx, tenants.acme, visit, [ann, gone, late, kept, 'nonsense'])).toEqual({ people: 0 });
  expect({ ...(await open()), credentials: 0 }).toEqual({ ...before, credentials: 0 });
  expect(await world.sql(`select 1 from suspensions where lifted_at is null`)).toHaveLength(1);
});
