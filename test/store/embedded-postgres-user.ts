/** A process that uses an embedded PostgreSQL until it is told to stop: `started <url>` when it does, then a line on stdin. */
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';

try {
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? '' });
  process.stdout.write(`started ${server.url}\n`);
  process.stdin.once('data', async () => {
    await server.stop();
    process.exit(0);
  });
} catch (error) {
  process.stdout.write(`${error instanceof Error ? `${error.name}: ${error.message}` : error}\n`);
  process.exitCode = 1;
}
