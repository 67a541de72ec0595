// The server: read the settings, open the world, build the parts, listen; drain on SIGTERM.

import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { openMetrics, serveMetrics } from './health.ts';
import { openLog } from './log.ts';
import { openMailFolder } from './mail-folder.ts';
import { invitationLink } from './operations/accept-invitation.ts';
import { type BootstrapOutcome, bootstrap } from './operations/bootstrap.ts';
import { buildServer } from './server.ts';
import { readSettings, type ServerSettings } from './settings.ts';
import { startConfig } from './start-config.ts';
import { openWorld, type World } from './world.ts';

// Load balancers that ask every second have heard twice by then.
const NOTICE_SECONDS = 2.5;
const SAME_WISH_MILLISECONDS = 500;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 16))
  fail(`Node 24.16 or later is needed; this is ${process.versions.node}. Start with: npm start`);

// Left alone, V8 lets a heap that was small grow to four times its size before it looks through it, where the machine has much memory:
// after a few long bulks most of what the process holds would be garbage. At little more than twice it would look while a long body is
// read, and hold up everybody for it; at three times it goes over 300 MB in a full sync.
setFlagsFromString('--heap-growing-percent=150');

const read = readSettings();
if (read.kind === 'refused') fail(read.problems.join('\n'));
else
  await run(read.settings, read.warnings).catch((error: unknown) =>
    fail(error instanceof Error ? error.message : String(error)),
  );

async function run(settings: ServerSettings, warnings: readonly string[]): Promise<void> {
  const log = openLog(settings.logLevel);
  for (const warning of warnings) log.warn({}, warning);
  openMailFolder(settings);
  const metrics = openMetrics();
  const world = await openWorld(settings, log, { onStatement: metrics.countStatement });
  const link = await firstStart(world);
  const server = await buildServer(world, metrics);
  const metricsServer = settings.metricsPort === null ? null : await serveMetrics(metrics, settings.metricsPort);

  await new Promise<void>((resolve, reject) => {
    server.http.once('error', reject);
    server.http.listen({ port: settings.port, ...(settings.host === null ? {} : { host: settings.host }) }, resolve);
  }).catch(async (error: NodeJS.ErrnoException) => {
    await server.close();
    await world.close();
    const taken =
      error.code === 'EADDRINUSE' ? `Port ${settings.port} is taken. Set PORT to another one.` : error.message;
    throw new Error(taken);
  });
  const { port } = server.http.address() as AddressInfo;
  log.info({ port, publicUrl: settings.publicUrl }, 'ready');
  if (link.kind === 'link') printLink(settings, link);

  let stoppingSince: number | null = null;
  const stop = async (signal: string): Promise<void> => {
    if (stoppingSince !== null) {
      // `timeout` and supervisors signal the process and its group: that is one wish, told twice. A later one does not want to wait.
      if (performance.now() - stoppingSince > SAME_WISH_MILLISECONDS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    log.info({ signal }, 'draining');
    // A person who presses Ctrl-C has no load balancer in front.
    const noticeSeconds = signal === 'SIGTERM' ? NOTICE_SECONDS : 0;
    await server.drain.drain(server.http, settings.drainSeconds, noticeSeconds);
    metricsServer?.close();
    const forced = setTimeout(() => process.exit(1), 4_000);
    await server.close();
    await world.close();
    clearTimeout(forced);
    log.info({}, 'stopped');
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  // The terminal was closed: without this the embedded database would stay.
  process.on('SIGHUP', () => void stop('SIGHUP'));
  process.on('unhandledRejection', (error) =>
    log.error({ error: String(error) }, 'a promise was rejected that nobody waited for'),
  );
}

/** Makes the system tenant and applies the files, at the first start. */
async function firstStart(world: World): Promise<BootstrapOutcome> {
  const ctx = world.contextFor({ actor: { kind: 'operator', name: 'first start' }, requestId: randomUUID() });
  const link = await bootstrap(ctx);
  await startConfig(ctx, world.settings.configFolder);
  return link;
}

/** While nobody has used it, every start prints the first administrator's link. */
function printLink(settings: ServerSettings, link: Extract<BootstrapOutcome, { kind: 'link' }>): void {
  // Not by the log: its lines are kept and shipped, and this one opens the door.
  const until = new Date(link.expiresAt).toISOString().slice(0, 16).replace('T', ' ');
  process.stdout.write(
    `\n  First administrator: open this link once, until ${until} UTC, to set your address and password.\n` +
      `  ${invitationLink(settings.publicUrl, link.tenant, link.secret)}\n\n`,
  );
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
