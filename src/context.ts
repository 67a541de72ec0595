// All that operations may use of the world.

import type { Actor } from './core/change.ts';
import type { Instant, KeyHash, TenantId } from './core/ids.ts';

declare const tenantTx: unique symbol;

/** SQL with a name is prepared once per connection; `null` is for text that varies. */
export type Statement = { readonly name: string | null; readonly text: string };

/**
 * A tenant's hold on the database: a transaction, or single statements that commit by themselves. Store functions take it, so a
 * query without a tenant cannot be written.
 */
export type TenantTx = {
  readonly [tenantTx]: true;
  readonly tenantId: TenantId;
  run<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]>;
};

/** A statement outside any tenant. */
export type Query = { run<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> };

/** What may be sealed; each use has keys of its own. */
export type SealedFor = 'oidc_artifact' | 'signing_key' | 'login_flow' | 'scim_cursor';

/** Keeps secrets that must be read again unreadable at rest. */
export type Vault = {
  /** `owner` names the row: a sealed value that is moved to another row does not open there. */
  seal(use: SealedFor, owner: string, plain: Uint8Array): Uint8Array;
  /** Throws where the value was changed, moved, or sealed under another master key. */
  open(use: SealedFor, owner: string, sealed: Uint8Array): Uint8Array;
};

export type Log = {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
};

/** Who asks, and in which request: what every audit row carries. */
export type Caller = { readonly actor: Actor; readonly requestId: string };

/** Where items wait for one another; see {@link Context.together}. */
export type Line = {
  readonly rowId: string;
  /** What items have in common that may go together, their type and that of their results included. */
  readonly like: string;
  /** Acts that may be under way: one takes the turns of {@link Context.inTurn}, two those of a line of their own. */
  readonly atOnce: 1 | 2;
};

export type Context = {
  /**
   * Runs the act in one transaction; retried as a whole on a serialization failure or a deadlock, so it must have no other effect.
   * `until`, as `performance.now` tells it: how long to wait for a connection at the longest; then it fails as `unavailable`.
   */
  transaction<T>(tenantId: TenantId, act: (tx: TenantTx) => Promise<T>, until?: number): Promise<T>;
  /**
   * Single statements, each its own transaction: for hot acts, whose write is guarded by the version that the load read. `until` as of
   * `transaction`.
   */
  hot(tenantId: TenantId, until?: number): TenantTx;
  /**
   * Runs acts on one row of a tenant one after the other, so that none of those who wait for it holds a connection. Waits some seconds
   * at the longest, and not beyond `until`, as `performance.now` tells it; then fails as `unavailable`. An act must not wait for another
   * turn of the same row. Locks nothing: other processes go on.
   */
  inTurn<T>(tenantId: TenantId, rowId: string, act: () => Promise<T>, until?: number): Promise<T>;
  /**
   * Hands an item to an act on one row of a tenant, together with alike items of others who waited for the row's turn meanwhile: one
   * act for all, a result for each in the order of the items.
   */
  together<Item, Result>(
    tenantId: TenantId,
    line: Line,
    item: Item,
    act: (items: readonly Item[]) => Promise<readonly Result[]>,
  ): Promise<Result>;
  /** What no tenant owns: the tree of tenants, the email directory, protocol artifacts. */
  readonly global: Query;
  now(): Instant;
  /** A new UUIDv7. */
  newId<Id extends string>(): Id;
  /** Keyed hash under this installation's master key. */
  keyHash(text: string): KeyHash;
  readonly vault: Vault;
  readonly caller: Caller;
  readonly log: Log;
};
