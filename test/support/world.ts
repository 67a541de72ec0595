// A real database and real contexts for operations under test.

import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Context, Log } from '../../src/context.ts';
import type { Actor, Administrator } from '../../src/core/change.ts';
import { deriveSecrets, type Secrets } from '../../src/secrets.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { contextOf } from '../../src/world.ts';
import { testDatabase } from './database.ts';

export const operator: Administrator = { kind: 'operator', name: 'test' };
export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export type TestWorld = {
  readonly url: string;
  readonly database: Database;
  readonly secrets: Secrets;
  readonly masterKey: Uint8Array;
  /** Names of the statements that the server sent since the last call. */
  takeStatements(): readonly string[];
  context(actor?: Actor): Context;
  /** As the owner, past every right of the server: to look, and to plant what no operation would. */
  sql<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
};

export async function testWorld(
  options: { readonly url?: string; readonly masterKey?: Uint8Array; readonly waits?: 'as served' } = {},
): Promise<TestWorld> {
  const fresh = options.url === undefined ? await testDatabase() : { url: options.url, close: async () => {} };
  let statements: string[] = [];
  const database = openDatabase({
    url: fresh.url,
    poolSize: 6,
    // A machine that is busy with other tests is no finding.
    ...(options.waits === 'as served' ? {} : { waitMs: 20_000 }),
    onStatement: (statement) => statements.push(statement),
  });
  const owner = new pg.Pool({ connectionString: fresh.url, max: 2 });
  // A connection that ends as its database is dropped says so to nobody.
  owner.on('error', () => {}).on('connect', (client) => client.on('error', () => {}));
  const masterKey = options.masterKey ?? randomBytes(32);
  const secrets = deriveSecrets(masterKey);
  return {
    url: fresh.url,
    database,
    secrets,
    masterKey,
    takeStatements() {
      const taken = statements;
      statements = [];
      return taken;
    },
    context: (actor = operator) => contextOf({ database, secrets, log: silent }, { actor, requestId: randomUUID() }),
    sql: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await owner.query(text, [...values])).rows as Row[],
    async close() {
      await database.close();
      await owner.end();
      await fresh.close();
    },
  };
}
