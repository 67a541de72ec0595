/**
 * A real PostgreSQL that the server brings along, for when no `DATABASE_URL` names one.
 *
 * Everybody who uses a data folder holds a shared advisory lock in its server for as long as they use it, and whoever leaves
 * last stops the server. The lock goes with its session, so a killed process leaves nothing behind that must be cleaned up:
 * the next start finds the server still running and goes on with it.
 */
import { createHmac } from 'node:crypto';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Binaries, findBinaries } from './embedded-binaries.ts';
import {
  ensureCluster,
  openPlace,
  password,
  placeFound,
  stopCluster,
  temporaryPlace,
  temporaryPrefix,
} from './embedded-cluster.ts';
import { addressFor, isLast, joinServer, knock, type Server, urlOf } from './embedded-server.ts';

export type EmbeddedPostgres = {
  /** Connects the superuser to the database `postgres`; give it to {@link createDatabase}. */
  readonly url: string;
  /** Leaves the server, and stops it if nobody else uses it. */
  stop(): Promise<void>;
};

type Where = { readonly dataDir: string } | { readonly ephemeral: true };

const rolesLock = 4_021_730_002;

/**
 * Starts the PostgreSQL of a data folder, or joins the one that already runs there.
 *
 * The folder is the launcher's own; it is made if it is missing. The server listens on a socket in it that only its user can
 * reach (a loopback port where the path is too long for one), and asks for a random password that lies in the folder. When
 * started by root it runs as uid 65534. If it ends while in use, it is started again under the same address.
 * `ephemeral` puts the folder among the temporary files and removes it at `stop`; nothing else is different.
 *
 * Throws `EmbeddedPostgresError`, whose message says what to do, where no PostgreSQL can be run. Makes no database and no role.
 */
export async function startEmbeddedPostgres(
  options: Where & { readonly log?: (message: string) => void },
): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  const { place, remove } =
    'dataDir' in options ? { place: openPlace(options.dataDir, log), remove: () => {} } : temporaryPlace(log);
  const binaries = findBinaries(place.runAs);
  await Promise.all([ensureCluster(binaries, place), 'dataDir' in options ? undefined : sweepTemporary(binaries)]);
  const server: Server = { binaries, place, ...(await addressFor(place)) };

  let stopped = false;
  const enter = async (): Promise<pg.Client> => {
    const client = await joinServer(server);
    client.once('end', () => {
      if (stopped) return;
      log('The embedded PostgreSQL ended unexpectedly; starting it again.');
      session = enter();
      session.catch((error: Error) => log(`The embedded PostgreSQL could not be started again: ${error.message}`));
    });
    return client;
  };
  let session = enter();
  await session;

  return {
    url: urlOf(server, 'postgres', 'postgres', password(place)),
    async stop() {
      if (stopped) return;
      stopped = true;
      try {
        const client = await session.catch(() => undefined);
        if (client !== undefined && (await isLast(client))) await stopCluster(binaries, place);
        await client?.end().catch(() => {});
      } finally {
        remove();
      }
    },
  };
}

/**
 * Makes a database, if there is none of that name, and the role that owns it; returns the address under which that role
 * connects to it. The role may make further roles, and is no superuser.
 *
 * Takes the superuser's address that {@link startEmbeddedPostgres} returns. Creates no tables.
 */
export async function createDatabase(superuserUrl: string, name: string, owner = 'drawbridge'): Promise<string> {
  const url = new URL(superuserUrl);
  const ownerPassword = createHmac('sha256', decodeURIComponent(url.password)).update(owner).digest('base64url');
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  try {
    // Two servers that start at once must not make the same role: PostgreSQL has no "if not exists" for it.
    await client.query('select pg_advisory_lock($1)', [rolesLock]);
    const role = await client.query('select 1 from pg_roles where rolname = $1', [owner]);
    const verb = role.rowCount === 0 ? 'create' : 'alter';
    await client.query(
      `${verb} role ${client.escapeIdentifier(owner)} login createrole password ${client.escapeLiteral(ownerPassword)}`,
    );
    const database = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (database.rowCount === 0) {
      await client.query(
        `create database ${client.escapeIdentifier(name)} owner ${client.escapeIdentifier(owner)} template template0`,
      );
      await client.query(`revoke all on database ${client.escapeIdentifier(name)} from public`);
    }
  } finally {
    await client.end();
  }
  url.username = owner;
  url.password = ownerPassword;
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** Stops and removes temporary servers whose users were killed before they could. */
async function sweepTemporary(binaries: Binaries): Promise<void> {
  const uid = process.getuid?.();
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(temporaryPrefix))) {
    const base = join(tmpdir(), name);
    const found = lstatSync(base, { throwIfNoEntry: false });
    // A young one may not have been joined yet by whoever makes it.
    if (found === undefined || !found.isDirectory() || found.uid !== uid || Date.now() - found.mtimeMs < 60_000)
      continue;
    const place = placeFound(base);
    if (place === undefined) continue;
    const server = { binaries, place, ...(await addressFor(place)) };
    const answer = await knock(server).catch(() => 'busy' as const);
    if (answer === 'busy') continue;
    if (answer !== 'absent') {
      const last = await isLast(answer);
      if (last) await stopCluster(binaries, place);
      await answer.end().catch(() => {});
      if (!last) continue;
    }
    rmSync(base, { recursive: true, force: true });
  }
}
