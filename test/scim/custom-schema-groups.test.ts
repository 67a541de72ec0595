// Groups with an extension that a directory's settings declare (RFC 7643 §3.3).

import { beforeAll, describe, expect, test } from 'vitest';
import { declared, groupUrn, refusedAs, type SchemasStage, schemasStage } from '../support/schemas-stage.ts';
import { type Answer, type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { groupSchemaUrn, patchUrn } from '../support/urns.ts';
import type { TestWorld } from '../support/world.ts';

let world: TestWorld;
let okta: DirectoryClient;
let withSchemas: SchemasStage['withSchemas'];
let fresh: SchemasStage['fresh'];
let found: SchemasStage['found'];
beforeAll(async () => {
  const stage = await schemasStage();
  ({ world, okta, withSchemas, fresh, found } = stage);
  return stage.close;
});

describe('a group with an extension of the directory (RFC 7643 §3.3)', () => {
  const values = { owner: 'o-1', level: 2, labels: ['x', 'y'], origin: 'ad' };
  const at = ({ id }: Body) => `/Groups/${id}`;
  async function group(extension: Body = values): Promise<Body> {
    const schemas = [groupSchemaUrn, groupUrn];
    const answer = await okta.post('/Groups', { schemas, displayName: fresh(), [groupUrn]: extension });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.body;
  }
  const versionOf = (answer: Answer) => answer.headers.get('etag');

  test('is stored and given back, in lists as well, and schemas names it', async () => {
    const made = await group();
    expect([made.schemas, made[groupUrn]]).toEqual([[groupSchemaUrn, groupUrn], values]);
    expect((await okta.get(at(made))).body).toEqual({ ...made, members: [] });
    expect((await okta.get('/Groups?excludedAttributes=members')).body.Resources).toContainEqual(made);
    expect((await okta.get(`${at(made)}?attributes=${groupUrn}:level`)).body[groupUrn]).toEqual({ level: 2 });
    expect((await group(null)).schemas).toEqual([groupSchemaUrn]);
  });

  test('is found by its values', async () => {
    const owner = `Sought ${fresh()}`;
    const { id } = await group({ owner, level: 77 });
    expect(await found(`${groupUrn}:owner eq "${owner}" and ${groupUrn}:level gt 76`, 'Groups')).toEqual([id]);
    expect(await found(`${groupUrn}:owner eq "${owner.toLowerCase()}"`, 'Groups')).toEqual([]);
  });

  test.each([[{ level: 'two' }], [{ labels: [1] }], ['text']])(
    'with a value of another type is 400: %j',
    async (wrong) => {
      const body = { displayName: fresh(), [groupUrn]: wrong };
      expect(refusedAs(await okta.post('/Groups', body))).toEqual([400, 'invalidValue']);
    },
  );

  test('over 256 KiB is 413', async () => {
    const labels = Array.from({ length: 1000 }, (_, index) => `${index} ${'x'.repeat(300)}`);
    expect((await okta.post('/Groups', { displayName: fresh(), [groupUrn]: { labels } })).status).toBe(413);
    const made = await group({});
    const operation = { op: 'add', path: `${groupUrn}:labels`, value: labels };
    expect((await okta.patch(at(made), operation)).status).toBe(413);
  });

  test('gets a new version by a change of it alone, by PUT and PATCH, and none by the same again (RFC 7644 §3.14, I6)', async () => {
    const made = await group();
    const patch = { op: 'replace', path: `${groupUrn}:level`, value: 3 };
    expect((await okta.patch(at(made), patch)).status).toBe(204);
    const patched = await okta.get(at(made));
    expect([versionOf(patched), patched.body[groupUrn].level]).toEqual(['W/"2"', 3]);
    await okta.patch(at(made), patch);
    const put = { ...made, [groupUrn]: { owner: 'o-2', origin: 'ad' } };
    expect(versionOf(await okta.put(at(made), put))).toBe('W/"3"');
    expect(versionOf(await okta.put(at(made), put))).toBe('W/"3"');
    const [event] = await world.sql(
      `select kind, detail from audit_events where object_id = $1 order by occurred_at desc, event_id desc limit 1`,
      [made.id],
    );
    expect(event).toMatchObject({ kind: 'group.updated', detail: { changed: [groupUrn] } });
  });

  test('is changed together with its name and members, or not at all (RFC 7644 §3.5.2)', async () => {
    const made = await group();
    const user = (await okta.post('/Users', userBody(fresh()))).body;
    const name = fresh();
    const all = [
      { op: 'replace', path: 'displayName', value: name },
      { op: 'add', path: 'members', value: [{ value: user.id }] },
      { op: 'replace', value: { [groupUrn]: { level: 9 }, [`${groupUrn}:owner`]: 'o-9' } },
      { op: 'add', path: `${groupUrn}:labels`, value: ['z'] },
    ];
    const wrong = await okta.patch(at(made), ...all, { op: 'replace', path: `${groupUrn}:level`, value: 'nine' });
    expect(refusedAs(wrong)).toEqual([400, 'invalidValue']);
    expect((await okta.get(at(made))).body).toEqual({ ...made, members: [] });
    const answer = await okta.call('PATCH', `${at(made)}?attributes=displayName,members.value,${groupUrn}`, {
      schemas: [patchUrn],
      Operations: all,
    });
    expect(answer.body).toMatchObject({
      displayName: name,
      members: [{ value: user.id }],
      [groupUrn]: { owner: 'o-9', level: 9, labels: ['x', 'y', 'z'], origin: 'ad' },
    });
  });

  test('keeps what is immutable: 400 mutability (RFC 7644 §3.5.1, §3.5.2)', async () => {
    const made = await group();
    const origin = `${groupUrn}:origin`;
    expect(refusedAs(await okta.patch(at(made), { op: 'replace', path: origin, value: 'x' }))).toEqual([
      400,
      'mutability',
    ]);
    expect(refusedAs(await okta.put(at(made), { ...made, [groupUrn]: { origin: 'x' } }))).toEqual([400, 'mutability']);
    expect((await okta.put(at(made), { displayName: made.displayName })).body[groupUrn]).toEqual({ origin: 'ad' });
  });

  test('loses nothing while its schema is not declared', async () => {
    const made = await group();
    const without = await withSchemas({});
    expect((await without.get(at(made))).body[groupUrn]).toBeUndefined();
    expect((await without.put(at(made), { displayName: fresh() })).status).toBe(200);
    const again = await withSchemas(declared);
    expect((await again.get(at(made))).body[groupUrn]).toEqual(values);
  });
});
