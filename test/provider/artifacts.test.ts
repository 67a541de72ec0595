import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person, TenantSlug } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { createClient } from '../../src/operations/create-client.ts';
import { endClientOfSession, endGranted, endSession } from '../../src/operations/end-artifacts.ts';
import { findArtifact, findSession } from '../../src/operations/find-artifact.ts';
import {
  type Holder,
  keepArtifact,
  keepFirstArtifact,
  type NewArtifact,
  spendArtifact,
} from '../../src/operations/keep-artifact.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { setClientEnabled } from '../../src/operations/set-client-enabled.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { removeExpired } from '../../src/store/oidc-artifacts.ts';
import { type Acme, acme, addUser } from '../support/acme.ts';
import { operator, type TestWorld, testWorld } from '../support/world.ts';
import { clientSettings } from './support.ts';

let world: TestWorld;
let tenants: Acme;
let serial = 0;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  await createClient(world.context(), tenants.acme, 'app', clientSettings());
});
afterAll(() => world?.close());

const secret = () => randomBytes(32).toString('base64url');
const artifact = (more: Partial<NewArtifact> & Pick<NewArtifact, 'model' | 'id'>): NewArtifact => ({
  payload: { jti: more.id },
  holder: null,
  grantId: null,
  sessionUid: null,
  sessionBound: false,
  clientId: null,
  ttlSeconds: 60,
  replaces: null,
  ...more,
});
async function somebody(): Promise<Person> {
  const userId = await addUser(world, tenants.acme, `holder${++serial}@acme.example`);
  return { tenantId: tenants.acme.tenantId, userId };
}
async function holderOf(person: Person, tenant: string | null = null): Promise<Holder> {
  const read = await readAccess(world.context(), person, tenant as TenantSlug | null);
  if (read === null) throw new Error('no such person');
  return { person, epoch: read.epochs.home, target: read.epochs.target };
}
const find = (model: string, id: string) => findArtifact(world.context(), model, id);
const keep = (one: NewArtifact) => keepArtifact(world.context(), one);

describe('what is kept', () => {
  test('holds neither the id nor any of the payload in a readable form', async () => {
    const [id, sessionUid] = [secret(), secret()];
    await keep(artifact({ model: 'Session', id, sessionUid, payload: { jti: id, nonce: 'n-0S6_WzA2Mj' } }));
    const [row] = await world.sql<{ text: string }>(
      `select oidc_artifacts::text || encode(payload_sealed, 'escape') as text from oidc_artifacts order by created_at desc limit 1`,
    );
    for (const hidden of [id, sessionUid, 'n-0S6_WzA2Mj']) expect(row?.text).not.toContain(hidden);
    expect((await find('Session', id))?.payload).toEqual({ jti: id, nonce: 'n-0S6_WzA2Mj' });
    expect((await findSession(world.context(), sessionUid))?.payload).toMatchObject({ jti: id });
  });

  test('T49 may hold NUL and lone surrogates of a client', async () => {
    const id = secret();
    const payload = { params: { login_hint: 'a\u0000b\ud800' } };
    await keep(artifact({ model: 'Interaction', id, payload }));
    expect((await find('Interaction', id))?.payload).toEqual(payload);
  });

  test('is not found under another model or another id, nor once it expired', async () => {
    const id = secret();
    await keep(artifact({ model: 'Session', id }));
    expect(await find('Interaction', id)).toBeUndefined();
    expect(await find('Session', secret())).toBeUndefined();
    await world.sql(`update oidc_artifacts set expires_at = now() where expires_at > now()`);
    expect(await find('Session', id)).toBeUndefined();
    expect(await removeExpired(world.database.global, 1000)).toBeGreaterThan(0);
    expect(await world.sql(`select 1 from oidc_artifacts`)).toEqual([]);
  });

  test('does not open where its row was swapped with another', async () => {
    const [mine, theirs] = [secret(), secret()];
    await keep(artifact({ model: 'Session', id: mine, payload: { accountId: 'mine' } }));
    await keep(artifact({ model: 'Session', id: theirs, payload: { accountId: 'theirs' } }));
    await world.sql(
      `update oidc_artifacts a set payload_sealed = b.payload_sealed from oidc_artifacts b where b.id_hash <> a.id_hash`,
    );
    await expect(find('Session', mine)).rejects.toThrow();
    await world.sql(`delete from oidc_artifacts`);
  });
});

describe('epochs', () => {
  test('wall 3: an artifact of a person is dead once their epoch is past, even while its row is there', async () => {
    const person = await somebody();
    const id = secret();
    expect(await keep(artifact({ model: 'Session', id, holder: await holderOf(person) }))).toBe(true);
    expect((await find('Session', id))?.holder?.person).toEqual(person);
    await world.sql(`update subjects set access_epoch = access_epoch + 1 where subject_id = $1`, [person.userId]);
    expect(await find('Session', id)).toBeUndefined();
    expect(await world.sql(`select 1 from oidc_artifacts where account_user_id = $1`, [person.userId])).toHaveLength(1);
  });

  test('T130 nothing is written under an epoch that is past', async () => {
    const person = await somebody();
    const holder = await holderOf(person);
    const family = secret();
    await keep(artifact({ model: 'RefreshToken', id: `${family}.1`, holder }));
    await keep(artifact({ model: 'AuthorizationCode', id: `${family}`, holder }));
    await keep(artifact({ model: 'Session', id: family, holder }));
    await world.sql(`update subjects set access_epoch = access_epoch + 1 where subject_id = $1`, [person.userId]);
    expect(await keep(artifact({ model: 'Session', id: secret(), holder }))).toBe(false);
    expect(await keep(artifact({ model: 'Session', id: secret(), holder, replaces: family }))).toBe(false);
    expect(await keep(artifact({ model: 'RefreshToken', id: `${family}.2`, holder, replaces: `${family}.1` }))).toBe(
      false,
    );
    expect(await spendArtifact(world.context(), 'AuthorizationCode', family, holder)).toBe(false);
  });

  test('T129 T130 a write that meets a suspension under way waits for it and is refused', async () => {
    const person = await somebody();
    const holder = await holderOf(person);
    const id = secret();
    const context = world.context();
    let write: Promise<boolean> | undefined;
    await context.transaction(person.tenantId, async (tx) => {
      await tx.run({ name: null, text: `select 1 from subjects where subject_id = $1 for update` }, [person.userId]);
      write = keep(artifact({ model: 'Session', id, holder }));
      const first = await Promise.race([write, new Promise((resolve) => setTimeout(resolve, 200, 'waits'))]);
      expect(first).toBe('waits');
      await tx.run({ name: null, text: `update subjects set access_epoch = access_epoch + 1 where subject_id = $1` }, [
        person.userId,
      ]);
    });
    expect(await write).toBe(false);
    expect(await find('Session', id)).toBeUndefined();
  });

  test('T76 a suspension in the target kills what is for the target, and nothing that is for home', async () => {
    const person = await somebody();
    await assignRole(
      world.context(),
      tenants.acme,
      { subjectId: person.userId, kind: 'user', person },
      'Viewer',
      operator,
    );
    await mapGuest(world.context(), tenants.labs, person, { roles: ['Viewer'], groups: [] }, operator);
    const [atHome, inLabs] = [secret(), secret()];
    const labs = await holderOf(person, 'acme-labs');
    expect(labs.target).not.toBeNull();
    await keep(artifact({ model: 'AccessToken', id: atHome, holder: await holderOf(person) }));
    await keep(artifact({ model: 'AccessToken', id: inLabs, holder: labs }));
    const guestId = labs.target?.guestId ?? person.userId;
    await world.sql(`update subjects set access_epoch = access_epoch + 1 where subject_id = $1`, [guestId]);
    expect(await find('AccessToken', inLabs)).toBeUndefined();
    expect(await world.sql(`select 1 from oidc_artifacts where target_guest_id = $1`, [guestId])).toHaveLength(1);
    await suspend(world.context(), tenants.labs, { subjectId: guestId, kind: 'guest', person }, null);
    expect(await find('AccessToken', atHome)).toBeDefined();
    expect(await find('AccessToken', inLabs)).toBeUndefined();
    expect(await keep(artifact({ model: 'AccessToken', id: secret(), holder: labs }))).toBe(false);
  });

  test('a suspension removes the rows too, in its own transaction', async () => {
    const person = await somebody();
    await keep(artifact({ model: 'Session', id: secret(), holder: await holderOf(person) }));
    await suspend(world.context(), tenants.acme, { subjectId: person.userId, kind: 'user', person }, null);
    expect(await world.sql(`select 1 from oidc_artifacts where account_user_id = $1`, [person.userId])).toEqual([]);
  });
});

describe('single use', () => {
  test('I13 T71 of many who spend a code at once, on two servers, one succeeds', async () => {
    const other = await testWorld({ url: world.url });
    const id = secret();
    await keep(artifact({ model: 'AuthorizationCode', id }));
    const spends = Array.from({ length: 8 }, (_, index) =>
      spendArtifact((index % 2 === 0 ? world : other).context(), 'AuthorizationCode', id, null),
    );
    expect((await Promise.all(spends)).filter(Boolean)).toHaveLength(1);
    expect((await find('AuthorizationCode', id))?.spent).toBe(true);
    await other.close();
  });

  test('I13 T66 of many who rotate a refresh token at once, one succeeds, and the family has one row', async () => {
    const family = secret();
    const first = artifact({ model: 'RefreshToken', id: `${family}.0` });
    await keep(first);
    const rotations = Array.from({ length: 8 }, (_, index) =>
      keep({ ...first, id: `${family}.${index + 1}`, payload: { jti: index + 1 }, replaces: first.id }),
    );
    const won = (await Promise.all(rotations)).flatMap((kept, index) => (kept ? [index + 1] : []));
    expect(won).toHaveLength(1);
    expect(await find('RefreshToken', `${family}.${won[0]}`)).toMatchObject({
      spent: false,
      payload: { jti: won[0] },
    });
    const old = await find('RefreshToken', first.id);
    expect(old?.spent).toBe(true);
    expect(old?.rotatedAgo).toBeGreaterThan(0);
    expect(await find('RefreshToken', `${secret()}.1`)).toBeUndefined();
  });

  test('an id that may be seen once is taken by one caller', async () => {
    const id = secret();
    const firsts = await Promise.all(
      Array.from({ length: 8 }, () => keepFirstArtifact(world.context(), 'ReplayDetection', id, {}, 60)),
    );
    expect(firsts.filter(Boolean)).toHaveLength(1);
  });
});

describe('what ends together', () => {
  test('a session ends with everything that was issued in it, and no other does', async () => {
    const [mine, theirs] = [secret(), secret()];
    for (const session of [mine, theirs]) {
      await keep(artifact({ model: 'Session', id: session, sessionUid: `uid ${session}` }));
      await keep(artifact({ model: 'Grant', id: `grant ${session}`, sessionUid: `uid ${session}`, clientId: 'app' }));
      await keep(
        artifact({ model: 'RefreshToken', id: `${session}.1`, sessionUid: `uid ${session}`, clientId: 'app' }),
      );
    }
    await endSession(world.context(), mine);
    expect(await find('RefreshToken', `${mine}.1`)).toBeUndefined();
    expect(await find('Grant', `grant ${mine}`)).toBeUndefined();
    expect(await find('RefreshToken', `${theirs}.1`)).toBeDefined();
    await endClientOfSession(world.context(), `uid ${theirs}`, 'app');
    expect(await find('RefreshToken', `${theirs}.1`)).toBeUndefined();
    expect(await find('Session', theirs)).toBeDefined();
  });

  test('a session that ended meanwhile is not written again by a request that was under way', async () => {
    const id = secret();
    const session = artifact({ model: 'Session', id, sessionUid: secret() });
    await keep(session);
    await endSession(world.context(), id);
    expect(await keep({ ...session, replaces: id })).toBe(false);
    expect(await keep({ ...session, id: secret(), replaces: id })).toBe(false);
  });

  test('what is bound to a session is not found without it', async () => {
    const holder = await holderOf(await somebody());
    const [session, uid, bound, free] = [secret(), secret(), `${secret()}.1`, `${secret()}.1`];
    await keep(artifact({ model: 'Session', id: session, sessionUid: uid, holder }));
    await keep(artifact({ model: 'RefreshToken', id: bound, sessionUid: uid, sessionBound: true, holder }));
    await keep(artifact({ model: 'RefreshToken', id: free, sessionUid: uid, holder }));
    expect(await find('RefreshToken', bound)).toBeDefined();
    await world.sql(`update oidc_artifacts set expires_at = now() where model = 'Session'`);
    expect(await find('RefreshToken', bound)).toBeUndefined();
    expect(await find('RefreshToken', free)).toBeDefined();
  });

  test('a grant ends with all that was issued under it', async () => {
    const grantId = secret();
    const [code, token] = [secret(), `${secret()}.1`];
    await keep(artifact({ model: 'Grant', id: grantId }));
    await keep(artifact({ model: 'AuthorizationCode', id: code, grantId }));
    await keep(artifact({ model: 'RefreshToken', id: token, grantId }));
    expect((await find('RefreshToken', token))?.grant).toEqual({ jti: grantId });
    await endGranted(world.context(), grantId, 'AuthorizationCode');
    expect(await find('AuthorizationCode', code)).toBeUndefined();
    expect(await find('RefreshToken', token)).toBeDefined();
    await endGranted(world.context(), grantId, null);
    expect(await find('RefreshToken', token)).toBeUndefined();
    expect(await find('Grant', grantId)).toBeUndefined();
  });

  test('T67 what a client was issued ends when the client is switched off, and stays ended', async () => {
    await createClient(world.context(), tenants.acme, 'switched', clientSettings());
    const id = `${secret()}.1`;
    await keep(artifact({ model: 'RefreshToken', id, clientId: 'switched' }));
    await world.sql(`update clients set enabled = false where client_id = 'switched'`);
    expect(await find('RefreshToken', id)).toBeUndefined();
    await setClientEnabled(world.context(), tenants.acme, 'switched', false);
    await setClientEnabled(world.context(), tenants.acme, 'switched', true);
    expect(await find('RefreshToken', id)).toBeUndefined();
  });
});
