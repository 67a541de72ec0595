import { afterAll, beforeAll, expect, test } from 'vitest';
import { openMetrics } from '../../src/health.ts';
import { connectionIdOf, tenantIdOf } from '../support/config.ts';
import { type Flow, startFlow } from './servers.ts';

const TOKEN = 'a-token-for-metrics';
let flow: Flow;
beforeAll(async () => {
  flow = await startFlow({ env: { DRAWBRIDGE_METRICS_TOKEN: TOKEN } });
});
afterAll(() => flow?.close());

async function metric(name: string): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${flow.servers[0]?.port}/metrics`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  expect(answer.status).toBe(200);
  return (await answer.text()).split('\n').filter((line) => line.startsWith(name));
}

test('a directory that its guard has paused is a metric for as long as it is paused, and no other is', async () => {
  await flow.world.sql('delete from directory_guards');
  expect(await metric('drawbridge_directory_paused')).toEqual([]);
  const key = [await tenantIdOf(flow.world, 'acme'), await connectionIdOf(flow.world, 'acme', 'okta')];
  await flow.world.sql(
    `insert into directory_guards (tenant_id, connection_id, paused_at, crossed, people) values ($1, $2, now(), 'people', 2)`,
    key,
  );
  await flow.world.sql(`insert into directory_guards (tenant_id, connection_id) values ($1, $2)`, [
    key[0],
    await connectionIdOf(flow.world, 'acme', 'entra'),
  ]);
  expect(await metric('drawbridge_directory_paused')).toEqual([
    'drawbridge_directory_paused{tenant="acme",connection="okta"} 1',
  ]);
  await flow.world.sql(`update directory_guards set paused_at = null, crossed = null`);
  expect(await metric('drawbridge_directory_paused')).toEqual([]);
});

test('where the database is away the metrics are there all the same, without what only it knows', async () => {
  const metrics = openMetrics();
  let isAway = false;
  metrics.watchPaused(async () => {
    if (isAway) throw new Error('away');
    return [{ tenant: 'acme', connection: 'okta' }];
  });
  const lines = async () => (await metrics.registry.metrics()).split('\n');
  const line = 'drawbridge_directory_paused{tenant="acme",connection="okta"} 1';
  expect(await lines()).toContain(line);
  isAway = true;
  const text = await lines();
  expect(text).not.toContain(line);
  expect(text).toContain('drawbridge_database_statements_total 0');
});
