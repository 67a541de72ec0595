// What the documentation shows works: commands, files, SQL and the program that checks a token.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { commands } from '../src/cli/commands.ts';
import { directoryFields } from '../src/config-files/directory-fields.ts';
import { formatProblem } from '../src/config-files/problem.ts';
import { readTenantFolder } from '../src/config-files/tenant-folder.ts';
import { settingsVariables } from '../src/settings.ts';
import { testDatabase } from './support/database.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

type Block = { readonly page: string; readonly text: string };
const blocksOf = (language: string): readonly Block[] =>
  pages.flatMap((page) =>
    [...textOf(page).matchAll(new RegExp(`^( *)\`\`\`${language}\\n(.*?)^ *\`\`\`$`, 'gms'))].map(
      ([, indent = '', text = '']) => ({ page, text: text.replace(new RegExp(`^${indent}`, 'gm'), '') }),
    ),
  );

const scratch = mkdtempSync(join(tmpdir(), 'drawbridge-docs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('the limits of a directory’s settings are those of the form of the file', () => {
  const limitsOf = (field: unknown, path: string): readonly (readonly [string, number])[] => {
    const {
      properties = {},
      anyOf = [],
      maximum,
    } = field as {
      readonly properties?: Readonly<Record<string, unknown>>;
      readonly anyOf?: readonly unknown[];
      readonly maximum?: number;
    };
    return [
      ...(maximum === undefined ? [] : [[path, maximum] as const]),
      ...anyOf.flatMap((one) => limitsOf(one, path)),
      ...Object.entries(properties).flatMap(([key, one]) => limitsOf(one, path === '' ? key : `${path}.${key}`)),
    ];
  };
  const limits = limitsOf(z.toJSONSchema(directoryFields, { io: 'input', unrepresentable: 'any' }), '');
  expect(limits.map(([path]) => path).sort()).toEqual([
    'guard.minutes',
    'guard.people',
    'guard.percent',
    'requestLog.bodyHours',
    'requestLog.days',
    'requestsPerSecond',
  ]);
  const rows = textOf('docs/tenant-file.md').split('\n');
  for (const [path, most] of limits) {
    const key = path.startsWith('guard') ? 'guard' : path;
    const row = rows.find((line) => line.startsWith(`| \`${key}\` |`));
    expect(row, path).toContain(` ${most.toLocaleString('en-US')}`);
  }
});

test('links lead to files and headings that are there', () => {
  const anchor = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-');
  const broken = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', heading] = target.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        if (!existsSync(join(root, file))) return true;
        const headings = heading === undefined ? [] : [...textOf(file).matchAll(/^#+ (.*)$/gm)];
        return heading !== undefined && !headings.some(([, text = '']) => anchor(text) === heading);
      })
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test('every command is one of the command line, with options that it has', () => {
  const shown = blocksOf('sh').flatMap(({ page, text }) =>
    text
      .split('\n')
      .flatMap((line) => (line.startsWith('npm run -s cli -- ') ? [{ page, line: line.replace(/ +#.*/, '') }] : [])),
  );
  expect(shown.length).toBeGreaterThan(20);
  const problems = shown.flatMap(({ page, line }) => {
    const words = [...line.slice(18).matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
    if (words[0] === '--help') return [];
    const length = [2, 1].find((count) => commands.has(words.slice(0, count).join(' '))) ?? 0;
    const command = commands.get(words.slice(0, length).join(' '));
    if (command === undefined) return [`${page}: there is no command ${line}`];
    const options = { ...command.options, json: { type: 'boolean' } } as const;
    try {
      const { values } = parseArgs({ args: words.slice(length), options, strict: true });
      // What the usage does not put in brackets is required.
      const required = command.usage.replace(/\[[^\]]*\]/g, '').matchAll(/--([a-z-]+)/g);
      return [...required]
        .filter(([, name = '']) => !(name in values))
        .map(([option]) => `${page}: ${line} lacks ${option}`);
    } catch (error) {
      return [`${page}: ${line}: ${String(error)}`];
    }
  });
  expect(problems).toEqual([]);
});

test('the table of settings has every setting with its variable, and no other', () => {
  const keys = [...readFileSync(join(root, 'config/server.yaml'), 'utf8').matchAll(/^# ([a-z]\w*):/gm)].map(
    ([, key]) => key,
  );
  const rows = [...textOf('README.md').matchAll(/^\| `(\w+)`( \*)? \| `([A-Z_]+)` \|/gm)];
  expect(rows.map(([, key]) => key).sort()).toEqual([...keys].sort());
  const variables = [...settingsVariables].filter((name) => !name.endsWith('_FILE'));
  expect(rows.map(([, , , variable]) => variable).sort()).toEqual(variables.sort());
  const secrets = [...settingsVariables].filter((name) => name.endsWith('_FILE')).map((name) => name.slice(0, -5));
  expect(
    rows
      .filter(([, , star]) => star !== undefined)
      .map(([, , , variable]) => variable)
      .sort(),
  ).toEqual(secrets.sort());
});

describe('files of tenants', () => {
  const surroundings = {
    workspaces:
      'workspaces: { Analytics: { roles: { Viewer: {} } }, Billing: { roles: { Clerk: {} } }, CRM: { roles: { Reader: {} } } }\n',
    connections: 'connections: { okta: { scim: true }, entra: { scim: true } }\n',
  };
  const shown = blocksOf('yaml').filter(({ text }) => /^(tenant|connections|rules|workspaces):/m.test(text));

  test.each(shown.map((block, index) => [block.page, index, block.text] as const))(
    '%s (%i) shows one that is read',
    async (_page, index, text) => {
      const folder = join(scratch, `tenant-${index}`);
      mkdirSync(join(folder, 'tenants'), { recursive: true });
      writeFileSync(join(folder, 'entra-metadata.xml'), '<metadata/>');
      const around = Object.entries(surroundings).filter(([key]) => !new RegExp(`^${key}:`, 'm').test(text));
      const head = text.includes('tenant: acme\n') ? '' : 'tenant: acme\nname: Acme\n';
      writeFileSync(join(folder, 'tenants/acme.yaml'), head + around.map(([, yaml]) => yaml).join('') + text);
      const idp = { issuer: 'https://idp.example', signOnUrl: 'https://idp.example/sso', certificates: [] };
      const read = await readTenantFolder(folder, { readIdpMetadata: () => idp });
      expect(read.kind === 'refused' ? read.problems.map(formatProblem) : []).toEqual([]);
    },
  );
  test('there are some', () => expect(shown.length).toBeGreaterThan(4));
});

describe('SQL', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let owner: pg.Client;
  beforeAll(async () => {
    database = await testDatabase();
    owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
  });
  afterAll(async () => {
    await owner?.end();
    await database?.close();
  });
  // Roles and databases are the whole server's: not for here.
  const shown = blocksOf('sql').filter(({ text }) => !/^(create|grant)/m.test(text));

  test.each(shown.map((block, index) => [block.page, index, block.text] as const))(
    '%s (%i) shows a statement that runs',
    async (_page, _index, text) => {
      const inner = text.replace(/^(begin|commit);$/gm, '');
      await owner.query(`begin; ${inner}; rollback`);
    },
  );
  test('there are some', () => expect(shown.length).toBeGreaterThan(8));
});

describe('the program that checks a token', () => {
  const audience = 'https://reports.example.com';
  let keysOf: Server;
  let issuer: string;
  let api: string;
  let stop: () => void;
  let sign: (claims: Record<string, unknown>, change?: (jwt: SignJWT) => SignJWT, typ?: string) => Promise<string>;
  const claims = { tenant_id: 'acme', roles: ['Analytics: Viewer'], allowed_tenants: ['acme', 'acme-labs'] };

  beforeAll(async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' };
    keysOf = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await new Promise<void>((resolve) => keysOf.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(keysOf.address() as AddressInfo).port}/oidc`;
    sign = (given, change = (jwt) => jwt, typ = 'at+jwt') =>
      change(
        new SignJWT(given)
          .setProtectedHeader({ alg: 'ES256', typ, kid: 'k' })
          .setIssuer(issuer)
          .setAudience(audience)
          .setSubject('person')
          .setIssuedAt()
          .setExpirationTime('5m'),
      ).sign(privateKey);

    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const [program] = blocksOf('ts').filter(({ page }) => page === 'README.md');
    const file = join(scratch, 'api.ts');
    // From a folder without packages, so jose is named by its place.
    writeFileSync(file, (program?.text ?? '').replace("from 'jose'", `from '${import.meta.resolve('jose')}'`));
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      env: { PATH: process.env.PATH ?? '', ISSUER: issuer, AUDIENCE: audience, PORT: String(port) },
      stdio: 'inherit',
    });
    stop = () => child.kill();
    api = `http://127.0.0.1:${port}`;
    for (let tries = 0; tries < 100; tries += 1) {
      if (
        await fetch(api).then(
          () => true,
          () => false,
        )
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the program of the README does not listen');
  });
  afterAll(() => {
    stop?.();
    keysOf?.close();
  });

  const ask = async (tenant: string, token: string | null) => {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${api}/${tenant}/reports`, { headers });
    return [answer.status, ((await answer.json()) as { error?: string }).error];
  };

  test('lets in who holds the role in the tenant of the token, and says where else they may go', async () => {
    const token = await sign(claims);
    expect(await ask('acme', token)).toEqual([200, undefined]);
    expect(await ask('acme-labs', token)).toEqual([403, 'switch_tenant']);
    expect(await ask('globex', token)).toEqual([403, 'no_access']);
    expect(await ask('acme', await sign({ ...claims, roles: ['Billing: Clerk'] }))).toEqual([403, 'role_missing']);
  });

  test('T65 refuses no token, another audience, another issuer, an ID token, an expired one and another key’s', async () => {
    const other = await generateKeyPair('ES256');
    const header = { alg: 'ES256', typ: 'at+jwt', kid: 'k' };
    const forged = new SignJWT({
      ...claims,
      iss: issuer,
      aud: audience,
      exp: Math.floor(Date.now() / 1000) + 300,
    }).setProtectedHeader(header);
    const refused = [
      null,
      await sign(claims, (jwt) => jwt.setAudience('https://other.example')),
      await sign(claims, (jwt) => jwt.setIssuer('https://other.example')),
      await sign(claims, (jwt) => jwt, 'JWT'),
      await sign(claims, (jwt) => jwt.setExpirationTime('-1m')),
      await forged.sign(other.privateKey),
    ];
    for (const token of refused) expect(await ask('acme', token)).toEqual([401, 'invalid_token']);
  });
});
