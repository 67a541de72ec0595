// The end of a pause that many people are in: sets, not loops.

import { beforeEach, expect, test } from 'vitest';
import { type Acme, touchConfig } from '../support/acme.ts';
import { type PausedStage, pausedStage } from '../support/paused-stage.ts';
import type { DirectoryClient } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let stage: PausedStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
// A stage for each try: the planner must know nothing of the tables.
beforeEach(async () => {
  stage = await pausedStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

test('T50 T58 thousands at once are paused, planned and resumed as sets; the pause right after a first sync, too', async () => {
  const { body: group } = await okta.post('/Groups', { displayName: 'Everybody' });
  await world.sql(
    `insert into mapping_rules (tenant_id, rule_id, key, connection_id, match_kind, match_value, role_id)
    select $1, gen_random_uuid(), 'everybody', $2, 'id', $3, $4`,
    [tenants.acme.tenantId, tenants.okta, group.id, tenants.role(tenants.acme, 'Viewer')],
  );
  await touchConfig(world);
  const count = 6_000;
  await world.sql(
    `with u as (select gen_random_uuid() as id, n from generate_series(1, $4::int) n),
     s as (insert into subjects (tenant_id, subject_id, kind) select $1, id, 'user' from u),
     p as (insert into users (tenant_id, user_id, user_name, origin) select $1, id, 'many' || n, 'scim' from u),
     d as (insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, user_name, user_name_key, attributes)
       select $1, id, $2, id, 'many' || n, 'many' || n, '{"active":true}' from u)
     insert into group_members (tenant_id, group_id, directory_user_id) select $1, $3, id from u`,
    [tenants.acme.tenantId, tenants.okta, group.id, count],
  );
  const put = await okta.put(`/Groups/${group.id}`, { displayName: 'Everybody', members: [] });
  expect([put.status, put.headers.get('retry-after')]).toEqual([503, '300']);
  expect((await okta.put(`/Groups/${group.id}`, { displayName: 'Everybody', members: [] })).status).toBe(503);
  // Until here the planner knew nothing of the tables, as right after a first sync: whoever looks comes later.
  await world.sql('analyze');
  // Two thirds of them are to be deactivated or removed, too.
  for (const [act, rest] of [
    ['deactivate_user', 0],
    ['remove_user', 1],
  ])
    await world.sql(
      `insert into directory_guard_acts (tenant_id, connection_id, act, object_id)
       select tenant_id, connection_id, $2, directory_user_id from directory_users
       where connection_id = $1 and user_name like 'many%' and substr(user_name, 5)::int % 3 = $3`,
      [tenants.okta, act, rest],
    );
  const plan = await stage.planned();
  const third = count / 3;
  const fates = { removed: third, deactivated: third, kept: 0, loses_roles: third, loses_none: 0 };
  expect(plan.counts).toEqual({ people: count, losing: count, fates });
  expect(await stage.resume(plan.digest)).toEqual({
    kind: 'resumed',
    deactivated: third,
    removed: third,
    // Those who were removed had left with that.
    left: count - third,
    groupsEnded: 0,
    kept: 0,
  });
  expect(await world.sql('select 1 from group_members where group_id = $1', [group.id])).toEqual([]);
  const left = await world.sql<{ active: boolean; said: string; ended: boolean; count: number }>(
    `select active, attributes ->> 'active' as said, ended_at is not null as ended, count(*)::int as count from directory_users
     where user_name like 'many%' group by 1, 2, 3 order by 1, 3`,
  );
  expect(left).toEqual([
    { active: false, said: 'false', ended: false, count: third },
    { active: true, said: 'true', ended: false, count: third },
    { active: true, said: 'true', ended: true, count: third },
  ]);
});
