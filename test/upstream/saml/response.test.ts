import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import type { SamlSettings } from '../../../src/core/tenant.ts';
import type { FlowSecrets, ProvenAssertion } from '../../../src/upstream/connector.ts';
import { samlConnector } from '../../../src/upstream/saml.ts';
import {
  type ResponseContent,
  type SamlShape,
  samlForm,
  signedSamlResponse,
  type TestIdp,
  testIdp,
} from '../../support/saml-idp.ts';
import { selfSigned } from '../../support/x509.ts';
import { post, signed, swap } from './hostile-corpus.ts';
import { content, flow, idp, now, posted, requestId, samlConnection, urls, victim, world } from './support.ts';

const saml = samlConnector(world);
const time = (offsetSeconds: number) => new Date(now + offsetSeconds * 1000).toISOString();
const same = (xml: string) => xml;

type Given = { settings?: Partial<SamlSettings>; secrets?: FlowSecrets; idp?: TestIdp };
const finish = (form: Readonly<Record<string, unknown>>, given: Given = {}): Promise<ProvenAssertion> =>
  saml.finish(
    samlConnection(given.settings, given.idp),
    urls,
    { id: flow.id, secrets: given.secrets ?? flow.secrets },
    posted(form),
  );

const shapes: readonly SamlShape[] = ['okta', 'entra', 'google'];
const placements = ['assertion', 'response', 'both'] as const;

test.for(shapes.flatMap((shape) => placements.map((by) => ({ shape, by }))))(
  'a response in the shape of $shape with $by signed proves who signed in',
  async ({ shape, by }) => {
    const attributes = { groups: ['Staff', 'Admins'], displayName: ['Alice & Co'] };
    const xml = signedSamlResponse(idp, { ...content, shape, attributes }, by);
    const { assertion } = await finish(samlForm(xml, flow.id), { settings: { groupsAttribute: 'groups' } });
    expect(assertion).toEqual({
      connectionId: samlConnection().connectionId,
      method: 'saml',
      issuer: idp.entityId,
      subject: victim,
      directoryIds: [victim],
      directoryUserName: victim,
      email: victim,
      emailVerified: true,
      givenName: null,
      familyName: null,
      displayName: 'Alice & Co',
      groups: { kind: 'named', values: ['Staff', 'Admins'] },
      authenticatedAt: now,
    });
  },
);

test('T9 the replay key names issuer and assertion, and is to be kept until the assertion is over on every tolerated clock', async () => {
  const xml = signed(same);
  const id = /<saml2:Assertion [^>]*ID="([^"]*)"/.exec(xml)?.[1];
  const first = await finish(post(xml));
  expect(first.replayKey).toBe(JSON.stringify([idp.entityId, id]));
  expect(first.expiresAt).toBe(now + 300_000 + 60_000);
  // The same response twice has the same key: whoever consumes it second finds it taken.
  expect((await finish(post(xml))).replayKey).toBe(first.replayKey);
  expect((await finish(post(signed(same)))).replayKey).not.toBe(first.replayKey);
});

test('the replay key is kept no longer than the shorter of conditions and confirmation', async () => {
  const shorter = (xml: string) => swap(xml, /NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(100)}"`);
  expect((await finish(post(signed(shorter)))).expiresAt).toBe(now + 160_000);
});

test('T4 a NameID that was not cut is read whole', async () => {
  const nameId = 'admin@corp.example.evil.example';
  const { assertion } = await finish(post(signed(same, { content: { nameId } })));
  expect(assertion).toMatchObject({ subject: nameId, email: nameId, emailVerified: false });
});

test('a response signed by either of two pinned certificates is accepted, so that keys can roll', async () => {
  const next = { ...testIdp(idp.entityId), entityId: idp.entityId };
  const settings = { certificates: [idp.certificate, next.certificate] };
  for (const signer of [idp, next]) {
    for (const twist of [{}, { after: '' }]) {
      await expect(finish(post(signed(same, { idp: signer, twist })), { settings })).resolves.toBeDefined();
    }
  }
});

test('a certificate may be pinned as bare base64', async () => {
  const bare = idp.certificate.replace(/-----[^-]+-----|\s/g, '');
  await expect(finish(post(signed(same)), { settings: { certificates: [bare] } })).resolves.toBeDefined();
});

const MORE = 'http://www.w3.org/2001/04/xmldsig-more#';
const digests = [
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmldsig-more#sha384',
  'http://www.w3.org/2001/04/xmlenc#sha512',
];
const curves = { 256: 'P-256', 384: 'P-384', 512: 'P-521' } as const;

test.for([256, 384, 512] as const)('RSA and ECDSA with SHA-%i are accepted', async (bits) => {
  const digestMethod = digests[[256, 384, 512].indexOf(bits)] ?? '';
  await expect(
    finish(post(signed(same, { twist: { signatureMethod: `${MORE}rsa-sha${bits}`, digestMethod } }))),
  ).resolves.toBeDefined();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: curves[bits] });
  const elliptic = { entityId: idp.entityId, privateKey, certificate: selfSigned(privateKey, 'ec') };
  const twist = { signatureMethod: `${MORE}ecdsa-sha${bits}`, digestMethod };
  await expect(finish(post(signed(same, { idp: elliptic, twist })), { idp: elliptic })).resolves.toBeDefined();
});

test('T8 SHA-1 is accepted only where the connection says so', async () => {
  const twist = {
    signatureMethod: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
    digestMethod: 'http://www.w3.org/2000/09/xmldsig#sha1',
  };
  const form = post(signed(same, { twist }));
  await expect(finish(form)).rejects.toThrow('assertion_rejected');
  await expect(finish(form, { settings: { insecureAllowSha1: true } })).resolves.toBeDefined();
});

test('T10 a login that the IdP began is accepted only where the connection says so, whatever its RelayState', async () => {
  const form = { ...post(signed(same, { content: { inResponseTo: null } })), RelayState: 'https://evil.example' };
  await expect(finish(form, { secrets: {} })).rejects.toThrow('assertion_rejected');
  const settings = { insecureAllowUnsolicited: true };
  await expect(finish(form, { secrets: {}, settings })).resolves.toBeDefined();
  // It is no answer to a request that was made.
  await expect(finish({ ...form, RelayState: flow.id }, { settings })).rejects.toThrow('assertion_rejected');
});

test.for([
  ['conditions that begin in a minute', /NotBefore="[^"]*"/, `NotBefore="${time(60)}"`],
  ['a confirmation over for less than a minute', /NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(-59)}"`],
  ['an AuthnInstant a minute ahead', /AuthnInstant="[^"]*"/, `AuthnInstant="${time(60)}"`],
  ['a time with seven decimals', /NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(300).replace('Z', '1234Z')}"`],
  ['a time with an offset', /NotOnOrAfter="[^"]*"/, `NotOnOrAfter="${time(3900).replace('Z', '+01:00')}"`],
  ['a session that goes on', '<saml2:AuthnStatement ', `<saml2:AuthnStatement SessionNotOnOrAfter="${time(-59)}" `],
  ['a OneTimeUse condition', '</saml2:Conditions>', '<saml2:OneTimeUse/></saml2:Conditions>'],
  ['a second audience', '<saml2:Audience>', '<saml2:Audience>urn:other</saml2:Audience><saml2:Audience>'],
  ['white space between elements', '<saml2:Subject>', '\r\n  <saml2:Subject>\n\t'],
] as const)('T14 %s is accepted', async ([, from, to]) => {
  await expect(finish(post(signed((xml) => swap(xml, from, to))))).resolves.toMatchObject({
    assertion: { subject: victim },
  });
});

test('T14 the tolerated difference of clocks is a setting, of five minutes at most', async () => {
  const ahead = (seconds: number) =>
    post(signed((xml) => swap(xml, /NotBefore="[^"]*"/, `NotBefore="${time(seconds)}"`)));
  await expect(finish(ahead(1), { settings: { clockSkewSeconds: 0 } })).rejects.toThrow('assertion_rejected');
  await expect(finish(ahead(300), { settings: { clockSkewSeconds: 300 } })).resolves.toBeDefined();
  await expect(finish(ahead(301), { settings: { clockSkewSeconds: 3600 } })).rejects.toThrow('assertion_rejected');
});

test('an unsigned Response needs neither Destination nor issuer around its signed assertion', async () => {
  const xml = swap(signed(same), ` Destination="${urls.callback}"`, '').replace(
    /<saml2:Issuer xmlns.*?<\/saml2:Issuer>/,
    '',
  );
  await expect(finish(post(xml))).resolves.toBeDefined();
});

test('a login as fresh as was asked for is accepted', async () => {
  await expect(
    finish(post(signed(same)), { secrets: { requestId, freshSince: String(now - 5_000) } }),
  ).resolves.toBeDefined();
});

test('base64 may be broken into lines, and a byte order mark may come first', async () => {
  const lines = Buffer.from(signed(same)).toString('base64').replace(/.{76}/g, '$&\r\n');
  await expect(finish({ RelayState: flow.id, SAMLResponse: lines })).resolves.toBeDefined();
  await expect(finish(post(`\uFEFF${signed(same)}`))).resolves.toBeDefined();
});

test('a login ahead of our clock is recorded as now', async () => {
  const xml = signed((unsigned) => swap(unsigned, /AuthnInstant="[^"]*"/, `AuthnInstant="${time(30)}"`));
  expect((await finish(post(xml))).assertion.authenticatedAt).toBe(now);
});

test('a response is read alike by connections that share the process, each with its own keys', async () => {
  const beta = testIdp('https://idp.beta.example');
  const forBeta: Partial<ResponseContent> = { nameId: 'bob@beta.example' };
  const [alice, bob] = await Promise.all([
    finish(post(signed(same))),
    finish(post(signed(same, { idp: beta, content: forBeta })), { idp: beta }),
  ]);
  expect([alice.assertion.subject, bob.assertion.subject]).toEqual([victim, 'bob@beta.example']);
  // T12: either IdP's message at the other's connection.
  await expect(finish(post(signed(same)), { idp: beta })).rejects.toThrow('assertion_rejected');
  await expect(finish(post(signed(same, { idp: beta, content: forBeta })))).rejects.toThrow('assertion_rejected');
});
