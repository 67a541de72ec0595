import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Instant } from '../../../src/core/ids.ts';
import type { OidcSettings } from '../../../src/core/tenant.ts';
import { claimsFault } from '../../../src/upstream/oidc-claims.ts';
import {
  clientId,
  connectionTo,
  type Json,
  refusalOf,
  signIn,
  startTamperingIdp,
  type TamperingIdp,
} from './tampering-idp.ts';

let idp: TamperingIdp;
beforeAll(async () => {
  idp = await startTamperingIdp();
});
afterAll(() => idp.close());
beforeEach(() => {
  idp.tampering = {};
  idp.requests.length = 0;
});

/** The assertion about a person with these claims in the ID token, and these in userinfo. */
async function assertionFor(claims: Json, settings: Partial<OidcSettings> = {}, userinfo?: Json) {
  idp.tampering.idToken = (payload) => {
    delete payload.email;
    delete payload.email_verified;
    Object.assign(payload, claims);
  };
  idp.tampering.userinfo = (body) => void Object.assign(body, userinfo);
  return (await signIn({ connection: connectionTo(idp.issuer, settings) })).assertion;
}
const userinfoCalls = () => idp.requests.filter((line) => line === 'GET /userinfo').length;
const email = 'Jane.Doe@Acme.example';

describe('the address', () => {
  test('it is verified by the boolean true beside it, and comes in the canonical form', async () => {
    expect(await assertionFor({ email, email_verified: true })).toMatchObject({
      email: 'jane.doe@acme.example',
      emailVerified: true,
    });
  });

  test.each([[undefined], [false], [null], ['true'], ['True'], ['false'], [1], [0], [[true]], [{ value: true }]])(
    'email_verified %j verifies nothing (T26)',
    async (email_verified) => {
      expect(await assertionFor({ email, email_verified })).toMatchObject({
        email: 'jane.doe@acme.example',
        emailVerified: false,
      });
    },
  );

  test.each([[undefined], [false], ['false']])(
    'the operator may vouch for a provider that says email_verified %j (T33)',
    async (email_verified) => {
      const { emailVerified } = await assertionFor({ email, email_verified }, { trustsEmail: true });
      expect(emailVerified).toBe(true);
    },
  );

  test.each([
    [''],
    ['jane'],
    ['jane@acme.example, eve@evil.example'],
    ['Jane <jane@acme.example>'],
    ['ｊane@acme.example'],
    [['jane@acme.example']],
    [{ value: 'jane@acme.example' }],
    [7],
  ])('%j is no address, and nothing that could be verified (T36)', async (value) => {
    const found = await assertionFor({ email: value, email_verified: true }, { trustsEmail: true });
    expect([found.email, found.emailVerified]).toEqual([null, false]);
  });

  test('preferred_username, upn and unique_name are not read (T28)', async () => {
    const victim = 'admin@acme.example';
    const found = await assertionFor(
      { preferred_username: victim, upn: victim, unique_name: victim, email_verified: true },
      { trustsEmail: true },
    );
    expect(found).toMatchObject({ email: null, emailVerified: false, directoryUserName: null });
    expect(JSON.stringify(found)).not.toContain('admin');
  });

  test('the same address under another subject is another identity (T25, T35)', async () => {
    const one = await assertionFor({ sub: 'a', email, email_verified: true });
    idp.tampering.userinfo = (body) => void Object.assign(body, { sub: 'b' });
    const other = await assertionFor({ sub: 'b', email, email_verified: true });
    expect([one.subject, one.directoryIds]).toEqual(['a', ['a']]);
    expect([other.subject, other.directoryIds]).toEqual(['b', ['b']]);
  });
});

describe('userinfo', () => {
  test('it is not asked for while the ID token says all that is wanted', async () => {
    await assertionFor({ email, groups: ['a'] }, { groupsClaim: 'groups' });
    await assertionFor({ email });
    expect(userinfoCalls()).toBe(0);
  });

  test('it fills what the ID token lacks, each address with the mark beside it', async () => {
    const info = { email, email_verified: true, groups: ['editors'], name: 'Jane Doe' };
    const found = await assertionFor({ email_verified: false, given_name: 'J.' }, { groupsClaim: 'groups' }, info);
    expect(found).toMatchObject({
      email: 'jane.doe@acme.example',
      emailVerified: true,
      groups: { kind: 'named', values: ['editors'] },
      givenName: 'J.',
      displayName: 'Jane Doe',
    });
    const marked = await assertionFor({ email_verified: true }, {}, { email, email_verified: undefined });
    expect(marked.emailVerified).toBe(false);
    const unmarked = await assertionFor({ email }, { groupsClaim: 'groups' }, { email, email_verified: true });
    expect(unmarked.emailVerified).toBe(false);
  });

  test('what the ID token says is not changed by it', async () => {
    const info = { email: 'eve@evil.example', email_verified: true, name: 'Eve', groups: ['owners'] };
    const found = await assertionFor({ email, name: 'Jane', groups: [] }, { groupsClaim: 'groups' }, info);
    expect(found).toMatchObject({
      email: 'jane.doe@acme.example',
      displayName: 'Jane',
      groups: { kind: 'named', values: [] },
    });
  });

  test('that of another subject is refused (T24)', async () => {
    const refusal = await refusalOf(assertionFor({}, {}, { sub: 'somebody else', email, email_verified: true }));
    expect(refusal).toMatchObject({ code: 'assertion_rejected', detail: expect.stringContaining('sub') });
    expect((await refusalOf(assertionFor({}, {}, { sub: undefined, email }))).code).toBe('assertion_rejected');
  });

  test('a provider that has none is taken at its ID token; one whose userinfo fails is not taken to know nothing', async () => {
    idp.tampering.metadata = (document) => void delete document.userinfo_endpoint;
    expect(await assertionFor({}, { groupsClaim: 'groups' })).toMatchObject({
      email: null,
      groups: { kind: 'absent' },
    });
    idp.tampering.metadata = () => {};
    idp.tampering.paths = { '/userinfo': (_, response) => response.writeHead(503).end() };
    expect((await refusalOf(assertionFor({}, { groupsClaim: 'groups' }))).code).toBe('upstream_unreachable');
  });
});

describe('groups', () => {
  const groupsFor = async (claims: Json, groupsClaim: string | null = 'groups') =>
    (await assertionFor({ email, ...claims }, { groupsClaim })).groups;

  test('they are read from the claim that the connection names, and from no other', async () => {
    expect(await groupsFor({ groups: ['a', 'b'] })).toEqual({ kind: 'named', values: ['a', 'b'] });
    expect(await groupsFor({ groups: ['a'], roles: ['b'] }, 'roles')).toEqual({ kind: 'named', values: ['b'] });
    expect(await groupsFor({ groups: ['a'] }, null)).toEqual({ kind: 'absent' });
    expect(await groupsFor({})).toEqual({ kind: 'absent' });
    expect(await groupsFor({ groups: [] })).toEqual({ kind: 'named', values: [] });
  });

  test('they are a set of strings, taken as they are: no commas split, nothing made of other values (T17)', async () => {
    const values = [
      'a',
      'a',
      'A',
      'x,owners',
      'line\nowners',
      7,
      null,
      ['owners'],
      { name: 'owners' },
      '',
      'nul\u0000',
    ];
    expect(await groupsFor({ groups: values })).toEqual({
      kind: 'named',
      values: ['a', 'A', 'x,owners', 'line\nowners'],
    });
    expect(await groupsFor({ groups: 'owners,staff' })).toEqual({ kind: 'named', values: ['owners,staff'] });
    for (const groups of [7, true, null, { 0: 'owners', length: 1 }]) {
      expect(await groupsFor({ groups })).toEqual({ kind: 'absent' });
    }
  });

  test('there are 2,000 of them at most (T17)', async () => {
    const found = await groupsFor({ groups: Array.from({ length: 10_000 }, (_, index) => `g${index}`) });
    expect(found).toMatchObject({ kind: 'named', values: expect.objectContaining({ length: 2_000, 0: 'g0' }) });
  });

  test('overage means that nothing is known, and the address in the token is not called', async () => {
    const claims = {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: `${idp.issuer}/graph/getMemberObjects`, access_token: 'x' } },
    };
    expect(await groupsFor(claims)).toEqual({ kind: 'overage' });
    expect(await groupsFor({ ...claims, groups: ['owners'] })).toEqual({ kind: 'overage' });
    expect(await groupsFor({ hasgroups: true })).toEqual({ kind: 'overage' });
    expect(idp.requests.filter((line) => /graph|userinfo/.test(line))).toEqual([]);
    expect(await groupsFor({ ...claims, groups: ['b'] }, 'roles')).toEqual({ kind: 'absent' });
  });

  test('a claim named like something that every object has is not taken for overage', async () => {
    expect(await groupsFor({ _claim_names: {} }, 'constructor')).toEqual({ kind: 'absent' });
  });
});

describe('ids and names', () => {
  test('oid is a directory id only where the connection says so (Entra ID)', async () => {
    const claims = { email, oid: '11111111-2222-4333-8444-555555555555' };
    expect((await assertionFor(claims)).directoryIds).toEqual(['johndoe']);
    const settings = { directoryIdClaim: 'oid' } as const;
    expect((await assertionFor(claims, settings)).directoryIds).toEqual(['johndoe', claims.oid]);
    for (const oid of [undefined, '', 7, ['x'], 'a\u0000', 'x'.repeat(256)]) {
      expect((await assertionFor({ email, oid }, settings)).directoryIds).toEqual(['johndoe']);
    }
    expect((await assertionFor({ email, oid: 'johndoe' }, settings)).directoryIds).toEqual(['johndoe']);
  });

  test('oid in userinfo is not one: only the signed token names ids', async () => {
    const found = await assertionFor({}, { directoryIdClaim: 'oid' }, { email, oid: 'an admin' });
    expect(found.directoryIds).toEqual(['johndoe']);
  });

  test('names are plain short strings or nothing', async () => {
    const found = await assertionFor({
      email,
      given_name: ' Jane\u0000\r\n',
      family_name: ['Doe'],
      name: '🙂'.repeat(300),
    });
    expect([found.givenName, found.familyName, found.displayName]).toEqual(['Jane', null, '🙂'.repeat(200)]);
  });

  test('tid, where an Entra ID token has it, is the tenant of the issuer (T25)', () => {
    const own = '8b2f1c6e-1111-4222-8333-0123456789ab';
    const expected = {
      issuer: `https://login.microsoftonline.com/${own}/v2.0`,
      clientId,
      now: 1_000_000 as Instant,
      freshSince: null,
    };
    const claims = { sub: 'a', iat: 1_000 };
    expect(claimsFault({ ...claims, tid: own }, expected)).toBeNull();
    expect(claimsFault(claims, expected)).toBeNull();
    expect(claimsFault({ ...claims, tid: own.replace('8', '9') }, expected)).toContain('tid');
    expect(claimsFault({ ...claims, tid: 'whatever' }, { ...expected, issuer: 'https://acme.okta.com' })).toBeNull();
  });
});
