import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Line } from '../../src/context.ts';
import { BridgeError } from '../../src/core/errors.ts';
import type { TenantId } from '../../src/core/ids.ts';
import { allowLongStatements, readSnapshot } from '../../src/store/config-lock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { gathering } from '../../src/store/gathering.ts';
import { shares } from '../../src/store/shares.ts';
import { begun } from '../support/begun.ts';
import { testDatabase } from '../support/database.ts';

let fresh: Awaited<ReturnType<typeof testDatabase>>;
let database: Database;
beforeAll(async () => {
  fresh = await testDatabase();
  database = openDatabase({ url: fresh.url, poolSize: 4 });
});
afterAll(async () => {
  await database?.close();
  await fresh?.close();
});

const tenant = () => randomUUID() as string as TenantId;
const sleep = (seconds: number) => ({ name: null, text: `select pg_sleep(${seconds})` });
const outcome = (asked: Promise<unknown>) =>
  asked.then(
    () => 'answered',
    (error: unknown) => (error instanceof BridgeError ? error.code : String(error)),
  );

describe('FT20 a tenant that asks for everything at once', () => {
  test('leaves connections to the others, and is told after two seconds what it cannot have', async () => {
    const [noisy, quiet] = [tenant(), tenant()];
    const flood = Array.from({ length: 20 }, () => outcome(database.hot(noisy).run(sleep(3), [])));
    flood.push(...Array.from({ length: 20 }, () => outcome(database.transaction(noisy, (tx) => tx.run(sleep(3), [])))));
    // Before the first of the flood is done, and again after those in line were refused.
    for (let round = 0; round < 5; round += 1) {
      expect(await outcome(database.hot(quiet).run(sleep(0), []))).toBe('answered');
      expect(await outcome(database.transaction(quiet, (tx) => tx.run(sleep(0), [])))).toBe('answered');
      expect(await outcome(database.global.run(sleep(0.2), []))).toBe('answered');
    }
    const told = Map.groupBy(await Promise.all(flood), (one) => one);
    expect([told.get('answered')?.length, told.get('unavailable')?.length]).toEqual([3, 37]);
    expect(await outcome(database.hot(noisy).run(sleep(0), []))).toBe('answered');
  });
});

describe('shares', () => {
  test('run as many of a key at a time as they may, in order, whatever fails among them', async () => {
    const share = shares({ most: 2, waitMs: 1_000 });
    let running = 0;
    let most = 0;
    const begun: number[] = [];
    const acts = Array.from({ length: 9 }, (_, number) =>
      outcome(
        share('one', async () => {
          begun.push(number);
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 5));
          running -= 1;
          if (number % 2 === 0) throw new BridgeError('invalid', 'no');
        }),
      ),
    );
    expect(new Set(await Promise.all(acts))).toEqual(new Set(['answered', 'invalid']));
    expect([most, begun]).toEqual([2, [0, 1, 2, 3, 4, 5, 6, 7, 8]]);
  });
});

describe('whoever wants one row waits in line for it', () => {
  test('and holds no connection meanwhile: a row that a hundred want keeps nobody from the others of its tenant', async () => {
    const asks = tenant();
    let [inside, most] = [0, 0];
    const act = async () => {
      most = Math.max(most, ++inside);
      await database.hot(asks).run(sleep(0.01), []);
      inside -= 1;
    };
    const crowd = begun(Promise.all(Array.from({ length: 100 }, () => database.inTurn(asks, 'row', act))));
    const others = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        outcome(database.inTurn(asks, `row ${index}`, () => database.hot(asks).run(sleep(0.01), []))),
      ),
    );
    expect(others).toEqual(others.map(() => 'answered'));
    await crowd;
    expect(most).toBe(1);
  });

  test('of another tenant’s row of the same id nobody has to wait', async () => {
    const [one, other] = [tenant(), tenant()];
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = database.inTurn(one, 'row', () => promise);
    expect(await database.inTurn(other, 'row', async () => 'went on')).toBe('went on');
    resolve();
    await held;
  });

  test('no longer than they say', async () => {
    const share = shares({ most: 1, waitMs: 600_000 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = share('row', () => promise);
    expect(await outcome(share('row', async () => {}, performance.now() + 20))).toBe('unavailable');
    const patient = outcome(share('row', async () => {}, performance.now() + 600_000));
    resolve();
    expect(await patient).toBe('answered');
    await held;
  });

  test('and an act that fails gives its turn away', async () => {
    const asks = tenant();
    const failed = database.inTurn(asks, 'row', async () => {
      throw new Error('failed');
    });
    const next = begun(database.inTurn(asks, 'row', async () => 'next'));
    await expect(failed).rejects.toThrow('failed');
    expect(await next).toBe('next');
  });
});

describe('FT6 locks that one transaction needs', () => {
  const LOCK_TIMEOUT = { name: null, text: `select setting::int as ms from pg_settings where name = 'lock_timeout'` };
  const waitsAfter = (seconds: number, long: boolean) =>
    database.transaction(tenant(), async (tx) => {
      if (long) await allowLongStatements(tx);
      await tx.run(sleep(seconds), []);
      const [row] = await tx.run<{ ms: number }>(LOCK_TIMEOUT, []);
      return row?.ms ?? Number.NaN;
    });

  test('are waited for as long as one, all of them together; the last one for a moment at least', async () => {
    expect(await waitsAfter(0.6, false)).toBeLessThanOrEqual(1_400);
    expect(await waitsAfter(2.5, false)).toBe(100);
    // Of the next transaction of the connection nothing is taken.
    expect(await database.transaction(tenant(), (tx) => tx.run(LOCK_TIMEOUT, []))).toEqual([{ ms: 2_000 }]);
  });

  test('the first statement of one that waited for its connection may still say what the transaction sees', async () => {
    const asks = tenant();
    const others = begun(Promise.all(Array.from({ length: 3 }, () => database.hot(asks).run(sleep(0.6), []))));
    const seen = database.transaction(asks, async (tx) => {
      await readSnapshot(tx);
      const text = `select current_setting('transaction_isolation') as level`;
      return tx.run({ name: null, text }, []);
    });
    expect(await seen).toEqual([{ level: 'repeatable read' }]);
    await others;
  });

  test('the failing twin: where long statements are allowed, each is waited for by itself', async () => {
    expect(await waitsAfter(0.6, true)).toBe(2_000);
  });
});

const line = (rowId: string, like: string): Line => ({ rowId, like, atOnce: 1 });

describe('what many want of one row is asked once', () => {
  test('of those who wait for its turn, up to sixty-four; and each is given its own result', async () => {
    const asks = tenant();
    const sizes: number[] = [];
    const act = async (items: readonly number[]) => {
      sizes.push(items.length);
      await database.hot(asks).run(sleep(0.01), []);
      return items.map((item) => item * 2);
    };
    const asked = Array.from({ length: 100 }, (_, item) => database.together(asks, line('row', 'doubled'), item, act));
    expect(await Promise.all(asked)).toEqual(asked.map((_, item) => item * 2));
    expect(sizes).toEqual([64, 36]);
    // Nobody joins those who are at work.
    const first = begun(database.together(asks, line('row', 'doubled'), 1, act));
    await database.hot(asks).run(sleep(0.005), []);
    expect(await Promise.all([first, database.together(asks, line('row', 'doubled'), 2, act)])).toEqual([2, 4]);
    expect(sizes).toEqual([64, 36, 1, 1]);
  });

  test('two acts at once where they may be, and never three', async () => {
    const asks = tenant();
    let underWay = 0;
    const seen: number[] = [];
    const act = async (items: readonly number[]) => {
      underWay += 1;
      seen.push(underWay);
      await database.hot(asks).run(sleep(0.02), []);
      underWay -= 1;
      return items;
    };
    const both: Line = { rowId: 'row', like: 'two', atOnce: 2 };
    const asked: Promise<number>[] = [];
    for (let item = 0; item < 4; item += 1) {
      asked.push(begun(database.together(asks, both, item, act)));
      await new Promise(setImmediate);
    }
    expect(await Promise.all(asked)).toEqual([0, 1, 2, 3]);
    // The third and the fourth came while two were at work, and went together.
    expect(seen).toEqual([1, 2, 2]);
  });

  test('but not with what is of another kind, another row or another tenant', async () => {
    const [one, other] = [tenant(), tenant()];
    const act = async (items: readonly string[]) => items.map(() => items.join());
    const asked = [
      database.together(one, line('row', 'a'), 'one', act),
      database.together(one, line('row', 'b'), 'kind', act),
      database.together(one, line('row 2', 'a'), 'row', act),
      database.together(other, line('row', 'a'), 'tenant', act),
      database.together(one, line('row', 'a'), 'two', act),
    ];
    expect(await Promise.all(asked)).toEqual(['one,two', 'kind', 'row', 'tenant', 'one,two']);
  });

  test('and those who waited in vain for the turn leave the line to others', async () => {
    const gather = gathering({ most: 64, turn: shares({ most: 1, waitMs: 20 }) });
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const act = async (items: readonly string[]) => items;
    const slow = gather('row', 'a', 'slow', () => promise);
    await new Promise(setImmediate);
    const inVain = await Promise.all(['one', 'two'].map((item) => outcome(gather('row', 'a', item, act))));
    expect(inVain).toEqual(['unavailable', 'unavailable']);
    resolve(['at last']);
    expect(await slow).toBe('at last');
    expect(await gather('row', 'a', 'next', act)).toBe('next');
  });

  test('and a failure is that of all whom it was for, and of nobody after them', async () => {
    const asks = tenant();
    const fail = async (): Promise<readonly string[]> => {
      throw new BridgeError('invalid', 'no');
    };
    const failed = [1, 2].map((item) => outcome(database.together(asks, line('row', 'a'), item, fail)));
    expect(await Promise.all(failed)).toEqual(['invalid', 'invalid']);
    expect(await database.together(asks, line('row', 'a'), 3, async (items) => items)).toBe(3);
  });
});
