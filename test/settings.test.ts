import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { readSecret, readSettings, type ServerSettings } from '../src/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const key = Buffer.alloc(32, 7).toString('base64');

function withFile(yaml: string): { DRAWBRIDGE_CONFIG: string } {
  const config = mkdtempSync(join(folder, 'config-'));
  writeFileSync(join(config, 'server.yaml'), yaml);
  return { DRAWBRIDGE_CONFIG: config };
}
function settings(env: Record<string, string>): ServerSettings {
  const result = readSettings(env, folder);
  if (result.kind === 'refused') throw new Error(result.problems.join('\n'));
  return result.settings;
}
function problems(env: Record<string, string>): readonly string[] {
  const result = readSettings(env, folder);
  const config = `${env.DRAWBRIDGE_CONFIG}/`;
  return result.kind === 'refused' ? result.problems.map((problem) => problem.replace(config, '')) : [];
}

test('without a variable or a file every setting has its default', () => {
  expect(settings({})).toEqual({
    port: 3000,
    host: null,
    publicUrl: 'http://localhost:3000',
    configFolder: join(folder, 'config'),
    dataFolder: join(folder, 'data'),
    databaseUrl: null,
    databasePoolSize: 8,
    masterKey: null,
    smtpUrl: null,
    mailFrom: 'Drawbridge <no-reply@drawbridge.invalid>',
    mailFolder: join(folder, 'data', 'mail'),
    logLevel: 'info',
    metricsPort: null,
    metricsToken: null,
    trustProxyHops: 0,
    drainSeconds: 10,
    dangerouslyAllowPrivateNetwork: false,
  });
});

test('a mistyped variable is told, what Kubernetes sets for a service of this name is not', () => {
  const env = {
    DRAWBRIDGE_PUBLIC_URI: 'https://a.example',
    DRAWBRIDGE_PORT: 'tcp://10.0.0.1:80',
    DRAWBRIDGE_SERVICE_HOST: 'x',
  };
  const result = readSettings({ ...env, DRAWBRIDGE_MASTER_KEY_FILE: '', DRAWBRIDGE_DATA: folder }, folder);
  expect(result).toMatchObject({
    kind: 'read',
    warnings: ['The variable DRAWBRIDGE_PUBLIC_URI is no setting of this server, and has no effect.'],
  });
});

test('config/server.yaml of the project names every setting with its default and its variable', async () => {
  const file = await readFile(new URL('../config/server.yaml', import.meta.url), 'utf8');
  expect(settings(withFile(file))).toEqual({ ...settings({}), configFolder: expect.any(String) });
  // With the "#" taken away it is the same: what it calls a default is one.
  const lines = file.split('\n').filter((line) => /^# [a-z]\w*:/i.test(line));
  const uncommented = lines.map((line) => line.slice(2).replace(/: null/, ': ')).join('\n');
  expect(settings(withFile(uncommented))).toEqual({ ...settings({}), configFolder: expect.any(String) });
  const refused = problems(withFile('x: 1'))[0] ?? '';
  const known = refused
    .replace(/.*one of /, '')
    .replace('.', '')
    .split(', ');
  expect(lines.map((line) => line.slice(2).split(':')[0])).toEqual(known);
  expect(file.match(/\b(PORT|DATABASE_URL|SMTP_URL|DRAWBRIDGE_[A-Z_]+)\b(?=:)/g)?.length).toBe(known.length);
});

test('the environment wins over the file, and an empty variable counts as not set', () => {
  const file = withFile('port: 4000\nlogLevel: warn\n');
  expect(settings(file)).toMatchObject({ port: 4000, logLevel: 'warn', publicUrl: 'http://localhost:4000' });
  expect(settings({ ...file, PORT: '5000', DRAWBRIDGE_LOG_LEVEL: '' })).toMatchObject({ port: 5000, logLevel: 'warn' });
});

test('a public URL is https, or this machine; nothing behind the host', () => {
  const read = (url: string) => readSettings({ DRAWBRIDGE_PUBLIC_URL: url }, folder).kind;
  const good = [
    'https://login.example.com',
    'https://login.example.com:8443/',
    'http://localhost:3000',
    'http://127.0.0.1:1',
    'http://[::1]:80',
  ];
  const bad = [
    'http://login.example.com',
    'https://x.example/path',
    'https://u:p@x.example',
    'https://x.example?a',
    'ftp://x',
    'login.example.com',
    'http://127.evil.example',
  ];
  expect(good.map(read)).toEqual(good.map(() => 'read'));
  expect(bad.map(read)).toEqual(bad.map(() => 'refused'));
  expect(settings({ DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com/' }).publicUrl).toBe('https://login.example.com');
});

describe('a problem is one plain sentence', () => {
  test.each([
    [{ PORT: 'eighty' }, 'PORT is "eighty"; expected a whole number from 1 to 65535.'],
    [{ PORT: '0' }, 'PORT is "0"; expected a whole number from 1 to 65535.'],
    [{ DRAWBRIDGE_DRAIN_SECONDS: '15' }, 'DRAWBRIDGE_DRAIN_SECONDS is "15"; expected a whole number from 0 to 14.'],
    [
      { DRAWBRIDGE_LOG_LEVEL: 'loud' },
      'DRAWBRIDGE_LOG_LEVEL is "loud"; expected one of debug, info, warn, error, silent.',
    ],
    [
      { DRAWBRIDGE_DANGEROUSLY_ALLOW_PRIVATE_NETWORK: 'yes' },
      'DRAWBRIDGE_DANGEROUSLY_ALLOW_PRIVATE_NETWORK is "yes"; expected true or false.',
    ],
    [
      { DRAWBRIDGE_METRICS_PORT: '3000' },
      'DRAWBRIDGE_METRICS_PORT is the port of the server itself; expected another one.',
    ],
    [{ SMTP_URL: 'smtp://mail.example' }, 'DRAWBRIDGE_MAIL_FROM is missing; with SMTP_URL a sender is required.'],
    [{ DRAWBRIDGE_CONFIG: '/nowhere' }, 'DRAWBRIDGE_CONFIG names no folder; expected the path of one.'],
  ])('%o', (env, sentence) => {
    expect(problems(env)).toEqual([sentence]);
  });

  test('the file is named with line and column', () => {
    expect(problems(withFile('# one\nport: 3000\nprot: 1\n'))).toEqual([
      expect.stringMatching(/^server\.yaml:3:1: prot is not known; expected one of port, host, /),
    ]);
    expect(problems(withFile('port: "3000"\n'))).toEqual([
      'server.yaml:1:7: port is "3000"; expected a whole number from 1 to 65535.',
    ]);
    expect(problems(withFile('port: 1\nport: 2\n'))).toEqual([
      'server.yaml:2:1: found the key "port" a second time; expected each key once.',
    ]);
  });

  test('all problems come at once', () => {
    expect(
      problems({ PORT: 'x', DATABASE_URL: 'mysql://x', ...withFile('drainSeconds: 99'), DRAWBRIDGE_MASTER_KEY: '' }),
    ).toHaveLength(3);
  });
});

describe('secrets', () => {
  test('DATABASE_URL needs a master key of 32 bytes, in base64 or hex', () => {
    const DATABASE_URL = 'postgres://u:secret@db.example/x';
    expect(problems({ DATABASE_URL })).toEqual([
      expect.stringMatching(/^DRAWBRIDGE_MASTER_KEY is missing; with DATABASE_URL it is required/),
    ]);
    expect(settings({ DATABASE_URL, DRAWBRIDGE_MASTER_KEY: key }).masterKey).toEqual(Buffer.alloc(32, 7));
    expect(settings({ DATABASE_URL, DRAWBRIDGE_MASTER_KEY: '07'.repeat(32) }).masterKey).toEqual(Buffer.alloc(32, 7));
    expect(problems({ DATABASE_URL, DRAWBRIDGE_MASTER_KEY: 'c2hvcnQ=' })).toEqual([
      'DRAWBRIDGE_MASTER_KEY is something else; expected 32 bytes as base64 or 64 hexadecimal digits.',
    ]);
  });

  test('no problem repeats one (T113)', () => {
    const canary = 'c4n4ry';
    const file = withFile(
      `databaseUrl: mysql://u:${canary}@x\nsmtpUrl: ${canary}\nmasterKey: { file: ${canary}x, env: ${canary} }\nmetricsToken: [${canary}]\n`,
    );
    const env = {
      DATABASE_URL: canary,
      DRAWBRIDGE_MASTER_KEY: canary,
      SMTP_URL: canary,
      DRAWBRIDGE_METRICS_TOKEN: `${canary} x`,
    };
    expect(problems({ ...env, ...file }).length).toBeGreaterThan(4);
    expect(problems({ ...env, ...file }).join('\n')).not.toContain(canary);
  });

  test('come from a file by <VARIABLE>_FILE, and in server.yaml only by { env } and { file }', () => {
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, `${key}\n`);
    expect(settings({ DRAWBRIDGE_MASTER_KEY_FILE: keyFile }).masterKey).toEqual(Buffer.alloc(32, 7));
    expect(settings(withFile(`masterKey: { file: ${keyFile} }`)).masterKey).toEqual(Buffer.alloc(32, 7));
    expect(settings({ ...withFile('masterKey: { env: THE_KEY }'), THE_KEY: key }).masterKey).toEqual(
      Buffer.alloc(32, 7),
    );
    expect(problems(withFile(`masterKey: ${key}`))).toEqual([
      'server.yaml:1:12: masterKey is a plain text; expected { env: NAME } or { file: PATH }.',
    ]);
    expect(problems(withFile('masterKey: { env: THE_KEY }'))).toEqual([
      'server.yaml:1:12: masterKey is the variable THE_KEY, which is not set; expected a variable that holds the secret.',
    ]);
    expect(problems({ DRAWBRIDGE_MASTER_KEY_FILE: '/nowhere/key' })).toEqual([
      'DRAWBRIDGE_MASTER_KEY_FILE names "/nowhere/key", which cannot be read.',
    ]);
  });

  test('a connection’s secret is read where it is used, and is never one of the server’s own', () => {
    writeFileSync(join(folder, 'client'), 'from a file\n');
    const env = { ACME_SECRET: 'from a variable', DRAWBRIDGE_MASTER_KEY: key, DATABASE_URL: 'postgres://x' };
    expect(readSecret({ env: 'ACME_SECRET' }, folder, env)).toBe('from a variable');
    expect(readSecret({ file: 'client' }, folder, env)).toBe('from a file');
    expect(readSecret({ file: join(folder, 'client') }, '/', env)).toBe('from a file');
    expect(() => readSecret({ env: 'MISSING' }, folder, env)).toThrow('The variable MISSING is not set');
    expect(() => readSecret({ file: 'missing' }, folder, env)).toThrow(/missing cannot be read/);
    for (const own of ['DRAWBRIDGE_MASTER_KEY', 'DATABASE_URL', 'SMTP_URL_FILE']) {
      expect(() => readSecret({ env: own }, folder, env)).toThrow('is not set');
    }
  });
});

test('the example folder is a whole configuration folder', () => {
  expect(
    settings({ DRAWBRIDGE_CONFIG: fileURLToPath(new URL('../config/example', import.meta.url)) })
      .dangerouslyAllowPrivateNetwork,
  ).toBe(false);
});
