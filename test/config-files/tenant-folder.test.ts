// Folders of tenants' files: what they are read as, and which files are read.

import { appendFileSync, cpSync, linkSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/config-files/problem.ts';
import { tenantFileJsonSchema } from '../../src/config-files/tenant-file.ts';
import { readTenantFolder } from '../../src/config-files/tenant-folder.ts';
import { problems, read, tenantFolders } from '../support/tenant-folders.ts';

const folders = tenantFolders();
const { root, folderOf, tenant } = folders;
afterAll(() => folders.remove());
const example = fileURLToPath(new URL('../../config/example', import.meta.url));

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
