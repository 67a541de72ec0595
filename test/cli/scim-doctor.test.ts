// What the doctor does at a directory, and what it says.

import { beforeAll, describe, expect, test } from 'vitest';
import { colourOf } from '../../src/cli/doctor-report.ts';
import type { Acme } from '../support/acme.ts';
import { type DoctorStage, doctorStage, type Json, wrong } from '../support/doctor-stage.ts';
import type { ScimServer } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let server: ScimServer;
let log: DoctorStage['log'];
let doctor: DoctorStage['doctor'];
let open: DoctorStage['open'];
beforeAll(async () => {
  const stage = await doctorStage();
  ({ world, tenants, server, log, doctor, open } = stage);
  return stage.close;
});

describe('scim doctor', () => {
  test('makes the calls of Okta and Entra ID, finds nothing wrong here, and leaves the directory as it was', async () => {
    const before = await open();
    const { text, json, exitCode } = await doctor('--url', server.url);
    expect(wrong(json)).toEqual([]);
    expect(exitCode).toBe(0);
    const calls = (json as Json).calls.length;
    expect(text).toContain(`${calls} calls: ${calls} ok, 0 wrong, 0 skipped.\n`);
    expect(text).toMatch(/^VERDICT +IDP +STATUS +WHAT +REQUEST$/m);
    expect(text).toMatch(/^ok +okta +200 +test of the credentials +GET {4}\/Users\?startIndex=1&count=2$/m);
    expect(text).toMatch(/^ok +entra +200 +soft-delete, "False" as text +PATCH {2}\/Users\/\S+$/m);
    expect(await open()).toEqual(before);
  });

  test('runs beside two tokens of the directory, and one identity provider alone', async () => {
    const { json, exitCode } = await doctor('--url', `${server.url}/scim/v2/acme/okta/`, '--idp', 'okta');
    expect([exitCode, new Set((json as Json).calls.map(({ idp }) => idp))]).toEqual([0, new Set(['okta'])]);
    expect((await doctor('--url', server.url, '--idp', 'google')).error).toBe('--idp is okta, entra or all.');
    const tokens = await world.sql(`select 1 from scim_credentials where ended_at is null and tenant_id = $1`, [
      tenants.acme.tenantId,
    ]);
    expect(tokens).toHaveLength(2);
  });

  test('its token is ended, and opened this directory only', async () => {
    const rows = await world.sql<{ prefix: string; days: number; ended: boolean }>(
      `select prefix, ended_at is not null as ended, extract(epoch from expires_at - created_at)::int as lives from scim_credentials where prefix like 'doctor9%'`,
    );
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) expect(row).toMatchObject({ ended: true, lives: 900 });
  });

  test('says nothing of whose directory it is, though it speaks as several do, and its reads are no cycle', async () => {
    expect((await doctor('--url', server.url, '--directory', 'entra')).exitCode).toBe(0);
    await log.close();
    const rows = await world.sql(
      `select c.key, a.profile, a.profile_by, a.last_write_at, a.last_cycle_at
       from directory_activity a join connections c using (tenant_id, connection_id) order by 1`,
    );
    expect(rows).toEqual([
      { key: 'entra', profile: 'generic', profile_by: 'nothing', last_write_at: null, last_cycle_at: null },
      {
        key: 'okta',
        profile: 'okta',
        profile_by: 'user_agent',
        last_write_at: expect.any(Date),
        last_cycle_at: null,
      },
    ]);
    const lines = await world.sql(`select 1 from scim_requests where user_agent = 'drawbridge-doctor'`);
    expect(lines.length).toBeGreaterThan(50);
  });

  test('--verbose shows what was sent and answered', async () => {
    const { text } = await doctor('--url', server.url, '--idp', 'entra', '--verbose');
    expect(text).toContain(
      '> {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}',
    );
    expect(text).toMatch(/< \{"schemas":\["urn:ietf:params:scim:api:messages:2.0:Error"\],"status":"409"/);
    expect(text).not.toMatch(/dbs_/);
  });

  test('colours a line by its verdict, which no client’s text can begin', () => {
    const lines = [
      'ok       okta',
      'WRONG    okta',
      'skipped  okta',
      'LEFT BEHIND: x',
      '         expected: ok',
      'okta at https://…',
    ];
    expect(lines.map(colourOf)).toEqual(['green', 'red', 'yellow', 'red', null, null]);
  });
});
