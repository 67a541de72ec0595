// Thousands of hostile requests at a real server, the same ones each time; `npm run fuzz` sends others, for as long as one likes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attack } from '../../scripts/fuzz/run.ts';
import { openStage, type Stage } from '../../scripts/fuzz/stage.ts';
import { testDatabase } from '../support/database.ts';

const SEED = 20_260;
const REQUESTS = 3_000;
const MILLISECONDS = 90_000;

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-fuzz-'));
let database: Awaited<ReturnType<typeof testDatabase>>;
let stage: Stage;
beforeAll(async () => {
  database = await testDatabase();
  stage = await openStage(database.url, folder);
}, 120_000);
afterAll(async () => {
  await stage?.close();
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('T43 T44 T46 T47 T48 T49 T57 T60 T61 FT18 whatever is sent, every answer is SCIM’s own, in time and below 500; nobody is held up, and nothing changes that is not the sender’s', {
  timeout: 240_000,
}, async () => {
  const report = await attack(stage, { seed: SEED, requests: REQUESTS, milliseconds: MILLISECONDS });
  expect(report.findings).toEqual([]);
  expect(report.requests).toBeGreaterThan(500);
  // Enough of it got past the first door, and some of it all the way.
  const statuses = ['200', '201', '204', '400', '401', '404', '405', '409', '413', '415', '431'];
  expect([...report.byStatus.keys()]).toEqual(expect.arrayContaining(statuses));
});
