// The server under test: one process, as `npm start` starts it, with a tenant of several directories.

import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cliText, freePort, installationIn } from '../demo/processes.ts';
import { type MeasuredProcess, root, startMeasured } from './measured-process.ts';
import type { Place } from './place.ts';
import { sql } from './place.ts';
import { say } from './progress.ts';

export const tenant = 'bench';
/** `d0` is the directory that is seeded; the sustained load goes to `d0` … `d9`, the full sync to `d10`. */
const connections = Array.from({ length: 11 }, (_, index) => `d${index}`);

/** A directory as a client of it needs it. */
export type Target = {
  readonly connection: string;
  readonly connectionId: string;
  /** `http://127.0.0.1:…/scim/v2/bench/d0` */
  readonly baseUrl: string;
  readonly token: string;
};

export type Drawbridge = {
  readonly process: MeasuredProcess;
  readonly url: string;
  readonly databaseUrl: string;
  readonly superuserUrl: string;
  readonly tenantId: string;
  directory(key: string): Promise<Target>;
  /** Statements that the server has sent to its database so far. */
  statements(): Promise<number>;
};

/** A server with a database of its own, both called `name`. */
export async function startDrawbridge(place: Place, name = 'drawbridge'): Promise<Drawbridge> {
  const folder = join(place.folder, name);
  mkdirSync(folder);
  const databaseUrl = await place.database(name);
  const { env, publicUrl } = await installationIn(folder);
  const metricsPort = await freePort();
  const installation = {
    publicUrl,
    logFile: join(folder, 'server.log'),
    env: {
      ...env,
      DATABASE_URL: databaseUrl,
      DRAWBRIDGE_MASTER_KEY: randomBytes(32).toString('base64'),
      DRAWBRIDGE_HOST: '127.0.0.1',
      DRAWBRIDGE_LOG_LEVEL: 'warn',
      DRAWBRIDGE_METRICS_PORT: String(metricsPort),
    },
  };
  writeConfig(join(folder, 'config'));
  say('starting the server');
  const url = `http://127.0.0.1:${env.PORT}`;
  const start = () =>
    startMeasured({
      file: join(root, 'src/main.ts'),
      // As scripts/run.mjs and the Dockerfile start it.
      nodeFlags: ['--max-semi-space-size=16'],
      env: installation.env,
      logFile: installation.logFile,
      isReady: () => answers(`${url}/readyz`),
    });
  // The first start of a checkout strips and compiles its sources, and keeps what that took: 26 MB that no later start has, nor the
  // published package, which is JavaScript.
  await (await start()).stop();
  const server = await start();
  const ids = await sql(
    databaseUrl,
    `select t.tenant_id, c.connection_id, c.key from tenants t join connections c using (tenant_id) where t.slug = $1`,
    [tenant],
  );
  const directory = async (key: string): Promise<Target> => ({
    connection: key,
    connectionId: ids.find((row) => row.key === key)?.connection_id,
    baseUrl: `${url}/scim/v2/${tenant}/${key}`,
    token: await cliText(installation, 'scim-token', 'create', '--tenant', tenant, '--connection', key),
  });
  return {
    process: server,
    url,
    databaseUrl,
    superuserUrl: place.superuser(name) ?? databaseUrl,
    tenantId: ids[0]?.tenant_id,
    directory,
    async statements() {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return Number(/^drawbridge_database_statements_total (\d+)/m.exec(text)?.[1] ?? Number.NaN);
    },
  };
}

function writeConfig(folder: string): void {
  mkdirSync(join(folder, 'tenants'), { recursive: true });
  const lines = connections.map((key) => `  ${key}: { name: Directory ${key}, scim: true, domains: [${key}.example] }`);
  writeFileSync(
    join(folder, 'tenants', `${tenant}.yaml`),
    `tenant: ${tenant}\nname: Bench\nconnections:\n${lines.join('\n')}\n`,
  );
}

export function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.ok;
    },
    () => false,
  );
}
