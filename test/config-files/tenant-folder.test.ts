import { appendFileSync, cpSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/config-files/problem.ts';
import { tenantFileJsonSchema } from '../../src/config-files/tenant-file.ts';
import { type FolderOptions, readTenantFolder } from '../../src/config-files/tenant-folder.ts';
import type { TenantConfig } from '../../src/core/config.ts';

const root = mkdtempSync(join(tmpdir(), 'drawbridge-config-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const example = fileURLToPath(new URL('../../config/example', import.meta.url));

function folderOf(files: Record<string, string | Buffer>): string {
  const folder = mkdtempSync(join(root, 'folder-'));
  mkdirSync(join(folder, 'tenants'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}
const tenant = (yaml: string) => folderOf({ 'tenants/acme.yaml': `tenant: acme\nname: Acme\n${yaml}` });

async function read(folder: string, options?: FolderOptions): Promise<readonly TenantConfig[]> {
  const result = await readTenantFolder(folder, options);
  if (result.kind === 'refused') throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.tenants;
}
async function problems(folder: string, options?: FolderOptions): Promise<readonly string[]> {
  const result = await readTenantFolder(folder, options);
  return result.kind === 'refused' ? result.problems.map(formatProblem) : [];
}

test('no folder and an empty one are no tenants: the project’s own config holds none', async () => {
  expect(await read(join(root, 'nowhere'))).toEqual([]);
  expect(await read(folderOf({ 'tenants/.gitkeep': '', 'tenants/README.md': '# not read' }))).toEqual([]);
  expect(await read(fileURLToPath(new URL('../../config', import.meta.url)))).toEqual([]);
});

test('a file of two lines is a whole tenant, with every default filled in (R2, C1, C2, C4, C5, C13, C18, C24)', async () => {
  expect(await read(tenant(''))).toEqual([
    {
      slug: 'acme',
      parent: 'system',
      displayName: 'Acme',
      active: true,
      settings: {
        provisioningMode: 'invite_only',
        initialAccess: 'mapped_roles',
        defaultRole: null,
        authorization: 'hybrid',
        registrationAllowed: false,
        linking: 'verified_domain',
        domainScope: 'owned_domains',
        passwordSignIn: false,
        adminContact: null,
        mappingRevocation: 'next_refresh',
      },
      allowedDomains: [],
      roles: [],
      connections: [],
      rules: [],
    },
  ]);
});

test('the example folder reads as three tenants, and its files say nothing that is not read', async () => {
  const tenants = await read(example);
  expect(tenants.map((one) => [one.slug, one.parent])).toEqual([
    ['acme-labs', 'acme'],
    ['acme', 'system'],
    ['globex', 'system'],
  ]);
  const acme = tenants[1];
  expect(acme?.connections.map(({ key, protocol, scim, domains }) => ({ key, protocol, scim, domains }))).toEqual([
    { key: 'okta', protocol: 'oidc', scim: true, domains: ['acme.example'] },
    { key: 'entra', protocol: 'saml', scim: true, domains: ['acme.example'] },
  ]);
  expect(acme?.connections[0]).toMatchObject({
    issuer: 'https://acme.okta.example',
    oidc: { clientSecret: { env: 'ACME_OKTA_SECRET' }, groupsClaim: 'groups' },
  });
  expect(acme?.connections[1]).toMatchObject({
    saml: { certificates: [expect.stringMatching(/^-----BEGIN CERTIFICATE-----/)], clockSkewSeconds: 60 },
  });
});

test('the JSON Schema that editors use is the one that files are read with', async () => {
  const published = JSON.parse(
    await readFile(new URL('../../docs/tenant.schema.json', import.meta.url), 'utf8'),
  ) as unknown;
  expect(published).toEqual(JSON.parse(JSON.stringify(tenantFileJsonSchema())));
});

test('a role may be named in any case, or by its name alone, and is kept as its own label', async () => {
  const yaml = `
provisioning: { initialAccess: default_role, defaultRole: viewer }
workspaces: { Analytics: { roles: { Viewer: {}, Editor: { rights: [CreateUser, CreateUser] } } } }
connections: { okta: { scim: true } }
rules:
  - { connection: okta, group: { name: E }, role: editor }
  - { name: by hand, connection: okta, group: { prefix: app-, allowNewGroups: true }, role: "analytics: VIEWER" }
  - { group: { local: TenantOwners }, role: administrator }
`;
  const [acme] = await read(tenant(yaml));
  expect(acme?.settings.defaultRole).toBe('Analytics: Viewer');
  expect(acme?.roles[1]?.rights).toEqual(['CreateUser']);
  expect(acme?.rules).toEqual([
    {
      key: 'okta:name:E -> Analytics: Editor',
      match: { kind: 'name', connection: 'okta', value: 'E' },
      role: 'Analytics: Editor',
    },
    {
      key: 'by hand',
      match: { kind: 'prefix', connection: 'okta', value: 'app-', allowNewGroups: true },
      role: 'Analytics: Viewer',
    },
    {
      key: 'local:TenantOwners -> Administration: Administrator',
      match: { kind: 'local', value: 'TenantOwners' },
      role: 'Administration: Administrator',
    },
  ]);
});

describe('an invalid value is named with file, line, column, what was found and what was expected', () => {
  const at = 'tenants/acme.yaml:';
  test.each([
    ['parnet: x', `${at}3:1: parnet is not known; expected one of tenant, name, parent,`],
    ['provisioning:\n  mode: jitt', `${at}4:9: provisioning.mode is "jitt"; expected one of invite_only, jit.`],
    [
      'provisioning: invite_only',
      `${at}3:15: provisioning is "invite_only"; expected a mapping with mode, initialAccess,`,
    ],
    ['active: yes', `${at}3:9: active is "yes"; expected true or false.`],
    [
      'adminContact: javascript:alert(1)',
      `${at}3:15: adminContact is "javascript:alert(1)"; expected an email address or an https address.`,
    ],
    [
      'allowedDomains:\n  - acme.example\n  - "*"',
      `${at}5:5: allowedDomains[1] is "*"; expected a domain, or *.domain for all below it.`,
    ],
    [
      'workspaces: { "A: B": { roles: {} } }',
      `${at}3:15: workspaces["A: B"] is not a good name; expected a name without ":", at most 100 characters.`,
    ],
    [
      'workspaces: { A: { roles: { NO_ACCESS: {} } } }',
      `${at}3:29: workspaces.A.roles.NO_ACCESS is not a good name; expected a name of at most 100 characters; NO_ACCESS is a state and no role.`,
    ],
    [
      'workspaces: { A: { roles: { R: { rights: [Everything] } } } }',
      `${at}3:43: workspaces.A.roles.R.rights[0] is "Everything"; expected one of CreateUser,`,
    ],
    ['connections: { Okta: { scim: true } }', `${at}3:16: connections.Okta is not a good name; expected a key: a-z,`],
    [
      'connections: { okta: { domains: [localhost], scim: true } }',
      `${at}3:34: connections.okta.domains[0] is "localhost"; expected a domain such as example.com.`,
    ],
    [
      'connections: { okta: { oidc: { issuer: http://okta.example, clientId: a } } }',
      `${at}3:40: connections.okta.oidc.issuer is "http://okta.example"; expected an https address`,
    ],
    [
      'connections: { okta: { oidc: { issuer: https://okta.example } } }',
      `${at}3:30: connections.okta.oidc.clientId is missing; expected the client id that the IdP gave.`,
    ],
    [
      'connections: { okta: { oidc: { issuer: https://a.example, clientId: a, scopes: [email] } } }',
      `${at}3:80: connections.okta.oidc.scopes is a list; expected a list of scopes with openid among them.`,
    ],
    [
      'connections: { e: { saml: { issuer: a, signOnUrl: https://a.example } } }',
      `${at}3:27: connections.e.saml.certificates is missing; expected a value here, or a metadataFile that says it.`,
    ],
    [
      'connections: { e: { saml: { issuer: a, signOnUrl: https://a.example, certificates: [] } } }',
      `${at}3:84: connections.e.saml.certificates is a list; expected at least one certificate.`,
    ],
    [
      'connections: { e: { saml: { issuer: a, signOnUrl: https://a.example, certificates: [QUJD] } } }',
      `${at}3:85: connections.e.saml.certificates[0] is "QUJD"; expected an X.509 certificate`,
    ],
    [
      'rules:\n  - { connection: a, group: { name: x, id: y }, role: z }',
      `${at}4:29: rules[0].group is a mapping; expected exactly one of { id: … }`,
    ],
    [
      'rules:\n  - { group: { name: x }, role: z }',
      `${at}4:5: rules[0].connection is missing; expected the connection whose group this is.`,
    ],
    ['rules: { a: b }', `${at}3:8: rules is a mapping; expected a list of rules.`],
  ])('%s', async (yaml, problem) => {
    const found = await problems(tenant(yaml));
    expect(found).toHaveLength(1);
    expect(found[0]?.slice(0, problem.length)).toBe(problem);
  });

  test('all of them at once, in the order of the files', async () => {
    const folder = folderOf({
      'tenants/b.yaml': 'tenant: b\nname: ""\nactive: 1\n',
      'tenants/aa.yaml': 'tenant: aa\nnme: x\n',
    });
    expect((await problems(folder)).map((problem) => problem.split(' is ')[0])).toEqual([
      'tenants/aa.yaml:1:1: name',
      'tenants/aa.yaml:2:1: nme',
      'tenants/b.yaml:1:9: tenant',
      'tenants/b.yaml:2:7: name',
      'tenants/b.yaml:3:9: active',
    ]);
  });
});

describe('what a file says must hold together', () => {
  const base = `
workspaces:
  Analytics: { roles: { Viewer: {} } }
connections:
  okta: { oidc: { issuer: https://a.example, clientId: a }, enabled: false, scim: true }
`;
  test.each([
    [
      'R9: JIT without an enabled connection to sign in by',
      `${base}provisioning: { mode: jit }`,
      'acme.yaml:8:23: provisioning.mode is jit, and no connection is there to sign in by; expected an enabled connection with oidc or saml, or invite_only.',
    ],
    [
      'T112: a rule to an unknown role',
      `${base}rules:\n  - { connection: okta, group: { name: x }, role: "Analytics: Editor" }`,
      'acme.yaml:9:51: rules[0].role is "Analytics: Editor", which is no role of this tenant; expected one of "Administration: Administrator", "Administration: TenantManagement", "Analytics: Viewer".',
    ],
    [
      'NO_ACCESS is no role',
      `${base}rules:\n  - { connection: okta, group: { name: x }, role: no_access }`,
      'acme.yaml:9:51: rules[0].role is "no_access", which is a state and no role; expected a role, or no rule at all: who holds no role has no access.',
    ],
    [
      'a rule of an unknown connection',
      `${base}rules:\n  - { connection: entra, group: { name: x }, role: Viewer }`,
      'acme.yaml:9:19: rules[0].connection is "entra", which is no connection of this tenant; expected one of okta.',
    ],
    [
      'T56: a prefix that says nothing of new groups',
      `${base}rules:\n  - { connection: okta, group: { prefix: x }, role: Viewer }`,
      'acme.yaml:9:32: rules[0].group is a prefix, which whoever may name a group in the directory can take; expected allowNewGroups: true beside it, or a rule by id or name.',
    ],
    [
      'the same rule twice',
      `${base}rules:\n  - { connection: okta, group: { name: x }, role: Viewer }\n  - { connection: okta, group: { name: X }, role: "Analytics: Viewer" }`,
      'acme.yaml:10:5: rules[1] is the same as rules[0]; expected each rule once, under a name of its own.',
    ],
    [
      'a default role that is none',
      `${base}provisioning: { defaultRole: Nobody }`,
      'acme.yaml:8:30: provisioning.defaultRole is "Nobody", which is no role of this tenant; expected one of',
    ],
    [
      'C1: default_role without one',
      `${base}provisioning: { initialAccess: default_role }`,
      'acme.yaml:8:15: provisioning.defaultRole is missing; expected the role that initialAccess: default_role gives.',
    ],
    [
      'a built-in workspace',
      'workspaces: { administration: { roles: { Boss: {} } } }',
      'acme.yaml:3:48: workspaces.administration.roles.Boss is in a workspace that every tenant has built in; expected a workspace of another name.',
    ],
    [
      'roles that differ in case alone',
      'workspaces: { A: { roles: { R: {}, r: {} } } }',
      'acme.yaml:3:32: workspaces.A.roles.R is there twice, apart from upper and lower case; expected each role once.',
    ],
    [
      'a connection that does nothing',
      'connections: { okta: { name: Okta } }',
      'acme.yaml:3:22: connections.okta is a connection that does nothing; expected oidc, saml or scim: true.',
    ],
    [
      'two protocols in one connection',
      'connections: { x: { oidc: { issuer: https://a.example, clientId: a }, saml: { metadataFile: x } } }',
      'acme.yaml:3:77: connections.x.saml is a mapping; expected oidc or saml, not both.',
    ],
    [
      'a domain twice',
      'connections: { okta: { scim: true, domains: [a.example, A.example] } }',
      'acme.yaml:3:57: connections.okta.domains[1] is there twice; expected each domain once.',
    ],
  ])('%s', async (_, yaml, problem) => {
    const [first = ''] = await problems(tenant(yaml));
    expect(first.slice(0, `tenants/${problem}`.length)).toBe(`tenants/${problem}`);
  });

  test('T27: a domain belongs to one tenant', async () => {
    const yaml = (slug: string, domain: string) =>
      `tenant: ${slug}\nname: N\nconnections:\n  okta: { scim: true, domains: [${domain}] }\n`;
    const folder = folderOf({
      'tenants/acme.yaml': yaml('acme', 'Acme.example'),
      'tenants/globex.yaml': yaml('globex', 'acme.EXAMPLE'),
    });
    expect(await problems(folder)).toEqual([
      'tenants/globex.yaml:4:33: connections.okta.domains[0] is "acme.example", which acme owns already; expected a domain of this tenant alone.',
    ]);
    // Two connections of one tenant may share it: whose sign-in is asked for is then the person's choice.
    const shared =
      'connections:\n  a: { scim: true, domains: [a.example] }\n  b: { scim: true, domains: [a.example] }\n';
    expect(await read(tenant(shared))).toHaveLength(1);
  });

  test('parents that lead in a circle', async () => {
    const yaml = (slug: string, parent: string) => `tenant: ${slug}\nname: N\nparent: ${parent}\n`;
    const folder = folderOf({
      'tenants/aa.yaml': yaml('aa', 'bb'),
      'tenants/bb.yaml': yaml('bb', 'cc'),
      'tenants/cc.yaml': yaml('cc', 'aa'),
      'tenants/dd.yaml': yaml('dd', 'cc'),
    });
    expect((await problems(folder)).map((problem) => problem.split(';')[0])).toEqual([
      'tenants/aa.yaml:3:9: parent is "bb", whose own parents lead back here',
      'tenants/bb.yaml:3:9: parent is "cc", whose own parents lead back here',
      'tenants/cc.yaml:3:9: parent is "aa", whose own parents lead back here',
    ]);
    expect(await problems(folderOf({ 'tenants/aa.yaml': yaml('aa', 'aa') }))).toHaveLength(1);
  });
});

describe('T77: a Tenant ID has one form', () => {
  test.each(['Acme', 'acme.', 'acme--x', '-acme', 'a', 'ācme', "x' or 1=1", '../acme', 'x'.repeat(300)])(
    '%j is refused',
    async (slug) => {
      const folder = folderOf({ 'tenants/acme.yaml': `tenant: ${JSON.stringify(slug)}\nname: N\n` });
      expect(await problems(folder)).toEqual([
        expect.stringMatching(
          /^tenants\/acme\.yaml:1:9: tenant is ".*; expected a Tenant ID: 2 to 63 of a-z, 0-9 and single hyphens\.$/,
        ),
      ]);
    },
  );
  test.each(['system', 'admin', 'api', 'scim'])('%s is reserved', async (slug) => {
    const folder = folderOf({ [`tenants/${slug}.yaml`]: `tenant: ${slug}\nname: N\n` });
    expect(await problems(folder)).toEqual([
      `tenants/${slug}.yaml:1:9: tenant is "${slug}"; expected a Tenant ID that is not reserved.`,
    ]);
  });
  test('and is the name of its file', async () => {
    const folder = folderOf({ 'tenants/acme-2.yaml': 'tenant: acme\nname: N\n' });
    expect(await problems(folder)).toEqual([
      'tenants/acme-2.yaml:1:9: tenant is "acme"; expected "acme-2", as the file is named.',
    ]);
  });
});

describe('secrets are named and never written', () => {
  const oidc = (secret: string) =>
    tenant(`connections: { okta: { oidc: { issuer: https://a.example, clientId: a, clientSecret: ${secret} } } }`);
  test('a plain one is refused and not repeated (T113)', async () => {
    const [problem, ...others] = await problems(oidc('c4n4ry'));
    expect(others).toEqual([]);
    expect(problem).toMatch(
      /^tenants\/acme\.yaml:3:86: connections\.okta\.oidc\.clientSecret is a plain text; expected \{ env: NAME \} or \{ file: PATH \}/,
    );
    expect(problem).not.toContain('c4n4ry');
  });
  test.each([
    '{ env: DRAWBRIDGE_MASTER_KEY }',
    '{ env: DATABASE_URL }',
    '{ env: PGPASSWORD }',
    '{ env: "A B" }',
    '{ env: A, file: b }',
    '{ vault: x }',
    '[a]',
  ])('%s is refused', async (secret) => {
    expect(await problems(oidc(secret))).toHaveLength(1);
  });
  test.each(['{ env: ACME_SECRET }', '{ file: /run/secrets/acme }', 'null'])('%s is kept as it is', async (secret) => {
    const [acme] = await read(oidc(secret));
    expect(acme?.connections[0]).toMatchObject({
      oidc: { clientSecret: secret === 'null' ? null : expect.any(Object) },
    });
  });
});

describe('files', () => {
  const good = 'tenant: acme\nname: Acme\n';
  test('T112: a link out of the folder is refused, a link inside it is not', async () => {
    const outside = join(mkdtempSync(join(root, 'outside-')), 'acme.yaml');
    writeFileSync(outside, good);
    const folder = folderOf({});
    symlinkSync(outside, join(folder, 'tenants/acme.yaml'));
    expect(await problems(folder)).toEqual([
      'tenants/acme.yaml:1:1: found a link that leads out of the configuration folder; expected a file in it.',
    ]);

    // As a mounted ConfigMap looks.
    const mounted = folderOf({});
    mkdirSync(join(mounted, 'tenants/..2026'));
    writeFileSync(join(mounted, 'tenants/..2026/acme.yaml'), good);
    symlinkSync('..2026', join(mounted, 'tenants/..data'));
    symlinkSync('..data/acme.yaml', join(mounted, 'tenants/acme.yaml'));
    expect(await read(mounted)).toHaveLength(1);
  });

  test('a certificate or metadata file outside the folder is refused', async () => {
    const outside = mkdtempSync(join(root, 'outside-'));
    cpSync(join(example, 'certificates/acme-entra.pem'), join(outside, 'x.pem'));
    for (const file of [`../${outside.split('/').pop()}/x.pem`, join(outside, 'x.pem')]) {
      const folder = tenant(
        `connections: { e: { saml: { issuer: a, signOnUrl: https://a.example, certificates: [{ file: "${file}" }] } } }`,
      );
      expect(await problems(folder)).toHaveLength(1);
    }
    // One that is not there is told with where it is looked for.
    const saml = (given: string) => tenant(`connections: { e: { saml: { ${given} } } }`);
    for (const given of [
      'metadataFile: nowhere.xml',
      'issuer: a, signOnUrl: https://a.example, certificates: [{ file: nowhere.pem }]',
    ])
      expect(await problems(saml(given))).toEqual([
        expect.stringMatching(
          / is a file that cannot be read; expected a file that this user may read, by its path from the configuration folder\.$/,
        ),
      ]);
  });

  test('text that is not UTF-8, a folder in place of a file, and a name that would not be read are refused', async () => {
    const folder = folderOf({ 'tenants/acme.yaml': Buffer.from([0x61, 0xff, 0x0a]), 'tenants/globex.yml': good });
    mkdirSync(join(folder, 'tenants/initech.yaml'));
    expect(await problems(folder)).toEqual([
      'tenants/acme.yaml:1:1: found text that is not UTF-8; expected UTF-8.',
      'tenants/globex.yml:1:1: found a file that would not be read; expected a name that ends in .yaml.',
      'tenants/initech.yaml:1:1: found something that is no file; expected a file.',
    ]);
  });

  test('T112: a half-written file is no tenant', async () => {
    const whole = await readFile(join(example, 'tenants/acme.yaml'), 'utf8');
    const folder = folderOf({ 'tenants/acme.yaml': whole.slice(0, whole.indexOf('clientId')) });
    cpSync(join(example, 'certificates'), join(folder, 'certificates'), { recursive: true });
    expect(await problems(folder)).not.toEqual([]);
  });

  test('T111: a file of more than 1 MB is refused before it is read', async () => {
    const folder = tenant('');
    appendFileSync(join(folder, 'tenants/acme.yaml'), `# ${'x'.repeat(1 << 20)}`);
    expect(await problems(folder)).toEqual(['tenants/acme.yaml:1:1: found more than 1 MB; expected a smaller file.']);
  });

  test('one bad file refuses all of them', async () => {
    const folder = folderOf({ 'tenants/acme.yaml': good, 'tenants/globex.yaml': 'tenant: globex\n' });
    linkSync(join(folder, 'tenants/acme.yaml'), join(folder, 'acme-too.yaml'));
    expect((await readTenantFolder(folder)).kind).toBe('refused');
  });
});

describe('SAML metadata files', () => {
  const folder = () => {
    const made = tenant('connections: { entra: { saml: { metadataFile: entra.xml } } }');
    writeFileSync(join(made, 'entra.xml'), '<EntityDescriptor/>');
    return made;
  };
  const idp = { issuer: 'https://idp.example', signOnUrl: 'https://idp.example/sso', certificates: ['PEM'] };

  test('are read by the SAML reader', async () => {
    const [acme] = await read(folder(), {
      readIdpMetadata: (xml) => (xml === '<EntityDescriptor/>' ? idp : { ...idp, issuer: '' }),
    });
    expect(acme?.connections[0]).toMatchObject({
      protocol: 'saml',
      issuer: idp.issuer,
      saml: { signOnUrl: idp.signOnUrl, certificates: ['PEM'] },
    });
  });

  test('T7: are refused where the SAML reader refuses them, or where there is none', async () => {
    const problem =
      'tenants/acme.yaml:3:47: connections.entra.saml.metadataFile is a file that is no usable metadata of an IdP; expected SAML 2.0 metadata with a sign-on address and a signing certificate.';
    const readIdpMetadata = () => {
      throw new Error('no signing certificate');
    };
    expect(await problems(folder(), { readIdpMetadata })).toEqual([problem]);
    expect(await problems(folder())).toEqual([problem]);
  });
});

test('a fault found against what is in force is told at its place in the files', async () => {
  const result = await readTenantFolder(example);
  if (result.kind === 'refused') throw new Error('refused');
  const slug = result.tenants[1]?.slug;
  if (slug === undefined) throw new Error('no tenant');
  const problem = result.locate({
    tenant: slug,
    path: ['connections', 'okta', 'domains', 0],
    found: 'taken',
    expected: 'another',
  });
  expect(formatProblem(problem)).toMatch(
    /^tenants\/acme\.yaml:\d+:15: connections\.okta\.domains\[0\] is taken; expected another\.$/,
  );
});
