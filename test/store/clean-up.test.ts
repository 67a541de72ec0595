import { randomUUIDv7 } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cleanUpSchedule, cleanUpTasks } from '../../src/store/clean-up.ts';
import { startJobs } from '../../src/store/jobs.ts';
import { type Acme, acme } from '../support/acme.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
beforeEach(async () => {
  world = await testWorld();
  tenants = await acme(world);
});
afterEach(() => world?.close());

const job = {
  id: '1',
  createdAt: 0,
  attempts: 1,
  addJob: async () => {},
  owner: {
    run: <Row>(statement: { text: string }, values: readonly unknown[]) => world.sql<Row>(statement.text, values),
  },
};
const run = (task: string) => cleanUpTasks[task]?.({}, job);
const count = async (table: string) =>
  (await world.sql<{ n: number }>(`select count(*)::integer as n from ${table}`))[0]?.n;

describe('clean-up', () => {
  test('what was kept for a time goes when it is over, in bites, and nothing else does', async () => {
    const t = tenants.acme.tenantId;
    const times = `(values (now() - interval '2 hours'), (now() + interval '1 hour')) as v (at)`;
    const bytes = `sha256(gen_random_uuid()::text::bytea)`;
    await world.sql(
      `insert into login_flows (tenant_id, flow_hash, connection_id, secrets_sealed, expires_at) select $1, ${bytes}, $2, '', at from ${times}`,
      [t, tenants.okta],
    );
    await world.sql(
      `insert into login_flows (tenant_id, flow_hash, connection_id, secrets_sealed, expires_at) select $1, ${bytes}, $2, '', now() - interval '1 day' from generate_series(1, 2500)`,
      [t, tenants.okta],
    );
    await world.sql(
      `insert into sign_in_handles (tenant_id, handle_hash, interaction_hash, result, expires_at) select $1, ${bytes}, ${bytes}, '{}', at from ${times}`,
      [t],
    );
    await world.sql(
      `insert into seen_assertions (tenant_id, connection_id, assertion_hash, expires_at) select $1, $2, ${bytes}, at from ${times}`,
      [t, tenants.entra],
    );
    await world.sql(
      `insert into oidc_artifacts (model, id_hash, payload_sealed, expires_at) select 'ReplayDetection', ${bytes}, '', at from ${times}`,
    );
    const audit = await count('audit_events');
    await run('clean_up');
    expect(await count('login_flows')).toBe(1);
    expect(await count('sign_in_handles')).toBe(1);
    expect(await count('seen_assertions')).toBe(1);
    expect(await count('oidc_artifacts')).toBe(1);
    expect(await count('audit_events')).toBe(audit);
  });

  test('T9 an assertion is remembered for as long as it could still be accepted somewhere', async () => {
    await world.sql(
      `insert into seen_assertions (tenant_id, connection_id, assertion_hash, expires_at) values ($1, $2, '\\x01', now() - interval '10 minutes')`,
      [tenants.acme.tenantId, tenants.entra],
    );
    await run('clean_up');
    expect(await world.sql(`select 1 from seen_assertions where assertion_hash = '\\x01'`)).toHaveLength(1);
  });

  test('FT11 jobs of a server that died are free again, those in hand stay', async () => {
    await world.sql(`select graphile_worker.add_job('nothing', '{}') from generate_series(1, 2)`);
    await world.sql(
      `update graphile_worker._private_jobs set locked_by = 'dead', locked_at = now() - interval '11 minutes' where id % 2 = 0`,
    );
    await world.sql(
      `update graphile_worker._private_jobs set locked_by = 'alive', locked_at = now() - interval '1 minute' where id % 2 = 1`,
    );
    await run('clean_up');
    const locked = await world.sql(
      `select locked_by from graphile_worker.jobs where task_identifier = 'nothing' order by id % 2`,
    );
    expect(locked).toEqual([{ locked_by: null }, { locked_by: 'alive' }]);
  });
});

describe('the audit trail’s months', () => {
  test('the next three have a partition of their own, made once, whose rows can be neither changed nor emptied', async () => {
    await run('prepare_audit_months');
    await run('prepare_audit_months');
    const partitions = await world.sql<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'audit_events'::regclass order by 1`,
    );
    expect(partitions.map(({ name }) => name.replace(/\d{4}_\d{2}$/, 'MONTH'))).toEqual([
      'audit_events_MONTH',
      'audit_events_MONTH',
      'audit_events_MONTH',
      'audit_events_rest',
    ]);
    await world.database.global.run(
      {
        name: null,
        text: `insert into audit_events (tenant_id, occurred_at, event_id, kind, actor) values ($1, date_trunc('month', now() at time zone 'UTC') + interval '1 month 1 day', $2, 'x', '{}')`,
      },
      [tenants.acme.tenantId, randomUUIDv7()],
    );
    const [first] = partitions;
    expect(await count(first?.name ?? '')).toBe(1);
    await expect(world.sql(`update ${first?.name} set kind = 'y'`)).rejects.toThrow('never changed');
    await expect(world.sql(`truncate ${first?.name}`)).rejects.toThrow('never changed');
    await expect(world.database.global.run({ name: null, text: `delete from audit_events` }, [])).rejects.toThrow(
      'permission denied',
    );
  });
});

test('the tasks that run by the clock are ones that there are, and the queue takes their times', async () => {
  expect(Object.keys(cleanUpSchedule).sort()).toEqual(Object.keys(cleanUpTasks).sort());
  const stop = await startJobs({ url: world.url, tasks: cleanUpTasks, schedule: cleanUpSchedule, log: silent });
  await stop();
  expect(await world.sql(`select identifier from graphile_worker._private_known_crontabs order by 1`)).toEqual([
    { identifier: 'clean_up' },
    { identifier: 'prepare_audit_months' },
  ]);
});
