// The server and the command line, as processes of their own over one data folder.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const flags = ['--disable-proto=delete', '--disable-warning=ExperimentalWarning'];
const run = promisify(execFile);

export type Installation = { readonly env: NodeJS.ProcessEnv; readonly publicUrl: string; readonly logFile: string };

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Settings for a server in `folder`, on a free port, with its configuration in `folder/config`. */
export async function installationIn(folder: string): Promise<Installation> {
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(DRAWBRIDGE_|DATABASE_URL|SMTP_URL|PORT$)/.test(name)),
  );
  return {
    publicUrl,
    logFile: join(folder, 'server.log'),
    env: {
      ...inherited,
      PORT: String(port),
      DRAWBRIDGE_PUBLIC_URL: publicUrl,
      DRAWBRIDGE_DATA: join(folder, 'data'),
      DRAWBRIDGE_CONFIG: join(folder, 'config'),
      // The identity providers of the demo live on this machine.
      DRAWBRIDGE_DANGEROUSLY_ALLOW_PRIVATE_NETWORK: 'true',
    },
  };
}

/** Starts the server and waits until it is ready. Its log goes to a file; `firstLink` is what it printed for the first administrator. */
export async function startServer(
  installation: Installation,
): Promise<{ child: ChildProcess; firstLink: string | null; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [...flags, join(root, 'src/main.ts')], {
    cwd: root,
    env: installation.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(installation.logFile, { flags: 'a', mode: 0o600 });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log.write(chunk);
      if (output.length < 100_000) output += chunk.toString();
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let waited = 0; ; waited += 50) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The server did not start:\n${output}`);
    if (waited > 30_000) {
      child.kill('SIGKILL');
      throw new Error(`The server is not ready after 30 s:\n${output}`);
    }
    const ready = await fetch(`${installation.publicUrl}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    child,
    firstLink: /https?:\/\/\S+\/invitation\/\S+/.exec(output)?.[0] ?? null,
    async stop() {
      // As Ctrl-C: there is no load balancer that has to hear of it first.
      child.kill('SIGINT');
      await exited;
    },
  };
}

/** `drawbridge <words> --json`; throws its one sentence where it refuses. */
export async function cli<Result>(installation: Installation, ...words: readonly string[]): Promise<Result> {
  return JSON.parse(await cliText(installation, ...words, '--json')) as Result;
}

/** What the command prints for a person. */
export async function cliText(installation: Installation, ...words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [...flags, join(root, 'src/cli/main.ts'), ...words], {
    cwd: root,
    env: installation.env,
    maxBuffer: 16 * 1024 * 1024,
  }).catch((error: { stderr?: string; message: string }) => {
    throw new Error(error.stderr?.trim() || error.message);
  });
  return stdout.trim();
}
