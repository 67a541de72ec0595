// What a directory looks like, and how many it has.

import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Acme } from '../support/acme.ts';
import { type ActivityStage, activityStage } from '../support/activity-stage.ts';
import { setDirectory } from '../support/directory-settings.ts';
import { type DirectoryClient, directory, userBody } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let stage: ActivityStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
// A stage for each try: they are about whom a directory pushes for the first time.
beforeEach(async () => {
  stage = await activityStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});

describe('the profile', () => {
  const captured = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

  test('is recognised from captured requests and remembered', async () => {
    const entra = await directory(world, stage.server, tenants.acme, 'entra');
    await entra.call('POST', '/Groups', captured('entra/create-group.json'));
    expect((await stage.shown('entra')).profile).toMatchObject({ profile: 'entra', by: 'shape' });
    const { id } = (await entra.post('/Users', userBody('legacy'))).body;
    await entra.call('PATCH', `/Users/${id}`, captured('entra/patch-active-false-string.json'));
    expect((await stage.shown('entra')).profile).toMatchObject({
      profile: 'entra-legacy',
      by: 'shape',
      since: expect.any(Number),
    });
  });

  test('that the file sets is shown, beside what the requests look like, and changes no answer to a new user', async () => {
    const ask = (client: DirectoryClient) =>
      client.call('POST', '/Users', captured('entra/create-user-string-booleans.json'), {
        'User-Agent': 'Okta SCIM Client 1.0.0',
      });
    const first = await ask(okta);
    await okta.delete(`/Users/${first.body.id}`);
    await setDirectory(world, tenants.okta, { profile: 'generic' });
    const second = await ask(await stage.servers.of('okta', okta.token));
    const same = ({ status, body }: typeof first) => [status, { ...body, id: '', meta: '', groups: '' }];
    expect(same(second)).toEqual(same(first));
    expect((await stage.shown()).profile).toMatchObject({
      profile: 'generic',
      by: 'file',
      recognised: 'okta',
      since: null,
    });
  });
});

test('counters are exact: active are those who are not inactive, memberships those of open groups', async () => {
  const { id } = (await okta.post('/Users', userBody('off', { active: false }))).body;
  const group = await okta.post('/Groups', { displayName: 'Counted', members: [{ value: id }] });
  const { counters } = await stage.shown();
  const [counted] = await world.sql<Record<string, number>>(
    `select count(*)::int as users, count(*) filter (where active)::int as "activeUsers" from directory_users
     where connection_id = $1 and ended_at is null`,
    [tenants.okta],
  );
  expect(counters).toEqual({ ...counted, groups: 1, memberships: 1 });
  await okta.delete(`/Groups/${group.body.id}`);
  await okta.delete(`/Users/${id}`);
  expect((await stage.shown()).counters).toMatchObject({
    groups: 0,
    memberships: 0,
    users: counters.users - 1,
    activeUsers: counters.activeUsers,
  });
});
