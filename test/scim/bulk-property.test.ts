// RFC 7644 §3.7: a bulk comes to the same as its operations sent one by one, in answers and in what is left.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { suspend } from '../../src/operations/suspend.ts';
import { addUser } from '../support/acme.ts';
import { bulk, create, group, patch } from '../support/bulk.ts';
import { personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, directoryClient, type ScimServer, userBody } from '../support/scim.ts';
import { type ScimStage, scimStage } from '../support/scim-stage.ts';
import { enterpriseUrn } from '../support/urns.ts';
import { clockStops, muchLater, watchedServer } from '../support/watched-server.ts';
import { operator } from '../support/world.ts';

/** Two installations that began alike: one takes bulks, the other single requests. */
let sides: readonly [together: ScimStage, alone: ScimStage];
/** The first installation, which calls `afterStatement` as its requests go on. */
let watched: ScimServer;
let afterStatement = () => {};
beforeAll(async () => {
  sides = [await scimStage(), await scimStage()];
  watched = await watchedServer(sides[0].world, () => afterStatement());
});
afterAll(async () => {
  await watched?.close();
  for (const side of sides ?? []) await side.close();
});

/** An operation by numbers: what it does, and which of a few names, addresses and resources it takes. */
const operation = fc.record({
  does: fc.constantFrom(
    'user',
    'user',
    'user',
    'user',
    'group',
    'put',
    'patch',
    'delete',
    'add',
    'remove',
    'rename',
    'end',
  ),
  name: fc.nat(5),
  externalId: fc.nat(6),
  email: fc.nat(7),
  other: fc.nat(7),
  on: fc.nat(40),
  by: fc.nat(40),
  version: fc.constantFrom(null, null, null, 'W/"1"', 'W/"2"'),
  active: fc.boolean(),
});
type Planned = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const emailOf = (run: string, email: number): string | null =>
  [null, `${run}-a`, `${run}-a+tag`, `${run}-b`, `${run}-c`, `${run}-gone`, `${run}-held`, `${run}-made`][email] ??
  null;

function userOf(run: string, { name, externalId, email, other, active }: Planned): Body {
  const [first, second] = [emailOf(run, email), emailOf(run, other)];
  const address = (local: string, primary: boolean) => ({ value: `${local}@acme.example`, primary });
  return userBody(`${run}-${name}`, {
    externalId: externalId === 0 ? null : `${run}-${['', 'x', 'y', 'z', 'gone', 'held', 'w'][externalId]}`,
    emails: [...(first === null ? [] : [address(first, true)]), ...(second === null ? [] : [address(second, false)])],
    active,
  });
}

/** As an operation of a bulk. It refers to what earlier ones create, whatever became of that, and to what was there before. */
function written(
  run: string,
  planned: Planned,
  index: number,
  before: readonly Planned[],
  there: readonly string[],
): Body {
  const created = (does: string) => before.flatMap((one, at) => (one.does === does ? [`bulkId:op${at}`] : []));
  const pick = (from: readonly string[], by: number): string => from[by % from.length] as string;
  const users = [...created('user'), ...there, '019a0000-0000-7000-8000-000000000000'];
  const groups = [...created('group'), '019a0000-0000-7000-8000-000000000000'];
  const user = `/Users/${pick(users, planned.on)}`;
  const team = `/Groups/${pick(groups, planned.on)}`;
  const member = [{ value: pick(users, planned.by) }];
  const name = `${run}-${planned.name}`;
  switch (planned.does) {
    case 'user': {
      const manager = { [enterpriseUrn]: { manager: { value: pick(users, planned.by) } } };
      return create(`op${index}`, { ...userOf(run, planned), ...(planned.by % 4 === 0 ? manager : {}) });
    }
    case 'group':
      return group(`op${index}`, name, planned.by % 2 === 0 ? member : []);
    case 'put':
      return { method: 'PUT', path: user, data: userOf(run, planned), version: planned.version };
    case 'patch':
      return { ...patch(user, { op: 'replace', path: 'active', value: planned.active }), version: planned.version };
    case 'delete':
      return { method: 'DELETE', path: user, version: planned.version };
    case 'add':
    case 'remove':
      return { ...patch(team, { op: planned.does, path: 'members', value: member }), version: planned.version };
    case 'rename':
      return patch(team, { op: 'replace', path: 'displayName', value: name });
    default:
      return { method: 'DELETE', path: team };
  }
}

/**
 * People of the run whom every operation may meet: two of the directory, one of them inactive, one who left it, one who is suspended,
 * one made by hand; and whether the directory is held from then on.
 */
async function settle({ okta, world, tenants }: ScimStage, run: string, held: boolean): Promise<readonly string[]> {
  const hold = (on: boolean) =>
    world.sql('update connections set scim_held = $2 where connection_id = $1', [tenants.okta, on]);
  await hold(false);
  const user = async (name: string) =>
    (await okta.post('/Users', userBody(`${run}-${name}`, { externalId: `${run}-${name}` }))).body.id as string;
  const ids = [await user('here'), await user('gone'), await user('held'), await user('off')];
  const person = await personOf(world, ids[2] as string);
  const subject = { subjectId: person.userId, kind: 'user', person } as const;
  await suspend(world.context(operator), tenants.acme, subject, null);
  await okta.delete(`/Users/${ids[1]}`);
  await okta.patch(`/Users/${ids[3]}`, { op: 'replace', path: 'active', value: false });
  if (run.length % 2 === 0) await okta.delete(`/Users/${ids[2]}`);
  await addUser(world, tenants.acme, `${run}-made@acme.example`);
  await hold(held);
  return ids;
}

type Answer = {
  readonly status: string;
  readonly response: unknown;
  readonly version: unknown;
  readonly location: unknown;
};

const NOT_BEGUN: Answer = { status: 'not begun', response: undefined, version: undefined, location: undefined };

/** The operations one by one; what refers to what was not created is not sent, nor what a bulk did not begin. */
async function alone(
  okta: DirectoryClient,
  operations: readonly Body[],
  most: number,
  left: readonly Answer[] = [],
): Promise<readonly Answer[]> {
  const ids = new Map<string, string>();
  const answers: Answer[] = [];
  let errors = 0;
  for (const [index, { method, path, bulkId, data, version }] of operations.entries()) {
    if (errors >= most) break;
    if (left[index]?.status === NOT_BEGUN.status) {
      answers.push(NOT_BEGUN);
      continue;
    }
    const text = JSON.stringify({ path, data: data ?? null });
    const named = [...text.matchAll(/bulkId:(op\d+)/g)].map(([, name]) => name as string);
    const plain = JSON.parse(text.replaceAll(/bulkId:(op\d+)/g, (all, name) => ids.get(name) ?? all));
    const lost = named.some((name) => !ids.has(name));
    const answer = lost
      ? { status: 409, body: undefined, headers: new Headers() }
      : await okta.call(method, plain.path, plain.data ?? undefined, version ? { 'If-Match': version } : {});
    if (answer.status === 201 && bulkId) ids.set(bulkId, answer.body.id);
    if (answer.status >= 400) errors += 1;
    answers.push({
      status: String(answer.status),
      response: lost ? 'lost' : answer.status >= 400 ? answer.body : undefined,
      version: answer.headers.get('etag') ?? undefined,
      location:
        answer.status === 201
          ? answer.body.meta.location
          : method === 'POST' || lost
            ? undefined
            : okta.base + plain.path,
    });
  }
  return answers;
}

async function together(okta: DirectoryClient, operations: readonly Body[], most: number): Promise<readonly Answer[]> {
  const results = await bulk(okta, operations, most === Number.POSITIVE_INFINITY ? {} : { failOnErrors: most });
  return results.map(({ status, response, version, location }) => {
    if (response?.detail?.includes('was not begun')) return NOT_BEGUN;
    // An address is known of a resource that was created, even where the operation on it was lost.
    return response?.detail?.includes('was not created')
      ? { status, response: 'lost', version, location: undefined }
      : { status, response, version, location };
  });
}

/** All that a run left, its ids by the names that the operations gave them. */
async function left({ world, tenants }: ScimStage, run: string, names: ReadonlyMap<string, string>): Promise<string> {
  const like = [`%${run}-%`];
  const users = await world.sql(
    `select d.directory_user_id, d.external_id, d.user_name, d.email, d.active, d.withheld, d.version, d.ended_by, d.attributes, u.email as person_email,
       u.email_verified_at is not null as verified, u.origin, s.access_epoch,
       (select count(*)::int from suspensions p where p.subject_id = d.user_id and p.lifted_at is null) as suspended,
       (select count(*)::int from held_keys k where k.subject_id = d.user_id) as held,
       (select count(*)::int from email_directory e where e.user_id = d.user_id) as known
     from directory_users d join users u using (tenant_id, user_id) join subjects s on s.subject_id = d.user_id
     where d.user_name like $1 order by d.user_name, d.version, d.attributes::text, d.directory_user_id`,
    like,
  );
  const groups = await world.sql(
    `select g.display_name, g.version, g.ended_at is not null as ended,
       array(select m.directory_user_id::text from group_members m where m.group_id = g.group_id) as members
     from directory_groups g where g.display_name like $1 order by g.display_name, g.version, g.group_id`,
    like,
  );
  const people = await world.sql(
    `select origin, count(*)::int from users where user_name like $1 group by 1 order by 1`,
    like,
  );
  const events = await world.sql(
    `select kind, outcome, reason, count(*)::int from audit_events where tenant_id = $1 group by 1, 2, 3 order by 1, 2, 3`,
    [tenants.acme.tenantId],
  );
  const counted = await world.sql(
    `select resource, sum(count)::int as count from directory_counters where connection_id = $1 group by 1 order by 1`,
    [tenants.okta],
  );
  for (const one of groups as { members: string[] }[])
    one.members = one.members.map((id) => names.get(id) ?? id).sort();
  return named(JSON.stringify({ users, groups, people, events, counted }, null, 1), names);
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const named = (text: string, names: ReadonlyMap<string, string>) => text.replaceAll(ID, (id) => names.get(id) ?? id);

/** The ids of what was there before and of what the operations created, by name. */
function namesOf(
  there: readonly string[],
  operations: readonly Body[],
  answers: readonly Answer[],
): ReadonlyMap<string, string> {
  const names = new Map(there.map((id, index) => [id, `there${index}`]));
  for (const [index, { status, location }] of answers.entries()) {
    if (status === '201') names.set(String(location).split('/').at(-1) as string, operations[index].bulkId);
  }
  return names;
}

let runs = 0;

/** `held`: whether the directory is. */
const history = fc.record({
  planned: fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }),
  held: fc.boolean(),
});
type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

/** What a history comes to on a side: its answers, and all that it left. */
async function outcomeOf(
  side: ScimStage,
  run: string,
  { planned, held }: History,
  send: (operations: readonly Body[]) => Promise<readonly Answer[]>,
): Promise<{ readonly answers: readonly Answer[]; readonly told: readonly string[]; readonly left: string }> {
  const there = await settle(side, run, held);
  const operations = planned.map((one, index) => written(run, one, index, planned.slice(0, index), there));
  const answers = await send(operations);
  const names = namesOf(there, operations, answers);
  const told = answers.map((answer) => named(JSON.stringify(answer), names));
  return { answers, told, left: await left(side, run, names) };
}

test('I5 RFC 7644 §3.7 a bulk of any operations ends as they do one by one', async () => {
  const most = fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1, 3);
  await fc.assert(
    fc.asyncProperty(history, most, async (past, errors) => {
      const run = `r${++runs}`;
      const [bulked, single] = sides;
      const one = await outcomeOf(bulked, run, past, (operations) => {
        // However slow the machine is: a bulk that runs out of time is the next test's.
        const restore = clockStops();
        return together(bulked.okta, operations, errors).finally(restore);
      });
      const other = await outcomeOf(single, run, past, (operations) => alone(single.okta, operations, errors));
      expect([one.told, one.left]).toEqual([other.told, other.left]);
    }),
    { numRuns: 40, seed: 7644, endOnFailure: true },
  );
}, 240_000);

test('T48 I5 a bulk that runs out of time ends as those of its operations do one by one that it says were begun', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 60 }), async (past, statements) => {
      const run = `late${++runs}`;
      const [bulked, single] = sides;
      const client = directoryClient(watched, 'acme', 'okta', bulked.okta.token);
      const one = await outcomeOf(bulked, run, past, async (operations) => {
        let answered = 0;
        let restore = () => {};
        afterStatement = () => {
          answered += 1;
          if (answered === statements) restore = muchLater();
        };
        try {
          return await together(client, operations, Number.POSITIVE_INFINITY);
        } finally {
          afterStatement = () => {};
          restore();
        }
      });
      const other = await outcomeOf(single, run, past, (operations) =>
        alone(single.okta, operations, Number.POSITIVE_INFINITY, one.answers),
      );
      expect([one.told, one.left]).toEqual([other.told, other.left]);
    }),
    { numRuns: 40, seed: 7644, endOnFailure: true },
  );
}, 240_000);
