// Real servers for black-box tests: processes of their own over one database, real identity providers, and the configuration of
// the example.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeDemoConfig } from '../../scripts/demo-config.ts';
import type { UpstreamPerson } from '../../scripts/upstream-idps/roster.ts';
import { startUpstreamIdps, type UpstreamIdps } from '../../scripts/upstream-idps.ts';
import type { TenantSlug } from '../../src/core/ids.ts';
import { namedTenant } from '../../src/operations/name-tenant.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { testDatabase } from '../support/database.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const flags = ['--disable-proto=delete', '--disable-warning=ExperimentalWarning'];
const READY_WITHIN_MS = 60_000;

export type ServerProcess = {
  readonly port: number;
  readonly pid: number;
  /** All that it wrote so far, log and otherwise. */
  output(): string;
  /** Resolves with the exit code (null: a signal) when it is gone. */
  readonly exited: Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  /** Ends it, by SIGTERM unless another signal is named, and waits for the end. */
  stop(name?: NodeJS.Signals): Promise<number | null>;
};

/** Starts a server with these settings and nothing else of this process's environment; waits until it is ready. */
export async function startServer(env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const child = spawnServer(env);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const until = performance.now() + READY_WITHIN_MS;
  while (!(await isReady(Number(env.PORT)))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`the server did not become ready:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const stop = (name: NodeJS.Signals = 'SIGTERM') => {
    child.kill(name);
    return exited;
  };
  return {
    port: Number(env.PORT),
    pid: child.pid ?? -1,
    output: () => output,
    exited,
    signal: (name) => child.kill(name),
    stop,
  };
}

const running = new Set<ChildProcess>();
// A test that is cut short must not leave servers behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server from its very beginning, ready or not. */
export function spawnServer(env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(process.execPath, [...flags, join(root, 'src/main.ts')], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    (answer) => answer.ok,
    () => false,
  );
}

/** Ports that nobody listened on a moment ago, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const probes = await Promise.all(
    Array.from({ length: count }, async () => {
      const probe = createServer();
      await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
      return probe;
    }),
  );
  const ports = probes.map((probe) => (probe.address() as { port: number }).port);
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}

export type Flow = {
  /** `http://localhost:<port of the first server>`: what every server is called from outside. */
  readonly publicUrl: string;
  readonly servers: readonly ServerProcess[];
  readonly upstream: UpstreamIdps;
  /** The same database under the same master key: administrators' operations in this process, and a look at the rows. */
  readonly world: TestWorld;
  readonly configFolder: string;
  /** As the servers were told it. */
  readonly masterKey: string;
  tenant(slug: string): Promise<TenantRef>;
  /** Settings of one more server over the same database, for {@link startServer}. Whoever starts it ends it. */
  envOfAnother(more?: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>;
  close(): Promise<void>;
};

export type FlowOptions = {
  readonly servers?: number;
  readonly people?: readonly UpstreamPerson[];
  readonly env?: Readonly<Record<string, string>>;
  /** Changes the configuration before the first server reads it. */
  readonly configure?: (configFolder: string) => void;
};

/**
 * Servers behind one public URL, as behind a load balancer: each listens on a port of its own, and is sent the public host. They
 * believe one proxy, so a request may come from whatever address its X-Forwarded-For names.
 */
export async function startFlow(options: FlowOptions = {}): Promise<Flow> {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-flow-'));
  const ports = await freePorts(options.servers ?? 1);
  const publicUrl = `http://localhost:${ports[0]}`;
  const [upstream, database] = await Promise.all([
    startUpstreamIdps({
      people: options.people ?? [],
      oidc: { redirectUris: [`${publicUrl}/t/acme/oidc/okta/callback`] },
      saml: { serviceProviders: [samlServiceProvider(publicUrl)] },
    }),
    testDatabase(),
  ]);
  const configFolder = join(folder, 'config');
  writeDemoConfig(configFolder, upstream);
  options.configure?.(configFolder);
  const masterKey = randomBytes(32);
  const env = {
    DATABASE_URL: database.url,
    DRAWBRIDGE_MASTER_KEY: masterKey.toString('base64'),
    DRAWBRIDGE_PUBLIC_URL: publicUrl,
    DRAWBRIDGE_HOST: '127.0.0.1',
    DRAWBRIDGE_CONFIG: configFolder,
    DRAWBRIDGE_DATA: join(folder, 'data'),
    DRAWBRIDGE_TRUST_PROXY_HOPS: '1',
    // The identity providers of the tests live on this machine.
    DRAWBRIDGE_DANGEROUSLY_ALLOW_PRIVATE_NETWORK: 'true',
    ...options.env,
  };
  mkdirSync(env.DRAWBRIDGE_DATA);
  const servers: ServerProcess[] = [];
  const world = await testWorld({ url: database.url, masterKey });
  const close = async () => {
    await Promise.all(servers.map((server) => server.stop('SIGINT')));
    await Promise.all([upstream.stop(), world.close()]);
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // One after the other: the first brings the configuration into force.
    for (const port of ports) servers.push(await startServer({ ...env, PORT: String(port) }));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    publicUrl,
    servers,
    upstream,
    world,
    configFolder,
    masterKey: env.DRAWBRIDGE_MASTER_KEY,
    async tenant(slug) {
      const found = await namedTenant(world.context(), slug as TenantSlug);
      if ('code' in found) throw new Error(found.message);
      return found;
    },
    envOfAnother: async (more = {}) => ({ ...env, PORT: String((await freePorts(1))[0]), ...more }),
    close,
  };
}

export function samlServiceProvider(publicUrl: string) {
  const base = `${publicUrl}/t/acme/saml/entra`;
  return { entityId: `${base}/metadata`, acsUrl: `${base}/acs` };
}
