import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createDatabase } from '../../src/store/embedded-postgres.ts';
import { freePorts, startServer } from './servers.ts';

let name: string;
let folder: string;
let url: string;
beforeEach(async () => {
  name = `first_start_${randomBytes(4).toString('hex')}`;
  folder = mkdtempSync(join(tmpdir(), 'drawbridge-first-start-'));
  // Under the owner of the other databases: the role that the server works as is one for them all.
  const { url: server, templateUrl } = inject('testServer');
  url = await createDatabase(server, name, decodeURIComponent(new URL(templateUrl).username));
});
afterEach(async () => {
  const client = new pg.Client({ connectionString: inject('testServer').url });
  await client.connect();
  await client.query(`drop database if exists ${name} with (force)`);
  await client.end();
  rmSync(folder, { recursive: true, force: true });
});

test('three servers that start at once on an empty database make one installation, with one link for its first administrator', async () => {
  const ports = await freePorts(3);
  const env = {
    DATABASE_URL: url,
    DRAWBRIDGE_MASTER_KEY: randomBytes(32).toString('base64'),
    DRAWBRIDGE_PUBLIC_URL: `http://localhost:${ports[0]}`,
    DRAWBRIDGE_HOST: '127.0.0.1',
    DRAWBRIDGE_CONFIG: fileURLToPath(new URL('../../config/example', import.meta.url)),
    DRAWBRIDGE_DATA: folder,
  };
  const servers = await Promise.all(ports.map((port) => startServer({ ...env, PORT: String(port) })));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const links = servers.flatMap((server) => server.output().match(/\/t\/system\/invitation\/[\w-]{43}/g) ?? []);
    const good: string[] = [];
    for (const link of new Set(links)) {
      for (const { port } of servers)
        if ((await fetch(`http://127.0.0.1:${port}${link}`)).ok) good.push(`${link} ${port}`);
    }
    expect(good).toHaveLength(servers.length);
    const one = async (text: string) => (await client.query(text)).rows;
    expect(await one(`select slug, count(*)::int from tenants group by 1 order by 1`)).toEqual(
      ['acme', 'acme-labs', 'globex', 'system'].map((slug) => ({ slug, count: 1 })),
    );
    expect(await one(`select count(*)::int from users where origin = 'bootstrap'`)).toEqual([{ count: 1 }]);
    expect(
      await one(`select algorithm, count(*)::int from signing_keys where state = 'current' group by 1 order by 1`),
    ).toEqual([
      { algorithm: 'ES256', count: 1 },
      { algorithm: 'RS256', count: 1 },
    ]);
    const keys = await Promise.all(
      ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/oidc/jwks`)).text()),
    );
    expect(new Set(keys).size).toBe(1);
  } finally {
    await client.end();
    await Promise.all(servers.map((server) => server.stop('SIGINT')));
  }
});
