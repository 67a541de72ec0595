import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readOrMakeMasterKey } from '../src/master-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-key-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fresh = () => ({ masterKey: null, dataFolder: join(mkdtempSync(join(folder, 'data-')), 'not', 'there') });

test('a master key is made once, with mode 0600, and is the same ever after', async () => {
  const settings = fresh();
  const key = await readOrMakeMasterKey(settings);
  expect(key).toHaveLength(32);
  expect(statSync(join(settings.dataFolder, 'master.key')).mode & 0o777).toBe(0o600);
  expect(await readOrMakeMasterKey(settings)).toEqual(key);
  expect(await readOrMakeMasterKey(fresh())).not.toEqual(key);
});

test('processes that start at once use the same key', async () => {
  const settings = fresh();
  const keys = await Promise.all(Array.from({ length: 20 }, () => readOrMakeMasterKey(settings)));
  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1);
});

test('a key of the settings is used, and none is made', async () => {
  const settings = { ...fresh(), masterKey: Buffer.alloc(32, 1) };
  expect(await readOrMakeMasterKey(settings)).toEqual(Buffer.alloc(32, 1));
  expect(() => statSync(settings.dataFolder)).toThrow('ENOENT');
});

test('a key that others can read, or that is damaged, is refused and left as it is', async () => {
  const settings = fresh();
  await readOrMakeMasterKey(settings);
  const file = join(settings.dataFolder, 'master.key');
  chmodSync(file, 0o644);
  await expect(readOrMakeMasterKey(settings)).rejects.toThrow(/can be read by others; set its mode to 0600/);
  chmodSync(file, 0o600);
  writeFileSync(file, 'half a k');
  await expect(readOrMakeMasterKey(settings)).rejects.toThrow(/is damaged/);
  expect(readFileSync(file, 'utf8')).toBe('half a k');
});

test('where the folder cannot be made, a sentence says which, and what to set', async () => {
  const file = join(mkdtempSync(join(folder, 'data-')), 'a-file');
  writeFileSync(file, '');
  await expect(readOrMakeMasterKey({ masterKey: null, dataFolder: file })).rejects.toThrow(
    `The data folder ${file} cannot be made (EEXIST). Set DRAWBRIDGE_DATA to a folder that this user may write.`,
  );
});

test.runIf(process.platform === 'linux')('where nothing can be made or written, that is said at once', async () => {
  const since = performance.now();
  for (const [dataFolder, what] of [
    ['/proc/drawbridge', 'made'],
    ['/proc/drawbridge/data', 'made'],
    ['/proc', 'written'],
  ] as const) {
    const { message } = await readOrMakeMasterKey({ masterKey: null, dataFolder }).then(
      () => new Error('made'),
      (error: Error) => error,
    );
    expect(message.replace(/E[A-Z]+/, 'CODE')).toBe(
      `The data folder ${dataFolder} cannot be ${what} (CODE). Set DRAWBRIDGE_DATA to a folder that this user may write.`,
    );
  }
  expect(performance.now() - since).toBeLessThan(2_000);
});
