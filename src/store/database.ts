// The connection pool, transactions, and the one place where database failures get their meaning.

import pg from 'pg';
import type { Line, Query, Statement, TenantTx } from '../context.ts';
import { BridgeError } from '../core/errors.ts';
import type { TenantId } from '../core/ids.ts';
import { gathering } from './gathering.ts';
import { shares } from './shares.ts';

// Whole numbers of the database (versions, counters) stay below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export type Database = {
  /** See `Context.hot`, and so on. */
  hot(tenantId: TenantId, until?: number): TenantTx;
  transaction<T>(tenantId: TenantId, act: (tx: TenantTx) => Promise<T>, until?: number): Promise<T>;
  inTurn<T>(tenantId: TenantId, rowId: string, act: () => Promise<T>, until?: number): Promise<T>;
  together<Item, Result>(
    tenantId: TenantId,
    line: Line,
    item: Item,
    act: (items: readonly Item[]) => Promise<readonly Result[]>,
  ): Promise<Result>;
  readonly global: Query;
  /** Calls back for every notification on the channel, over a connection of its own that reconnects; returns a stopper. */
  listen(channel: string, onNotice: (payload: string) => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  readonly url: string;
  readonly poolSize?: number;
  /** The longest wait for a connection, in milliseconds. */
  readonly waitMs?: number;
  /** Called for each statement sent, with its name or text: statement counts in tests, query metrics. */
  readonly onStatement?: (statement: string) => void;
};

/** A unique key that somebody else took first. Operations translate the constraint; no name of it reaches a client. */
export class UniqueViolation extends Error {
  readonly constraint: string;

  constructor(constraint: string) {
    super('a unique key is taken');
    this.name = 'UniqueViolation';
    this.constraint = constraint;
  }
}

/** The database gave up on a statement that took too long: it was busy, or asked too much. */
export class StatementTimeout extends BridgeError {}

// Waiting longer for a connection than a client waits for us helps nobody (FT6).
const WAIT_MS = 2_000;
// Both together stay under the five seconds within which everybody is answered (FT6): whoever waited for the turn may then wait for a
// lock that another process holds.
const TURN_MS = 2_500;
const LOCK_MS = 2_000;
/** Of a transaction that is older than this the locks that it waits for next count together with those before. */
const YOUNG_MS = 400;
/** It may always wait so long for one. */
const LEAST_LOCK_MS = 100;
// Not where long statements are allowed: those have longer ones before their locks.
const WAIT_SHORTER = {
  name: 'wait_shorter',
  text: `select set_config('lock_timeout', $1, true) where current_setting('statement_timeout') = '5s'`,
};
const RETRIED = new Set(['40001', '40P01']);
const MAX_TRIES = 4;
/** More would keep each of them waiting for the last one. */
const MOST_TOGETHER = 64;

export function openDatabase(options: DatabaseOptions): Database {
  const { poolSize = 8, waitMs = WAIT_MS } = options;
  // A quarter of the connections is left to the others, whatever one tenant asks for (FT20).
  const share = shares({ most: Math.max(1, poolSize - Math.ceil(poolSize / 4)), waitMs });
  // Fifty who want one row and wait for it in the database would take every connection that their tenant may have, and most of them
  // would wait in vain.
  const turn = shares({ most: 1, waitMs: options.waitMs ?? TURN_MS });
  const ofTwo = shares({ most: 2, waitMs: options.waitMs ?? TURN_MS });
  const gather = {
    1: gathering({ most: MOST_TOGETHER, turn }),
    2: gathering({ most: MOST_TOGETHER, turn: ofTwo }),
  };
  // Not as long as a statement may take: it would no longer be told which of the two it was.
  const lockMs = Math.min(options.waitMs ?? LOCK_MS, 4_000);
  const config: pg.PoolConfig = {
    connectionString: options.url,
    max: poolSize,
    connectionTimeoutMillis: waitMs,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    application_name: 'drawbridge',
    // With the page costs of a disk that turns, the planner has each page of users read every membership where they are few. To compile
    // a statement takes longer than any of ours runs.
    options: `-c role=drawbridge_app -c jit=off -c random_page_cost=1.1 -c statement_timeout=5000 -c lock_timeout=${lockMs} -c idle_in_transaction_session_timeout=10000`,
  };
  const pool = new pg.Pool(config);
  // A broken idle connection is replaced by the pool; without a listener the error would end the process. One that the pool is about
  // to close has lost the pool's own listener, and the database may end it first.
  pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}));

  const send = async <Row>(
    target: pg.Pool | pg.PoolClient,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> => {
    options.onStatement?.(statement.name ?? statement.text);
    const query = {
      text: statement.text,
      values: [...values],
      ...(statement.name === null ? {} : { name: statement.name }),
    };
    try {
      return (await target.query(query)).rows as Row[];
    } catch (error) {
      throw meaning(error);
    }
  };
  // Each lock may be waited for as long as all of them together, and the connection: a transaction that takes three of them in turn
  // would else take longer than anybody waits for it.
  const inTransaction = (tenantId: TenantId, client: pg.PoolClient, since: number): TenantTx => {
    // The first statement goes as it is: nothing may come before one that sets what the transaction sees.
    let locks: 'not yet' | 'limited' | 'unlimited' = 'not yet';
    const run = async <Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> => {
      const age = performance.now() - since;
      if (locks === 'not yet') locks = 'limited';
      else if (locks === 'limited' && age > YOUNG_MS) {
        const left = Math.max(LEAST_LOCK_MS, Math.ceil(lockMs - age));
        const { rowCount } = await client.query({ ...WAIT_SHORTER, values: [`${left}ms`] }).catch(failed);
        if (rowCount === 0) locks = 'unlimited';
      }
      return send(client, statement, values);
    };
    return { tenantId, run } as unknown as TenantTx;
  };

  const once = async <T>(tenantId: TenantId, act: (tx: TenantTx) => Promise<T>, since: number): Promise<T> => {
    const client = await pool.connect().catch(failed);
    let broken: Error | undefined;
    const lost = (error: Error) => {
      broken = error;
    };
    client.on('error', lost);
    try {
      options.onStatement?.('begin');
      await client.query('begin').catch(failed);
      const result = await act(inTransaction(tenantId, client, since));
      options.onStatement?.('commit');
      await client.query('commit').catch(failed);
      return result;
    } catch (error) {
      await client.query('rollback').catch(lost);
      throw error;
    } finally {
      client.off('error', lost);
      client.release(broken);
    }
  };

  return {
    hot: (tenantId, until) => {
      const run: TenantTx['run'] = (statement, values) => share(tenantId, () => send(pool, statement, values), until);
      return { tenantId, run } as unknown as TenantTx;
    },
    inTurn: (tenantId, rowId, act, until) => turn(`${tenantId} ${rowId}`, act, until),
    together: (tenantId, { rowId, like, atOnce }, item, act) => gather[atOnce](`${tenantId} ${rowId}`, like, item, act),
    global: { run: (statement, values) => send(pool, statement, values) },
    async transaction(tenantId, act, until) {
      const since = performance.now();
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await share(tenantId, () => once(tenantId, act, since), until);
        } catch (error) {
          if (!(error instanceof LostRace) || attempt === MAX_TRIES)
            throw error instanceof LostRace ? busy(error) : error;
        }
      }
    },
    listen: (channel, onNotice) => listen(config, channel, onNotice),
    close: () => pool.end(),
  };
}

/** Another transaction won; running the act again may succeed. */
export class LostRace extends Error {}

function busy(cause: Error): BridgeError {
  return new BridgeError('unavailable', 'The server is busy. Try again.', cause.message);
}

function failed(error: unknown): never {
  throw meaning(error);
}

function meaning(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === '23505') return new UniqueViolation('constraint' in error ? String(error.constraint) : '');
  if (RETRIED.has(code)) return new LostRace(error.message);
  if (code === '57014' && /statement timeout/.test(error.message)) {
    return new StatementTimeout('unavailable', 'The server cannot reach its database. Try again.', error.message);
  }
  // Classes 08 connection, 53 resources, 57 operator intervention (a statement timeout is 57014), 55P03 lock not available.
  const away = /^(08|53|57|55P03|25P03)/.test(code) || /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|ENOENT)/.test(code);
  if (away || /timeout|terminated|Connection|not queryable/.test(error.message)) {
    return new BridgeError('unavailable', 'The server cannot reach its database. Try again.', error.message);
  }
  return error;
}

async function listen(
  config: pg.PoolConfig,
  channel: string,
  onNotice: (payload: string) => void,
): Promise<() => Promise<void>> {
  let stopped = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const connect = async (): Promise<void> => {
    if (stopped) return;
    const fresh = new pg.Client({ ...config, options: '-c role=drawbridge_app' });
    client = fresh;
    const again = () => {
      if (client !== fresh || stopped) return;
      client = undefined;
      fresh.end().catch(() => {});
      timer = setTimeout(() => void connect(), 1_000);
      timer.unref();
    };
    fresh.on('error', again);
    fresh.on('end', again);
    fresh.on('notification', (notice) => onNotice(notice.payload ?? ''));
    try {
      await fresh.connect();
      await fresh.query(`listen ${pg.escapeIdentifier(channel)}`);
      onNotice('');
    } catch {
      again();
    }
  };
  await connect();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await client?.end().catch(() => {});
  };
}
