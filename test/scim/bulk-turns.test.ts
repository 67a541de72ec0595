import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { authenticateDirectory } from '../../src/operations/authenticate-directory.ts';
import { readBulk } from '../../src/scim/bulk-message.ts';
import { runBulk } from '../../src/scim/bulk-run.ts';
import { directorySchemas } from '../../src/scim/directory-schemas.ts';
import type { Exchange } from '../../src/scim/exchange.ts';
import { begun } from '../support/begun.ts';
import { bulk, statuses } from '../support/bulk.ts';
import { userBody } from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import { patchUrn } from '../support/urns.ts';

let here: ScimStage;
beforeEach(async () => {
  here = await scimStage();
});
afterEach(() => here?.close());

const idAt = (n: number) => `01900000-0000-7002-8000-${n.toString(16).padStart(12, '0')}`;

/** What a request comes to beyond its edge. */
async function exchanged(): Promise<Exchange> {
  const ctx = here.world.context();
  const directory = await authenticateDirectory(ctx, { tenant: 'acme', connection: 'okta' }, here.okta.token);
  if (directory === null) throw new Error('nobody');
  return {
    ctx,
    directory,
    schemas: directorySchemas([]),
    request: { headers: {} } as IncomingMessage,
    room: { take: () => {}, leave: () => {} } as unknown as Exchange['room'],
    query: new URLSearchParams(),
    baseUrl: here.okta.base,
    notes: [],
  };
}

test('T48 T50 a bulk that adds tens of thousands of members gives turns while they are read, not only between its operations', async () => {
  const exchange = await exchanged();
  const turnsFor = async (members: number): Promise<number> => {
    const value = Array.from({ length: members }, (_, index) => ({ value: idAt(index) }));
    const data = { schemas: [patchUrn], Operations: [{ op: 'add', path: 'members', value }] };
    const body = {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
      Operations: [{ method: 'PATCH', path: `/Groups/${idAt(0)}`, data }],
    };
    const request = await readBulk(Buffer.from(JSON.stringify(body)), [], () => undefined);
    let turns = 0;
    const pace = () => {
      turns += 1;
      return undefined;
    };
    const [result] = await runBulk(exchange, request, pace, performance.now());
    expect(result?.status).toBe(404);
    return turns;
  };
  expect((await turnsFor(80_000)) - (await turnsFor(1))).toBeGreaterThanOrEqual(39);
});

test('T48 FT6 whoever waits for their turn has not begun when the time of the bulk is up, whatever time they may have alone', async () => {
  const { world, tenants, okta } = here;
  const { body: user } = await okta.post('/Users', userBody('in-line'));
  const data = { schemas: [patchUrn], Operations: [{ op: 'replace', path: 'nickName', value: 'Line' }] };
  const push = async () => statuses(await bulk(okta, [{ method: 'PATCH', path: `/Users/${user.id}`, data }]));
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = begun(world.context().inTurn(tenants.acme.tenantId, user.id, () => promise));
  const asked = performance.now();
  expect(await push()).toEqual(['503']);
  // Three, where alone they are given twenty here.
  expect(performance.now() - asked).toBeLessThan(15_000);
  resolve();
  await first;
  expect((await okta.get(`/Users/${user.id}`)).body.nickName).toBeUndefined();
  expect(await push()).toEqual(['200']);
});

test('T48 FT6 nor has whoever waits for a connection, where their tenant has all that it may have', async () => {
  const { world, tenants, okta } = here;
  const { body: user } = await okta.post('/Users', userBody('unconnected'));
  const data = { schemas: [patchUrn], Operations: [{ op: 'replace', path: 'nickName', value: 'Late' }] };
  const message = {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
    Operations: [{ method: 'PATCH', path: `/Users/${user.id}`, data }],
  };
  const pace = () => undefined;
  const request = await readBulk(Buffer.from(JSON.stringify(message)), [], pace);
  const exchange = await exchanged();
  const sleep = { name: null, text: 'select pg_sleep(1.5)' };
  const hot = world.context().hot(tenants.acme.tenantId);
  const taken = begun(Promise.all(Array.from({ length: 6 }, () => hot.run(sleep, []))));
  // Its three seconds end in less than one.
  const [result] = await runBulk(exchange, request, pace, performance.now() - 2_300);
  await taken;
  expect(result?.status).toBe(503);
  expect((await okta.get(`/Users/${user.id}`)).body.nickName).toBeUndefined();
  const [again] = await runBulk(exchange, request, pace, performance.now());
  expect(again?.status).toBe(200);
});
