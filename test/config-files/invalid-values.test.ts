// What a tenant's file may not say: values one by one, and what must hold together.

import { afterAll, describe, expect, test } from 'vitest';
import { problems, read, tenantFolders } from '../support/tenant-folders.ts';

const folders = tenantFolders();
const { folderOf, tenant } = folders;
afterAll(() => folders.remove());

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
