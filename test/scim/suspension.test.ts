// The ways back in that a directory could be: a suspended person stays without access until an administrator assigns a data role.

import { beforeAll, describe, expect, test } from 'vitest';
import type { Context, TenantTx } from '../../src/context.ts';
import type { Directory } from '../../src/core/directory.ts';
import { defaultDirectorySettings } from '../../src/core/directory-settings.ts';
import type { Person, TenantId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { createDirectoryUser, updateDirectoryUser } from '../../src/operations/provision-user.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { userSchema } from '../../src/scim/schema.ts';
import { decodeUser } from '../../src/scim/user-codec.ts';
import type { Acme } from '../support/acme.ts';
import { personOf } from '../support/people.ts';
import { type Body, type DirectoryClient, userBody } from '../support/scim.ts';
import { editorsOf, scimStage } from '../support/scim-stage.ts';
import { operator, type TestWorld } from '../support/world.ts';

let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
let entra: DirectoryClient;
let editors: Body;
beforeAll(async () => {
  const stage = await scimStage();
  ({ world, tenants, okta, entra } = stage);
  editors = await editorsOf(stage);
  return stage.close;
});

let serial = 0;
const fresh = () => `held${++serial}`;
const ref = ({ tenantId, userId }: Person) =>
  ({ subjectId: userId, kind: 'user', person: { tenantId, userId } }) as const;

async function pushed(client: DirectoryClient, body: Body): Promise<{ id: string; person: Person }> {
  const answer = await client.post('/Users', body);
  if (answer.status !== 201) throw new Error(answer.text);
  return { id: answer.body.id, person: await personOf(world, answer.body.id) };
}
async function suspended(body: Body): Promise<{ id: string; person: Person; row: unknown }> {
  const made = await pushed(okta, body);
  await okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: made.id }] });
  expect(await stateOf(made.person)).toBe('active');
  const outcome = await suspend(world.context(operator), tenants.acme, ref(made.person), 'left the building');
  expect(outcome.kind).toBe('suspended');
  return { ...made, row: await suspensionOf(made.person) };
}
const suspensionOf = async (person: Person) =>
  (await world.sql('select * from suspensions where subject_id = $1 and lifted_at is null', [person.userId]))[0];
const accessOf = async (person: Person) => (await readAccess(world.context(), person, null))?.access;
const stateOf = async (person: Person) => (await accessOf(person))?.state;
async function expectHeld(person: Person): Promise<void> {
  expect(await accessOf(person)).toEqual({ state: 'suspended', roles: [] });
}

describe('a suspended person', () => {
  test('T117 I1 stays so through active true, by PATCH and by PUT, again and again', async () => {
    const name = fresh();
    const { id, person, row } = await suspended(userBody(name));
    for (let push = 0; push < 3; push += 1) {
      await okta.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' });
      expect(await stateOf(person)).toBe('deactivated');
      await okta.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'True' });
      await expectHeld(person);
      await okta.put(`/Users/${id}`, userBody(name, { title: `push ${push}` }));
      await expectHeld(person);
    }
    expect(await suspensionOf(person)).toEqual(row);
  });

  test('T118 stays so through DELETE and POST with the same externalId', async () => {
    const name = fresh();
    const { id, person, row } = await suspended(userBody(name));
    for (let push = 0; push < 3; push += 1) {
      await okta.delete(`/Users/${push === 0 ? id : await idOf(name)}`);
      expect(await stateOf(person)).toBe('deactivated');
      const again = await pushed(okta, userBody(name));
      expect(again.person).toEqual(person);
      await expectHeld(person);
    }
    expect(await suspensionOf(person)).toEqual(row);
  });

  test('T126 stays so through membership in a mapped group, its re-creation and its rename', async () => {
    const { id, person, row } = await suspended(userBody(fresh()));
    await okta.patch(`/Groups/${editors.id}`, { op: 'remove', path: 'members', value: [{ value: id }] });
    await okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: id }] });
    await okta.patch(`/Groups/${editors.id}`, { op: 'replace', value: { displayName: 'Editors renamed' } });
    await okta.patch(`/Groups/${editors.id}`, { op: 'replace', value: { displayName: 'Editors' } });
    await expectHeld(person);
    expect(await suspensionOf(person)).toEqual(row);
  });

  test('R21 comes back by an administrator’s data role alone, with that role and what their groups map', async () => {
    const name = fresh();
    const { id, person } = await suspended(userBody(name));
    await okta.put(`/Users/${id}`, userBody(name, { title: 'still held' }));
    expect((await assignRole(world.context(operator), tenants.acme, ref(person), 'Viewer', operator)).kind).toBe(
      'assigned',
    );
    const access = await accessOf(person);
    expect([access?.state, access?.roles.map((role) => role.role)]).toEqual([
      'active',
      ['Analytics: Editor', 'Analytics: Viewer'],
    ]);
  });
});

describe('whoever comes in a suspended person’s name', () => {
  const cases: readonly (readonly [string, (name: string) => Body])[] = [
    ['T118 the same userName and address, another externalId', (name) => userBody(name, { externalId: `x-${name}` })],
    [
      'T118 the same userName alone',
      (name) => userBody(name, { externalId: `x-${name}`, emails: [{ value: `x-${name}@acme.example` }] }),
    ],
    ['T118 the same address alone', (name) => userBody(`x-${name}`, { emails: [{ value: `${name}@acme.example` }] })],
    [
      'T123 the address in other case',
      (name) => userBody(`x-${name}`, { emails: [{ value: `${name.toUpperCase()}@ACME.example` }] }),
    ],
    [
      'T123 the address with a plus-tag',
      (name) => userBody(`x-${name}`, { emails: [{ value: `${name}+new@acme.example` }] }),
    ],
    [
      'T123 the address as a second one',
      (name) =>
        userBody(`x-${name}`, {
          emails: [
            { value: `x-${name}@acme.example`, primary: true },
            { value: `${name}@acme.example`, type: 'other' },
          ],
        }),
    ],
    ['T123 the address as userName', (name) => userBody(`x-${name}`, { userName: `${name}@acme.example` })],
  ];

  test.each(cases)(
    'I3 after they were removed, with %s, begins suspended and holds nothing of theirs',
    async (_, body) => {
      const name = fresh();
      const { id, person, row } = await suspended(userBody(name));
      await okta.delete(`/Users/${id}`);
      const next = await pushed(okta, body(name));
      expect(next.person).not.toEqual(person);
      await okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: next.id }] });
      await expectHeld(next.person);
      expect(await suspensionOf(person)).toEqual(row);
      expect(await suspensionOf(next.person)).toMatchObject({
        inherited_from: (row as { suspension_id: string }).suspension_id,
      });
    },
  );

  test('T123 an alias that was only ever a second address, or a userName, is theirs as well', async () => {
    for (const alias of ['second', 'user']) {
      const name = fresh();
      const own = userBody(name, { userName: `user-${name}@acme.example` });
      own.emails.push({ value: `second-${name}@acme.example`, type: 'other' });
      const { id } = await suspended(own);
      await okta.delete(`/Users/${id}`);
      const next = await pushed(okta, userBody(`${alias}-${name}`, { userName: `x-${name}` }));
      await expectHeld(next.person);
    }
  });

  test('I3 the failing twin: nobody is held whose keys are their own', async () => {
    const name = fresh();
    const { id } = await suspended(userBody(name));
    await okta.delete(`/Users/${id}`);
    const other = await pushed(okta, userBody(fresh()));
    expect(await stateOf(other.person)).toBe('no_access');
  });

  test('I3 through a chain: the third in line is held for the first', async () => {
    const name = fresh();
    const { id } = await suspended(userBody(name));
    await okta.delete(`/Users/${id}`);
    const second = await pushed(okta, userBody(name, { externalId: `second-${name}` }));
    await okta.delete(`/Users/${second.id}`);
    const third = await pushed(
      okta,
      userBody(`third-${name}`, { externalId: `second-${name}`, userName: `third-${name}` }),
    );
    expect(third.person).toEqual(second.person);
    await okta.delete(`/Users/${third.id}`);
    const fourth = await pushed(
      okta,
      userBody(`fourth-${name}`, { emails: [{ value: `third-${name}@acme.example` }] }),
    );
    await expectHeld(fourth.person);
  });

  test('T120 through another connection, by the address, is the same person or is held', async () => {
    const name = fresh();
    const { person } = await suspended(userBody(name));
    const same = await pushed(entra, userBody(name, { externalId: `entra-${name}` }));
    expect(same.person).toEqual(person);
    await expectHeld(person);
    const gone = fresh();
    const left = await suspended(userBody(gone));
    await okta.delete(`/Users/${left.id}`);
    const next = await pushed(entra, userBody(gone, { externalId: `entra-${gone}` }));
    expect(next.person).not.toEqual(left.person);
    await expectHeld(next.person);
  });

  test('T120 I3 through another connection by an address that nobody is linked by, outside ASCII or quoted, is held', async () => {
    for (const [own, again] of [
      ['jörg-N@acme.example', 'JÖRG-N+x@Acme.example'],
      ['"ann lee-N"@acme.example', '"Ann Lee-N"@acme.example'],
    ] as const) {
      const name = fresh();
      const called = (text: string) => text.replace('N', name);
      await suspended(userBody(name, { userName: called(own), emails: [] }));
      const listed = userBody(`by-${name}`, { emails: [{ value: called(again) }] });
      await expectHeld((await pushed(entra, listed)).person);
      await expectHeld((await pushed(entra, userBody(`as-${name}`, { userName: called(again), emails: [] }))).person);
      const other = userBody(`no-${name}`, { userName: called(own).replace('@', 'e@'), emails: [{ value: 'none' }] });
      expect(await stateOf((await pushed(entra, other)).person)).toBe('no_access');
    }
  });

  test('T122 with an address that they gave up before, or after, the suspension begins suspended', async () => {
    for (const order of ['before', 'after']) {
      const name = fresh();
      const body = userBody(name);
      const moved = { op: 'replace', path: 'emails', value: [{ value: `moved-${name}@acme.example` }] };
      const made = order === 'before' ? await pushed(okta, body) : await suspended(body);
      await okta.patch(`/Users/${made.id}`, moved, { op: 'replace', path: 'userName', value: `moved-${name}` });
      if (order === 'before') await suspend(world.context(operator), tenants.acme, ref(made.person), null);
      await expectHeld(made.person);
      const old = await pushed(okta, userBody(`taker-${name}`, { emails: [{ value: `${name}@acme.example` }] }));
      await expectHeld(old.person);
      await okta.delete(`/Users/${made.id}`);
      const recent = await pushed(
        okta,
        userBody(`taker2-${name}`, { emails: [{ value: `moved-${name}@acme.example` }] }),
      );
      await expectHeld(recent.person);
    }
  });

  test('T121 with an externalId that they gave up begins suspended', async () => {
    const name = fresh();
    const { id } = await suspended(userBody(name));
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'externalId', value: `changed-${name}` });
    const taker = await pushed(okta, userBody(`taker-${name}`, { externalId: `ext-${name}` }));
    await expectHeld(taker.person);
  });
});

describe('T130 a suspension between the statement that reads and the one that writes', () => {
  /** A directory's context in which something happens right after a statement was answered, once. */
  function interrupted(after: string, act: () => Promise<unknown>): Context {
    const ctx = world.context({ kind: 'directory', connectionId: tenants.okta, name: 'okta' });
    let done = false;
    const hot = (tenantId: TenantId): TenantTx => {
      const tx = ctx.hot(tenantId);
      const run: TenantTx['run'] = async (statement, values) => {
        const rows = await tx.run(statement, values);
        if (statement.name === after && !done) {
          done = true;
          await act();
        }
        return rows as never;
      };
      return { ...tx, run };
    };
    return { ...ctx, hot };
  }
  const pushes = async (): Promise<Directory> => {
    const [row] = await world.sql<{ id: Directory['credentialId'] }>(
      'select credential_id as id from scim_credentials where connection_id = $1',
      [tenants.okta],
    );
    if (row === undefined) throw new Error('no credential');
    const { tenantId, slug } = tenants.acme;
    return {
      tenantId,
      tenant: slug,
      connectionId: tenants.okta,
      connectionKey: 'okta',
      credentialId: row.id,
      settings: defaultDirectorySettings,
    };
  };
  const suspendNow = (person: Person) => suspend(world.context(operator), tenants.acme, ref(person), null);

  test('is not missed by a newcomer who has one of their keys', async () => {
    const name = fresh();
    const { person } = await pushed(okta, userBody(name));
    const body = userBody(`new-${name}`);
    body.emails.push({ value: `${name}@acme.example`, type: 'other' });
    const ctx = interrupted('directory_newcomer', () => suspendNow(person));
    const outcome = await createDirectoryUser(ctx, await pushes(), decodeUser(body, { notes: [], schema: userSchema }));
    expect(outcome.kind).toBe('done');
    const [next] = await world.sql<Person>(
      `select tenant_id as "tenantId", user_id as "userId" from directory_users where user_name = $1`,
      [body.userName],
    );
    await expectHeld(next as Person);
  });

  test('is not missed by a push of the same person, whose keys are then held', async () => {
    const name = fresh();
    const { id, person } = await pushed(okta, userBody(name));
    const ctx = interrupted('directory_user_facts', () => suspendNow(person));
    const next = decodeUser(userBody(name, { title: 'between' }), { notes: [], schema: userSchema });
    world.takeStatements();
    const outcome = await updateDirectoryUser(ctx, await pushes(), id, () => next, null);
    expect(outcome).toMatchObject({ kind: 'done', changed: true });
    // Once by the suspension, once more by the push that lost and took its turn.
    expect(world.takeStatements().filter((statement) => statement === 'subject_lock')).toHaveLength(2);
    expect((await okta.get(`/Users/${id}`)).body.title).toBe('between');
    await expectHeld(person);
  });

  test('and deactivation raises the epoch for both', async () => {
    const name = fresh();
    const { id, person } = await pushed(okta, userBody(name));
    const epoch = async () =>
      Number(
        (
          await world.sql<{ e: string }>('select access_epoch as e from subjects where subject_id = $1', [
            person.userId,
          ])
        )[0]?.e,
      );
    const before = await epoch();
    const ctx = interrupted('directory_user_facts', () => suspendNow(person));
    const next = decodeUser(userBody(name, { active: false }), { notes: [], schema: userSchema });
    expect((await updateDirectoryUser(ctx, await pushes(), id, () => next, null)).kind).toBe('done');
    expect(await epoch()).toBe(before + 2);
    expect(await stateOf(person)).toBe('deactivated');
  });
});

test('T130 a suspension that races pushes of the same person holds, whoever comes first', async () => {
  for (let round = 0; round < 8; round += 1) {
    const name = fresh();
    const made = await pushed(okta, userBody(name));
    await okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: made.id }] });
    const moved = `race-${name}@acme.example`;
    const [outcome] = await Promise.all([
      suspend(world.context(operator), tenants.acme, ref(made.person), null),
      okta.put(`/Users/${made.id}`, userBody(name, { title: 'racing' })),
      okta.patch(`/Users/${made.id}`, { op: 'replace', path: 'emails', value: [{ value: moved }] }),
      okta.patch(`/Users/${made.id}`, { op: 'replace', path: 'active', value: true }),
    ]);
    expect(outcome.kind).toBe('suspended');
    await expectHeld(made.person);
    await okta.delete(`/Users/${made.id}`);
    // Whatever the last push left as their address, it is remembered.
    for (const address of [`${name}@acme.example`, moved]) {
      const [held] = await world.sql('select 1 from held_keys where subject_id = $1 and key_hash = decode($2, $3)', [
        made.person.userId,
        world.context().keyHash(JSON.stringify(['email', address])),
        'hex',
      ]);
      expect([address, held !== undefined]).toEqual([address, true]);
    }
  }
});

async function idOf(name: string): Promise<string> {
  const { body } = await okta.get(`/Users?filter=${encodeURIComponent(`userName eq "${name}@acme.example"`)}`);
  return body.Resources[0].id;
}
