// The main job, played from end to end on an embedded database in a temporary folder, with real identity providers in a process
// of their own. Ends with an error unless everything held. `npm run demo -- --keep` leaves it running.

import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newBrowser, signInBy, startApplication, type Tokens } from './demo/application.ts';
import { entra, okta } from './demo/directories.ts';
import { cli, cliText, freePort, installationIn, startServer } from './demo/processes.ts';
import { openScreen } from './demo/screen.ts';
import { editTenantFile, writeDemoConfig } from './demo-config.ts';
import { startUpstreamIdps } from './upstream-idps.ts';

const dana = {
  email: 'dana@acme.example',
  givenName: 'Dana',
  familyName: 'Voss',
  externalId: '00u1dana',
  objectId: '0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef',
};
const omar = { email: 'omar@acme.example', givenName: 'Omar', familyName: 'Haddad', externalId: '00u2omar' };
const lin = { email: 'lin@acme.example', givenName: 'Lin', familyName: 'Park', externalId: '00u3lin' };
const eve = { email: 'eve@acme.example', givenName: 'Eve', familyName: 'Moreau', externalId: '00u9eve' };
const password = 'at-the-provider';

const asked = process.argv.slice(2);
if (asked.some((word) => word !== '--keep')) {
  const isHelp = asked.some((word) => word === '--help' || word === '-h');
  const usage = 'usage: npm run demo -- [--keep]\n\n  --keep    leave it running at the end, until Ctrl-C\n';
  (isHelp ? process.stdout : process.stderr).write(usage);
  process.exit(isHelp ? 0 : 2);
}
const started = Date.now();
const screen = openScreen();
const folder = mkdtempSync(join(tmpdir(), 'drawbridge-demo-'));
// Started by root, the database runs as another user, who has to pass through here.
chmodSync(folder, 0o711);
const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
let stopping = false;
async function stop(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const close of closing.reverse()) await close();
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(130));
// Nobody reads on, as of `| head`: without this the server would outlive the demo.
process.stdout.on('error', () => void stop(1));

try {
  await story();
} catch (error) {
  screen.expect(`the story goes on: ${error instanceof Error ? error.message : String(error)}`, false);
}
const seconds = ((Date.now() - started) / 1000).toFixed(1);
screen.title(screen.failed === 0 ? `Everything held, in ${seconds} s.` : `Not everything held (${seconds} s).`);
process.stdout.write(`${screen.passed} passed, ${screen.failed} failed\n`);
if (!asked.includes('--keep') || screen.failed > 0) await stop(screen.failed === 0 ? 0 : 1);
else screen.say('Still running. Ctrl-C ends it.');

async function story(): Promise<void> {
  screen.title('Drawbridge: identity providers write facts, administrators write decisions, access is derived.');

  screen.step('A server on its own PostgreSQL, and two identity providers beside it');
  const person = (who: typeof eve & { objectId?: string }) => ({
    login: who.email,
    password,
    oidc: {
      sub: who.externalId,
      claims: { email: who.email, email_verified: true, name: `${who.givenName} ${who.familyName}` },
    },
    ...(who.objectId === undefined
      ? {}
      : {
          saml: {
            nameId: who.objectId,
            attributes: { 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress': who.email },
          },
        }),
  });
  const installation = await installationIn(folder);
  const { publicUrl } = installation;
  const upstream = await startUpstreamIdps({
    people: [dana, omar, lin, eve].map(person),
    oidc: { redirectUris: [`${publicUrl}/t/acme/oidc/okta/callback`] },
    saml: {
      serviceProviders: [
        { entityId: `${publicUrl}/t/acme/saml/entra/metadata`, acsUrl: `${publicUrl}/t/acme/saml/entra/acs` },
      ],
    },
  });
  closing.push(() => upstream.stop());
  writeDemoConfig(join(folder, 'config'), upstream);
  const server = await startServer(installation);
  closing.push(() => server.stop());
  const application = await startApplication(await freePort());
  closing.push(() => application.close());
  screen.say(`server       ${publicUrl}`);
  screen.say(`"Okta"       ${upstream.oidc.issuer} (OpenID Connect)`);
  screen.say(`"Entra ID"   ${upstream.saml.signOnUrl} (SAML 2.0)`);
  screen.expect('the first start prints a one-time link for the first administrator', server.firstLink !== null);
  const tenants = await cli<{ id: string; parent: string | null }[]>(installation, 'tenant', 'list');
  const parents = Object.fromEntries(tenants.map(({ id, parent }) => [id, parent]));
  screen.expect(
    'acme, acme-labs below it, and globex are in force from their files',
    parents.acme === 'system' && parents['acme-labs'] === 'acme' && parents.globex === 'system',
    parents,
  );
  const registered = await cli<{ issuer: string; clientId: string; clientSecret: string }>(
    installation,
    'client',
    'create',
    '--tenant',
    'system',
    '--name',
    'Demo application',
    '--redirect-uri',
    application.redirectUri,
    '--resource',
    application.resource,
  );
  await application.connect(registered.issuer, registered.clientId, registered.clientSecret);

  screen.step('Okta pushes three people and two groups');
  const tokenFor = (connection: string) =>
    cliText(installation, 'scim-token', 'create', '--tenant', 'acme', '--connection', connection);
  const [oktaToken, entraToken] = [await tokenFor('okta'), await tokenFor('entra')];
  const fromOkta = okta(`${publicUrl}/scim/v2/acme/okta`, oktaToken);
  const fromEntra = entra(`${publicUrl}/scim/v2/acme/entra`, entraToken);
  screen.expect('Okta tests its credentials', (await fromOkta.test()).status === 200);
  const ids = new Map<string, string>();
  for (const who of [dana, omar, lin]) {
    const answer = await fromOkta.pushUser(who);
    ids.set(who.email, String(answer.body.id));
    screen.expect(`${who.email} is created`, answer.status === 201, answer);
  }
  screen.expect(
    'the password in the push is kept nowhere',
    !JSON.stringify(await cli(installation, 'user', 'list', '--tenant', 'acme')).includes('1mz050nq'),
  );
  const group = async (displayName: string) => ({
    id: String((await fromOkta.pushGroup(displayName)).body.id),
    displayName,
  });
  const [admins, viewers] = [await group('Acme Admins'), await group('Acme Viewers')];
  const member = (who: { email: string }) => ({ id: ids.get(who.email) ?? '', email: who.email });
  const joined = [
    await fromOkta.setMembers(admins, [member(dana)]),
    await fromOkta.setMembers(viewers, [member(dana), member(omar), member(lin)]),
  ];
  screen.expect(
    'Acme Admins has Dana, Acme Viewers has all three',
    joined.every(({ status }) => status === 204 || status === 200),
    joined,
  );

  screen.step('Entra ID pushes Dana as well');
  screen.expect(
    'its connection test finds nobody, politely',
    (await fromEntra.test('5d6b6f0c-7d0e-4f2e-9a43-0c7c5f7ab111')).body.totalResults === 0,
  );
  const pushed = await fromEntra.pushUser({
    objectId: dana.objectId,
    upn: dana.email,
    givenName: dana.givenName,
    familyName: dana.familyName,
  });
  const entraId = String(pushed.body.id);
  screen.expect(
    'the account that is there is adopted, not doubled',
    pushed.status === 201 && (await cli<unknown[]>(installation, 'user', 'list', '--tenant', 'acme')).length === 3,
    pushed,
  );
  const patched = await fromEntra.patchUser(entraId, [
    { op: 'Add', path: 'phoneNumbers[type eq "mobile"].value', value: '+49 30 1234567' },
    { op: 'Replace', path: 'active', value: 'True' },
    { op: 'Add', path: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department', value: 'Research' },
  ]);
  screen.expect(
    '"Add", "True" and a path to a value that does not exist yet are understood',
    patched.status === 200 && patched.body.active === true && JSON.stringify(patched.body).includes('+49 30 1234567'),
    patched,
  );
  const editors = await fromEntra.pushGroup('Acme Editors', '7c2e5a31-1111-4222-8333-944455556666');
  screen.expect('Acme Editors has Dana', (await fromEntra.addMember(String(editors.body.id), entraId)).status === 204);

  screen.step('Dana signs in by Okta');
  const browser = newBrowser();
  const viaOkta = { email: dana.email, button: 'Okta', login: dana.email, password };
  const first = await application.authorize(browser);
  let tokens = tokensOf(await application.arrive(first, await signInBy(browser, first.page, viaOkta)), 'Dana signs in');
  showToken(tokens);
  screen.expect(
    'roles come from the groups of both directories',
    same(tokens.access.roles, ['Analytics: Admin', 'Analytics: Editor', 'Analytics: Viewer']),
    tokens.access.roles,
  );
  screen.expect(
    'allowed_tenants is acme alone',
    same(tokens.access.allowed_tenants, ['acme']) && tokens.access.tenant_id === 'acme',
    tokens.access,
  );
  screen.say('Why each role is there:');
  screen.show(await cliText(installation, 'explain', '--tenant', 'acme', '--user', dana.email));

  screen.step('Somebody whom nobody announced');
  const stranger = newBrowser();
  const viaOktaAsEve = { email: eve.email, button: 'Okta', login: eve.email, password };
  const turnedAway = await application.authorize(stranger);
  const refusal = await signInBy(stranger, turnedAway.page, viaOktaAsEve);
  screen.expect('invite-only turns Eve away', refusal.status === 403, refusal.status);
  screen.say(`the page says: “${firstWords(refusal.text.replace(/^.*?Drawbridge Drawbridge /s, ''))}”`);
  editTenantFile(join(folder, 'config'), 'acme', [['  mode: invite_only ', '  mode: jit ']]);
  await applyFiles();
  const again = await application.authorize(stranger);
  const landing = await signInBy(stranger, again.page, viaOktaAsEve);
  screen.expect(
    'after acme switches to JIT, Eve has an account, no access, and a page that says so',
    landing.text.includes('You need access') && landing.text.includes('it@acme.example'),
    landing.text,
  );
  const form = landing.forms.findIndex((one) => one.buttons.some((button) => /request access/i.test(button.text)));
  const asked = await stranger.submit(landing, {}, { form });
  const eveNow = await cli<{ state: string; accessRequestedAt: string | null }>(
    installation,
    'user',
    'show',
    '--tenant',
    'acme',
    '--user',
    eve.email,
  );
  screen.expect(
    'she asks for access; the request is on her user',
    asked.status === 200 && eveNow.state === 'no_access' && eveNow.accessRequestedAt !== null,
    eveNow,
  );

  const letters = await lettersTo(dana.email);
  screen.expect(
    'Dana, whose role has CreateUser, gets a letter about it',
    letters.some((letter) => letter.includes('Eve Moreau')),
    letters,
  );

  screen.step('An administrator maps Dana into acme-labs');
  await cli(
    installation,
    'mapping',
    'add',
    '--tenant',
    'acme-labs',
    '--source',
    'acme',
    '--user',
    dana.email,
    '--role',
    'Research: Scientist',
  );
  tokens = await application.refresh(tokens.refreshToken);
  screen.expect(
    'the next refresh shows both tenants',
    same(tokens.access.allowed_tenants, ['acme', 'acme-labs']),
    tokens.access.allowed_tenants,
  );
  const switched = await application.authorize(browser, 'acme-labs');
  const labs = tokensOf(await application.arrive(switched, switched.page), 'Dana switches to acme-labs');
  showToken(labs);
  screen.expect(
    'the switch needs no new sign-in and gives the roles held there',
    labs.access.tenant_id === 'acme-labs' && same(labs.access.roles, ['Research: Scientist']),
    labs.access,
  );
  tokens = await application.refresh(tokens.refreshToken);
  screen.expect('the token for acme goes on as before', tokens.access.tenant_id === 'acme', tokens.access);

  screen.step('An administrator suspends Dana');
  await cli(installation, 'user', 'suspend', '--tenant', 'acme', '--user', dana.email, '--reason', 'left the company');
  screen.expect('the refresh token is dead', await refuses(application.refresh(tokens.refreshToken)));
  screen.expect('so is the one for acme-labs', await refuses(application.refresh(labs.refreshToken)));
  const afterwards = await application.authorize(browser);
  screen.expect(
    'the session is gone: the application’s next visit asks for a sign-in',
    afterwards.page.text.includes('Sign in'),
    afterwards.page.text,
  );

  screen.step('Everything that gives access back elsewhere');
  screen.expect('Okta pushes active: true', (await fromOkta.setActive(dana.email, true)).status === 200);
  screen.expect('Okta adds her to Acme Admins again', (await fromOkta.setMembers(admins, [member(dana)])).status < 300);
  screen.expect('Okta deletes her', (await fromOkta.remove(dana.email)).status === 204);
  const recreated = await fromOkta.pushUser(dana);
  ids.set(dana.email, String(recreated.body.id));
  screen.expect('and creates her anew', recreated.status === 201, recreated);
  await fromOkta.setMembers(admins, [member(dana)]);
  const byOidc = await signInBy(browser, afterwards.page, viaOkta);
  screen.expect('she signs in by OIDC: NO_ACCESS', byOidc.text.includes('You need access'), byOidc.text);
  const samlBrowser = newBrowser();
  const viaEntra = { ...viaOkta, button: 'Entra' };
  const bySamlStart = await application.authorize(samlBrowser);
  const bySaml = await signInBy(samlBrowser, bySamlStart.page, viaEntra);
  screen.expect('she signs in by SAML: NO_ACCESS', bySaml.text.includes('You need access'), bySaml.text);
  const suspended = await cli<{ state: string; roles: string[]; allowedTenants: string[] }>(
    installation,
    'user',
    'show',
    '--tenant',
    'acme',
    '--user',
    dana.email,
  );
  screen.expect(
    'she is suspended, without roles, without tenants',
    suspended.state === 'suspended' && suspended.roles.length + suspended.allowedTenants.length === 0,
    suspended,
  );

  screen.step('An administrator assigns a data role');
  await cli(installation, 'user', 'assign-role', '--tenant', 'acme', '--user', dana.email, '--role', 'Billing: Clerk');
  const back = await application.authorize(samlBrowser);
  tokens = tokensOf(
    await application.arrive(back, await signInBy(samlBrowser, back.page, viaEntra)),
    'Dana signs in by SAML',
  );
  showToken(tokens);
  screen.expect(
    'she is back, with that role and what her groups map',
    same(tokens.access.roles, ['Analytics: Admin', 'Analytics: Editor', 'Billing: Clerk']),
    tokens.access.roles,
  );
  screen.expect(
    'the mapping into acme-labs holds again',
    same(tokens.access.allowed_tenants, ['acme', 'acme-labs']),
    tokens.access.allowed_tenants,
  );

  screen.step('The mapping is removed');
  await cli(installation, 'mapping', 'remove', '--tenant', 'acme-labs', '--source', 'acme', '--user', dana.email);
  tokens = await application.refresh(tokens.refreshToken);
  screen.expect(
    'acme-labs is gone at the next refresh',
    same(tokens.access.allowed_tenants, ['acme']),
    tokens.access.allowed_tenants,
  );

  screen.step('A rule change is planned, applied and explained');
  editTenantFile(join(folder, 'config'), 'acme', [
    [
      '  - { connection: okta, group: { name: Acme Viewers }, role: "Analytics: Viewer" }',
      '  - { connection: okta, group: { name: Acme Viewers }, role: "Billing: Clerk" }',
    ],
  ]);
  const plan = await applyFiles();
  screen.show(plan);
  const omarNow = await cli<{ roles: string[] }>(
    installation,
    'user',
    'show',
    '--tenant',
    'acme',
    '--user',
    omar.email,
  );
  screen.expect(
    'Omar lost Analytics: Viewer and gained Billing: Clerk, as the plan said',
    same(omarNow.roles, ['Billing: Clerk']) && plan.includes('omar@acme.example'),
    omarNow,
  );
  screen.show(
    await cliText(installation, 'explain', '--tenant', 'acme', '--user', omar.email, '--role', 'Billing: Clerk'),
  );

  async function applyFiles(): Promise<string> {
    const text = await cliText(installation, 'plan');
    const digest = /--digest (\S+)/.exec(text)?.[1];
    if (digest === undefined) throw new Error(`the plan has no digest: ${text}`);
    await cliText(installation, 'apply', '--digest', digest);
    return text;
  }

  /** What the server wrote to its mail folder, since no SMTP server is set; the queue has two seconds. */
  async function lettersTo(email: string): Promise<readonly string[]> {
    const mail = join(String(installation.env.DRAWBRIDGE_DATA), 'mail');
    for (let waited = 0; ; waited += 100) {
      const files = existsSync(mail) ? readdirSync(mail).filter((file) => file.endsWith('.eml')) : [];
      const letters = files
        .map((file) => readFileSync(join(mail, file), 'utf8'))
        .filter((text) => text.includes(email));
      if (letters.length > 0 || waited > 5_000) return letters;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  if (process.argv.includes('--keep')) {
    screen.title('Left running');
    screen.say(`server          ${publicUrl}`);
    screen.say(`first admin     ${server.firstLink}`);
    screen.say(`application     ${application.start}: sign in, and read your token`);
    screen.say(
      `sign in as      ${[dana, omar, lin, eve].map((who) => who.email).join(', ')} with the password "${password}" at the provider`,
    );
    screen.say(
      `settings        DRAWBRIDGE_DATA=${installation.env.DRAWBRIDGE_DATA} DRAWBRIDGE_CONFIG=${installation.env.DRAWBRIDGE_CONFIG} PORT=${installation.env.PORT}`,
    );
    screen.say(`server log      ${installation.logFile}`);
  }
}

function tokensOf(
  arrived: Awaited<ReturnType<Awaited<ReturnType<typeof startApplication>>['arrive']>>,
  what: string,
): Tokens {
  if ('page' in arrived)
    throw new Error(
      `${what}: the browser stays at ${arrived.page.url} (${arrived.page.status}): ${firstWords(arrived.page.text)}`,
    );
  return arrived;
}

function showToken({ access }: Tokens): void {
  const { iss, aud, sub, tenant_id, home_tenant_id, roles, allowed_tenants, exp = 0, iat = 0 } = access;
  screen.say('The access token:');
  screen.show(
    JSON.stringify(
      { iss, aud, sub, tenant_id, home_tenant_id, roles, allowed_tenants, lives: `${exp - iat} s` },
      null,
      2,
    ),
  );
}

async function refuses(refresh: Promise<unknown>): Promise<boolean> {
  return refresh.then(
    () => false,
    (error: { error?: string }) => error.error === 'invalid_grant',
  );
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function firstWords(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 200);
}
