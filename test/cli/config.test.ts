import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TenantSlug } from '../../src/core/ids.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { processEnv, runCommand } from '../support/command-line.ts';
import {
  bringIntoForce,
  type ConfigFolder,
  configFolder,
  planned,
  pushGroup,
  pushUser,
  tenantIdOf,
  withSystemTenant,
} from '../support/config.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let folder: ConfigFolder;

const acme = (rules: string) => `
tenant: acme
name: Acme
workspaces: { Analytics: { roles: { Viewer: {}, Editor: {} } } }
connections: { okta: { scim: true, domains: [acme.example] } }
rules:
  - { connection: okta, group: { name: Staff }, role: "Analytics: Viewer" }
${rules}`;
const editors = '  - { name: editors, connection: okta, group: { name: Staff }, role: "Analytics: Editor" }\n';

beforeEach(async () => {
  world = await testWorld();
  folder = configFolder();
  await withSystemTenant(world);
});
afterEach(async () => {
  await world.close();
  folder.remove();
});

const cliIn = (env: NodeJS.ProcessEnv, ...args: string[]) =>
  runCommand({ ...processEnv(world), DRAWBRIDGE_CONFIG: folder.path, ...env }, args);
const cli = (...args: string[]) => cliIn({}, ...args);

test('plan tells of a client secret that is not to be had where it runs', async () => {
  const oidc = '    oidc: { issuer: https://idp.example, clientId: a, clientSecret: { env: NOBODY_SET_THIS } }\n';
  folder.write({ acme: `tenant: acme\nname: Acme\nconnections:\n  okta:\n${oidc}` });
  const missing =
    'The client secret of the connection okta in acme is missing here: the variable NOBODY_SET_THIS is not set.';
  expect((await cli('plan')).stdout).toContain(`\n! ${missing}\n`);
  expect(JSON.parse((await cli('plan', '--json')).stdout)).toMatchObject({ warnings: [missing] });
  expect((await cliIn({ NOBODY_SET_THIS: 'x' }, 'plan')).stdout).not.toContain('!');
});

test('plan says what would change and for whom, apply does exactly that, and explain says why', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  const staff = await pushGroup(world, 'acme', 'okta', 'Staff');
  await world.sql(
    `insert into rule_bindings (tenant_id, rule_id, group_id, state) select tenant_id, rule_id, $1, 'bound' from mapping_rules`,
    [staff],
  );
  await world.sql(`update tenants set config_version = nextval('config_versions')`);
  const ann = await pushUser(world, 'acme', 'okta', 'ann@acme.example', [staff]);
  await pushUser(world, 'acme', 'okta', 'bob@acme.example', []);

  folder.write({ acme: acme(editors) });
  const { digest } = await planned(world, folder);
  const plan = await cli('plan');
  expect(plan).toEqual({
    code: 0,
    stderr: '',
    stdout: `acme
  + rule "editors" gives Analytics: Editor
  = rule "editors" speaks of the group "Staff" that is there

People
  ann@acme.example in acme
    gains Analytics: Editor (rule "editors" maps group "Staff")
    keeps Analytics: Viewer (rule "okta:name:Staff -> Analytics: Viewer" maps group "Staff")

1 person differs: 1 gains, 0 lose, 0 are signed out (1 looked at).

To apply exactly this: drawbridge apply --digest ${digest}
`,
  });
  const json = JSON.parse((await cli('plan', '--json')).stdout) as { digest: string; people: unknown };
  expect(json).toMatchObject({
    digest,
    people: [{ subject: { id: ann }, gains: [{ role: 'Analytics: Editor' }], endsSessions: false }],
  });

  const applied = await cli('apply', '--digest', digest);
  expect(applied).toEqual({
    code: 0,
    stderr: '',
    stdout: 'Applied: 1 change; gained: 1, lost: 0, signed out: 0.\n',
  });
  expect((await cli('plan')).stdout).toBe('Nothing to change: what is in force is what the files say.\n');

  const explained = await cli('explain', '--tenant', 'acme', '--user', 'ann@acme.example');
  expect(explained.stdout).toBe(`ann@acme.example in acme: active
  Analytics: Editor
    rule "editors" maps group "Staff"
  Analytics: Viewer
    rule "okta:name:Staff -> Analytics: Viewer" maps group "Staff"
`);
  const why = await cli('explain', '--tenant', 'acme', '--user', 'bob@acme.example', '--role', 'Editor');
  expect(why.stdout).toBe(`bob@acme.example in acme: no access, since nothing gives a role
  Analytics: Editor is not held
    rule "editors" gives it to the group of okta by name "Staff": they are no member
`);

  // Without a role the way to ask why is said.
  expect(
    (await cli('explain', '--tenant', 'acme', '--user', 'bob@acme.example')).stdout,
  ).toBe(`bob@acme.example in acme: no access, since nothing gives a role
  --role 'Workspace: Role' tells what would give it, and why it does not
`);

  const tenant = { tenantId: await tenantIdOf(world, 'acme'), slug: 'acme' as TenantSlug };
  await suspend(
    world.context(),
    tenant,
    { subjectId: ann, kind: 'user', person: { tenantId: tenant.tenantId, userId: ann } },
    null,
  );
  const barred = await cli('explain', '--tenant', 'acme', '--user', 'ann@acme.example', '--role', 'Editor', '--json');
  expect(JSON.parse(barred.stdout)).toMatchObject({
    state: 'suspended',
    roles: [],
    role: { label: 'Analytics: Editor', held: null, rules: [{ rule: 'editors', groups: [{ displayName: 'Staff' }] }] },
  });
});

test('what cannot be planned or applied is told on stderr, with a non-zero exit and nothing on stdout', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  folder.write({ acme: acme(editors) });
  const stale = await cli('apply', '--digest', '0'.repeat(32));
  expect(stale).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'The plan is out of date: something changed since. Plan again, read it, and go by the digest that it prints.\n',
  });
  folder.write({ acme: acme('  - { connection: okta, group: { name: X }, role: Nobody }\n') });
  for (const command of [['plan'], ['apply', '--digest', 'x'], ['plan', '--json']]) {
    expect(await cli(...command)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'tenants/acme.yaml:8:51: rules[1].role is "Nobody", which is no role of this tenant; expected one of "Administration: Administrator", "Administration: TenantManagement", "Analytics: Viewer", "Analytics: Editor".\n',
    });
  }
  folder.write({ acme: acme('').replace('name: Acme', 'name: Acme\nparent: nowhere') });
  expect((await cli('plan')).stderr).toBe(
    'tenants/acme.yaml:4:9: parent is "nowhere", which is no tenant; expected a tenant that exists or has a file.\n' +
      'tenants/acme.yaml:4:9: parent is "nowhere", and the tenant is there below "system"; expected the parent it was made with.\n',
  );
  expect((await cli('apply')).stderr).toBe('--digest is missing. Usage: apply --digest D\n');
});

test('T56 explain names the group that waits for an administrator, and the command that lets it give its role', async () => {
  folder.write({ acme: acme('  - { connection: okta, group: { name: Crew }, role: "Analytics: Viewer" }\n') });
  await bringIntoForce(world, folder);
  // Nothing binds it, as it is with the second group of a name.
  const later = await pushGroup(world, 'acme', 'okta', 'crew');
  await pushUser(world, 'acme', 'okta', 'kim@acme.example', [later]);
  const rule = 'okta:name:Crew -> Analytics: Viewer';
  const held =
    `  rule "${rule}" would give Analytics: Viewer by the group "crew", which waits for an administrator: ` +
    `drawbridge rule approve --tenant acme --rule '${rule}' --group ${later}\n`;
  const noMember = `    rule "okta:name:Staff -> Analytics: Viewer" gives it to the group of okta by name "Staff": they are no member\n`;
  const kim = ['explain', '--tenant', 'acme', '--user', 'kim@acme.example'];
  const head = 'kim@acme.example in acme: no access, since nothing gives a role\n';
  expect((await cli(...kim)).stdout).toBe(`${head}${held}`);
  expect((await cli(...kim, '--role', 'Viewer')).stdout).toBe(
    `${head}  Analytics: Viewer is not held\n${noMember}${held}`,
  );
  expect((await cli(...kim, '--role', 'Editor')).stdout).not.toContain('waits for an administrator');
});

test('a role assigned to somebody who is deactivated is told as assigned, not as held', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  await pushUser(world, 'acme', 'okta', 'off@acme.example', [], false);
  const assign = [
    'user',
    'assign-role',
    '--tenant',
    'acme',
    '--user',
    'off@acme.example',
    '--role',
    'Analytics: Viewer',
  ];
  expect((await cli(...assign)).stdout).toBe(
    'Analytics: Viewer is assigned to off@acme.example; it does not count while they are deactivated.\n',
  );
});

test('R22 of somebody who is deactivated and suspended both are told', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  await pushUser(world, 'acme', 'okta', 'both@acme.example', [], false);
  const who = ['--tenant', 'acme', '--user', 'both@acme.example'];
  const explained = async () => (await cli('explain', ...who)).stdout;
  expect(await explained()).toMatch(/^both@acme\.example in acme: deactivated: Is Active is off(?!.*uspended)/);
  await cli('user', 'suspend', ...who);
  expect(await explained()).toMatch(
    /: deactivated: Is Active is off.*\. Suspended since \S+Z, too, until an administrator assigns a role\n$/,
  );
});

test('what directories named does nothing on the terminal, and begins no line there', async () => {
  folder.write({ acme: acme('') });
  await bringIntoForce(world, folder);
  await pushUser(world, 'acme', 'okta', 'mal\u001b]0;x\u0007\u202e@acme.example', []);
  await pushUser(world, 'acme', 'okta', 'two\nlines@acme.example', []);
  const { stdout } = await cli('user', 'list', '--tenant', 'acme');
  expect(stdout).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
  expect(stdout).toContain('mal\ufffd]0;x\ufffd\ufffd@acme.example');
  expect(stdout).toContain('two\ufffdlines@acme.example');
});

test('in a folder without a database nothing is made: a mistyped path is told', async () => {
  const nowhere = join(folder.path, 'nowhere');
  const answer = await cliIn({ DATABASE_URL: undefined, DRAWBRIDGE_DATA: nowhere }, 'tenant', 'list');
  expect(answer).toEqual({
    code: 1,
    stdout: '',
    stderr: `There is no database in ${nowhere}: start the server first, and give the command the same environment.\n`,
  });
  expect(existsSync(nowhere)).toBe(false);
});

test('an unknown command names the ones that are near, a stray word the usage', async () => {
  expect((await cli('tenant')).stderr).toBe('There is no command "tenant"; there is tenant list, tenant create.\n');
  expect((await cli('tenant', 'list', 'x')).stderr).toBe("Unexpected argument 'x'. Usage: tenant list [--all]\n");
  expect((await cli('tenant', 'list', '--x')).stderr).toBe("Unknown option '--x'. Usage: tenant list [--all]\n");
  expect(await cli('nothing', 'of', 'that')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'There is no command "nothing of": --help shows them all.\n',
  });
});

test('help is told by option and by name, of one command too; of what is no command it is an error', async () => {
  const whole = await cli('--help');
  expect([whole.code, whole.stderr]).toEqual([0, '']);
  expect((await cli('-h')).stdout).toBe(whole.stdout);
  expect(await cli('--version')).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' });
  expect((await cli('help', 'tenant', 'list')).stdout).toMatch(
    /^drawbridge <command> .*\n\n {2}tenant list \[--all\]\n {6}every tenant/,
  );
  expect((await cli('tenant', 'list', '--x', 'y', '--help')).stdout).toContain('\n  tenant list [--all]\n');
  expect(await cli('nothing', '--help')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'There is no command "nothing": --help shows them all.\n',
  });
});

test('--json may stand before the command', async () => {
  const { stdout } = await cli('--json', 'tenant', 'list');
  expect(JSON.parse(stdout)).toEqual(JSON.parse((await cli('tenant', 'list', '--json')).stdout));
});
