import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Directory } from '../../src/core/directory.ts';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { CredentialId, TenantSlug, UserId } from '../../src/core/ids.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import { updateDirectoryUser } from '../../src/operations/provision-user.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { touchConfig } from '../support/acme.ts';
import { callCommand, processEnv, runCommand } from '../support/command-line.ts';
import {
  bringIntoForce,
  type ConfigFolder,
  connectionIdOf,
  pushGroup,
  pushUser,
  tenantIdOf,
} from '../support/config.ts';
import { type ConfigStage, configStage } from '../support/config-stage.ts';
import { silent, type TestWorld } from '../support/world.ts';

let stage: ConfigStage;
let world: TestWorld;
let folder: ConfigFolder;
let ann: UserId;

const acme = (held: string, more = '') => `tenant: acme
name: Acme
workspaces: { Analytics: { roles: { Viewer: {} } } }
connections:
  okta:
    scim: true
${held}    domains: [acme.example]
    directory: { guard: { people: 1, percent: 100, minutes: 60 } }
rules:
  - { connection: okta, group: { name: Staff }, role: "Analytics: Viewer" }
${more}`;
const held = '    scimHeld: true\n';

// Each test has a held directory with ann in its group of staff.
beforeEach(async () => {
  stage = await configStage();
  ({ world, folder } = stage);
  folder.write({ acme: acme(held) });
  await bringIntoForce(world, folder);
  const staff = await pushGroup(world, 'acme', 'okta', 'Staff');
  await world.sql(
    `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules`,
    [staff],
  );
  await touchConfig(world);
  ann = await pushUser(world, 'acme', 'okta', 'ann@acme.example', [staff]);
});
afterEach(() => stage?.close());

const cli = (...args: string[]) => runCommand({ ...processEnv(world), DRAWBRIDGE_CONFIG: folder.path }, args);
const which = ['--tenant', 'acme', '--connection', 'okta'] as const;
const digestIn = (text: string) => /--digest ([0-9a-f]{32})/.exec(text)?.[1] ?? '';

test('a held directory is planned, and activated by that plan alone once its file says so too', async () => {
  const person = { tenantId: await tenantIdOf(world, 'acme'), userId: ann };
  const stateOf = async () => (await readAccess(world.context(), person, null))?.access.state;
  expect(await stateOf()).toBe('no_access');
  const why = ['explain', '--tenant', 'acme', '--user', 'ann@acme.example', '--role', 'Viewer'] as const;
  expect((await cli(...why)).stdout).toContain(': they are a member, and it gives nothing while okta is held\n');

  const plan = await cli('directory', 'plan', ...which);
  expect(plan.stderr).toBe('');
  const digest = digestIn(plan.stdout);
  const line = `tenants/acme.yaml:7:15: connections.okta.scimHeld is true; expected false, or the line taken out.`;
  expect(plan.stdout).toBe(`The directory okta of acme is held: its groups give nobody a role.
If it is activated:

acme
  ~ connection okta: scimHeld true -> false

People
  ann@acme.example in acme
    gains Analytics: Viewer (rule "okta:name:Staff -> Analytics: Viewer" maps group "Staff")

1 person differs: 1 gains, 0 lose, 0 are signed out (1 looked at).

First: ${line}
To do exactly this: drawbridge directory activate --tenant acme --connection okta --digest ${digest}
`);

  // The file would hold it again with the next apply.
  expect(await cli('directory', 'activate', ...which, '--digest', digest)).toEqual({
    code: 1,
    stdout: '',
    stderr: `${line}\n`,
  });
  expect(await stateOf()).toBe('no_access');

  // What else the file says now is not in force by it.
  folder.write({
    acme: acme(
      '',
      '  - { name: more, connection: okta, group: { name: Staff }, role: "Administration: Administrator" }\n',
    ),
  });
  const stale = await cli('directory', 'activate', ...which, '--digest', 'f'.repeat(32));
  expect([stale.code, stale.stderr]).toEqual([1, expect.stringMatching(/^The plan is out of date/)]);
  expect(await cli('directory', 'activate', ...which, '--digest', digest)).toEqual({
    code: 0,
    stderr: '',
    stdout: 'The directory okta of acme is active; gained: 1, lost: 0, signed out: 0.\n',
  });
  const access = (await readAccess(world.context(), person, null))?.access;
  expect(access?.roles.map((role) => role.role)).toEqual(['Analytics: Viewer']);
  expect(
    await world.sql(
      `select kind from audit_events where kind in ('connection.changed', 'access.changed', 'config.applied') order by kind`,
    ),
  ).toEqual(expect.arrayContaining([{ kind: 'access.changed' }, { kind: 'config.applied' }]));
  expect((await cli('directory', 'activate', ...which, '--digest', digest)).stderr).toBe(
    'The directory okta of acme is active already.\n',
  );
});

test('an active directory is planned to be held, and held once its file says so', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  folder.write({ acme: acme(held) });
  const plan = await cli('directory', 'plan', ...which);
  expect(plan.stdout).toContain('is active.\nIf it is held:\n');
  expect(plan.stdout).toContain('    loses Analytics: Viewer\n    is signed out\n');
  const done = await cli('directory', 'hold', ...which, '--digest', digestIn(plan.stdout));
  expect([done.code, done.stdout]).toEqual([
    0,
    'The directory okta of acme is held; gained: 0, lost: 1, signed out: 1.\n',
  ]);
  // The file and what is in force agree.
  expect((await cli('plan')).stdout).toContain('Nothing to change');
});

test('a paused directory is planned, resumed by that plan, and discarded', async () => {
  const tenantId = await tenantIdOf(world, 'acme');
  const connectionId = await connectionIdOf(world, 'acme', 'okta');
  const made = await createScimCredential(world.context(), { tenantId, slug: 'acme' as TenantSlug }, 'okta', null);
  if (made.kind === 'refused') throw new Error(made.message);
  const guard = { people: 1, percent: 100, minutes: 60 };
  const directory: Directory = {
    tenantId,
    tenant: 'acme' as TenantSlug,
    connectionId,
    connectionKey: 'okta',
    credentialId: made.credentialId as CredentialId,
    settings: { ...defaultDirectorySettings, guard },
  };
  const warned: (readonly [object, string])[] = [];
  const log = { ...silent, warn: (fields: object, message: string) => void warned.push([fields, message]) };
  const ctx = { ...world.context({ kind: 'directory', connectionId, name: 'okta' }), log };
  const deactivate = async (name: string) => {
    const email = `${name}@acme.example`;
    const [row] = await world.sql<{ id: string }>(
      'select directory_user_id as id from directory_users where user_name = $1',
      [email],
    );
    const edit = ({ attributes }: { readonly attributes: Readonly<Record<string, unknown>> }) => ({
      externalId: null,
      userName: email,
      active: false,
      email: email as never,
      profile: {
        userName: email,
        email: email as never,
        givenName: null,
        familyName: null,
        displayName: null,
        department: null,
        locale: null,
        timeZone: null,
      },
      attributes: { ...attributes, active: false },
      json: JSON.stringify({ ...attributes, active: false }),
    });
    return updateDirectoryUser(ctx, directory, row?.id ?? '', edit, null);
  };
  for (const name of ['bob', 'cid', 'dan']) await pushUser(world, 'acme', 'okta', `${name}@acme.example`, []);
  expect((await deactivate('bob')).kind).toBe('done');
  expect(await deactivate('cid')).toMatchObject({ kind: 'refused', code: 'directory_paused' });
  // The tenant has no administrator and no contact: a letter reaches nobody, and whoever watches the log has to know.
  expect(warned).toEqual([
    [
      { requestId: ctx.caller.requestId, tenant: 'acme', connection: 'okta', people: 2, line: 'people', told: 0 },
      expect.stringMatching(
        /^A directory is paused by its guard, and no administrator .* see `drawbridge directory plan`\.$/,
      ),
    ],
  ]);

  const plan = await cli('directory', 'plan', ...which);
  const digest = digestIn(plan.stdout);
  expect(plan.stderr).toBe('');
  expect(
    plan.stdout.replace(/since \S+:/, 'since T:'),
  ).toBe(`The directory okta of acme is paused since T: with the refused request it came to 2 people, past its line of 1 person within 60 minutes.
It asked for: 1 deactivation, 0 removals of users, 0 memberships to end, 0 groups to end.

If that is done, it touches 1 person; 0 lose a role.
  1 is deactivated

1 is deactivated:
  cid@acme.example
    is deactivated by the directory

To do exactly this: drawbridge directory resume --tenant acme --connection okta --digest ${digest}
To forget it: drawbridge directory discard --tenant acme --connection okta
`);
  expect(JSON.parse((await cli('directory', 'plan', ...which, '--json')).stdout)).toMatchObject({
    state: 'paused',
    digest,
    since: expect.stringMatching(/^\d{4}-.*Z$/),
    reached: { people: 2, line: 'people' },
    guard: { people: 1, percent: 100, minutes: 60 },
    overflowed: false,
    people: [{ name: 'cid@acme.example', fate: 'deactivated', deactivated: true }],
    counts: { people: 1, losing: 0, fates: { removed: 0, deactivated: 1 } },
  });
  expect((await cli('directory', 'resume', ...which, '--digest', 'f'.repeat(32))).stderr).toMatch(
    /^The plan is out of date/,
  );
  expect((await cli('directory', 'resume', ...which, '--digest', digest)).stdout).toBe(
    'The directory okta of acme goes on. Deactivated: 1, removed: 0, memberships ended: 0, groups ended: 0, administrators kept: 0.\n',
  );
  expect((await deactivate('dan')).kind).toBe('done');
  expect(await deactivate('ann')).toMatchObject({ code: 'directory_paused' });
  expect((await cli('directory', 'discard', ...which)).stdout).toBe(
    'The directory okta of acme goes on. What it asked for is forgotten (1); what it asks for again is counted anew.\n',
  );
});

test('a directory whose connection is switched off is nowhere called active: the plan says what that means for its people', async () => {
  const off = '    enabled: false\n';
  const call = (...args: string[]) => callCommand(world, { configFolder: folder.path }, args);
  const report = (text: string) => text.split('\n').slice(0, 2);
  const meaning =
    'it takes no pushes, nobody signs in by it, its groups give nobody a role, and whoever it deactivated stays so.';
  folder.write({ acme: acme(off) });
  await bringIntoForce(world, folder);
  expect(report((await call('directory', 'plan', ...which)).text)).toEqual([
    `The directory okta of acme is switched off with its connection (enabled: false): ${meaning}`,
    'If it is held:',
  ]);
  expect((await call('directory', 'plan', ...which)).json).toMatchObject({ state: 'off', held: false });
  await expect(call('directory', 'activate', ...which, '--digest', 'f'.repeat(32))).rejects.toThrow(
    'The directory okta of acme is not held, but switched off.',
  );

  folder.write({ acme: acme(held + off) });
  await bringIntoForce(world, folder);
  const plan = await call('directory', 'plan', ...which);
  expect(report(plan.text)).toEqual([
    `The directory okta of acme is held, and switched off with its connection (enabled: false): ${meaning}`,
    'If it is activated:',
  ]);
  folder.write({ acme: acme(off) });
  const digest = digestIn(plan.text);
  expect((await call('directory', 'activate', ...which, '--digest', digest)).text).toBe(
    'The directory okta of acme is not held any more, but switched off; gained: 0, lost: 0, signed out: 0.',
  );

  // A pause outlasts the switch.
  await world.sql(
    `insert into directory_guards (tenant_id, connection_id, paused_at, crossed, people) values ($1, $2, now(), 'people', 2)`,
    [await tenantIdOf(world, 'acme'), await connectionIdOf(world, 'acme', 'okta')],
  );
  const paused = await call('directory', 'plan', ...which);
  expect(paused.text).toContain(`\nIt is switched off with its connection (enabled: false): ${meaning}\n`);
  await call('directory', 'discard', ...which);
});

test('a plan of many counts what comes of them first, then names the first twenty of each kind, or with --all everybody', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  const connectionId = await connectionIdOf(world, 'acme', 'okta');
  const call = (...args: string[]) => callCommand(world, { configFolder: folder.path }, args);
  await call('directory', 'plan', ...which);
  const [staff] = await world.sql<{ id: string }>(
    `select group_id as id from directory_groups where display_name = 'Staff' and ended_at is null`,
  );
  const of = async (kind: string, count: number, groups: readonly string[]) => {
    for (let at = 0; at < count; at++) {
      await pushUser(world, 'acme', 'okta', `${kind}${String(at).padStart(2, '0')}@acme.example`, groups as never);
    }
  };
  const asked = (act: string, kind: string, ids: string) =>
    world.sql(
      `insert into directory_guard_acts (tenant_id, connection_id, act, object_id, member_id)
       select tenant_id, connection_id, $1, ${ids} from directory_users where user_name like $2 || '%' and ended_at is null`,
      [act, kind],
    );
  const user = `directory_user_id, '00000000-0000-0000-0000-000000000000'`;
  await of('gone', 22, [staff?.id ?? '']);
  await of('off', 2, []);
  await of('left', 21, [staff?.id ?? '']);
  await world.sql(
    `insert into directory_guards (tenant_id, connection_id, paused_at, crossed, people)
     select tenant_id, connection_id, now(), 'people', 45 from connections where connection_id = $1`,
    [connectionId],
  );
  await asked('remove_user', 'gone', user);
  await asked('deactivate_user', 'off', user);
  await asked('leave_group', 'left', `'${staff?.id}', directory_user_id`);

  const plan = await call('directory', 'plan', ...which);
  const lines = plan.text.split('\n');
  expect(lines.slice(2, 12)).toEqual([
    '',
    'If that is done, it touches 45 people; 43 lose a role.',
    '  22 are removed',
    '  2 are deactivated',
    '  21 stay and lose a role',
    '',
    '22 are removed:',
    '  gone00@acme.example',
    '    is removed by the directory',
    '    loses Analytics: Viewer (rule "okta:name:Staff -> Analytics: Viewer" maps group "Staff")',
  ]);
  const named = (text: string, kind: string) => text.match(new RegExp(`^  ${kind}\\d\\d@`, 'gm'))?.length;
  expect(['gone', 'off', 'left'].map((kind) => named(plan.text, kind))).toEqual([20, 2, 20]);
  expect(lines.filter((line) => line.includes('…'))).toEqual([
    '  … and 2 more: --all shows them',
    '  … and 1 more: --all shows them',
  ]);
  expect(plan.json).toMatchObject({
    counts: { people: 45, losing: 43, fates: { removed: 22, deactivated: 2, kept: 0, loses_roles: 21, loses_none: 0 } },
  });
  expect((plan.json as { people: readonly object[] }).people).toHaveLength(45);

  const all = await call('directory', 'plan', ...which, '--all');
  expect(['gone', 'off', 'left'].map((kind) => named(all.text, kind))).toEqual([22, 2, 21]);
  expect(all.text).not.toContain('…');
  expect(digestIn(all.text)).toBe(digestIn(plan.text));

  // Somebody who is not among those shown is in the digest all the same: to be deactivated is not to be removed.
  await world.sql(
    `update directory_guard_acts set act = 'deactivate_user'
     where object_id = (select directory_user_id from directory_users where user_name = 'gone21@acme.example')`,
  );
  expect((await cli('directory', 'resume', ...which, '--digest', digestIn(plan.text))).stderr).toMatch(
    /^The plan is out of date/,
  );
  await call('directory', 'discard', ...which);
});
