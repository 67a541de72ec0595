import { expect, test } from 'vitest';
import type { UpstreamAssertion } from '../../../src/core/identity.ts';
import type { SamlSettings } from '../../../src/core/tenant.ts';
import { samlConnector } from '../../../src/upstream/saml.ts';
import { type ResponseContent, samlForm, signedSamlResponse } from '../../support/saml-idp.ts';
import { post, signed, swap } from './hostile-corpus.ts';
import { content, flow, idp, posted, samlConnection, urls, victim, world } from './support.ts';

const saml = samlConnector(world);
const unspecified = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';

async function read(said: Partial<ResponseContent>, settings: Partial<SamlSettings> = {}): Promise<UpstreamAssertion> {
  const form = samlForm(signedSamlResponse(idp, { ...content, ...said }), flow.id);
  return (await saml.finish(samlConnection(settings), urls, flow, posted(form))).assertion;
}
const refused = (said: Partial<ResponseContent>, settings?: Partial<SamlSettings>) =>
  read(said, settings).then(
    () => expect.unreachable('accepted'),
    (error) => error.detail,
  );

test('without a NameID that is an address, the usual attribute is read: Entra ID and AD FS, Shibboleth, Okta', async () => {
  for (const name of [
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
    'urn:oid:0.9.2342.19200300.100.1.3',
    'email',
    'mail',
    'emailAddress',
  ]) {
    const said = { nameId: 'u123', nameIdFormat: unspecified, attributes: { [name]: ['Alice@Corp.Example'] } };
    expect(await read(said)).toMatchObject({ subject: 'u123', email: victim, emailVerified: true });
  }
});

test('a NameID that calls itself an address and is none gives no address', async () => {
  expect(await read({ nameId: 'alice' })).toMatchObject({ subject: 'alice', email: null, emailVerified: false });
});

test('the configured attribute is the only one read for the address', async () => {
  const attributes = { upn: ['bob@corp.example'], email: ['eve@corp.example'] };
  expect(await read({ attributes }, { emailAttribute: 'upn' })).toMatchObject({
    subject: victim,
    email: 'bob@corp.example',
  });
  expect(await read({ attributes }, { emailAttribute: 'other' })).toMatchObject({ email: null, emailVerified: false });
});

test.for([
  ['two addresses', ['alice@corp.example', 'mallory@corp.example']],
  ['the same address twice', [victim, victim]],
  ['two addresses in one value', ['alice@corp.example,mallory@evil.example']],
  ['two addresses on two lines', ['alice@corp.example\nmallory@evil.example']],
  ['a quoted local part', ['"alice@evil x"@corp.example']],
  ['a letter outside ASCII', ['alicé@corp.example']],
  ['no address', ['alice']],
] as const)('T17 an address attribute with %s is refused', async ([, values]) => {
  const said = { nameId: 'u123', nameIdFormat: unspecified, attributes: { mail: values } };
  expect(await refused(said)).toMatch(/^attribute mail is not exactly one address/);
  expect(await refused(said, { emailAttribute: 'mail' })).toMatch(/^attribute mail is not exactly one address/);
});

test('T17 the address attribute sent twice is refused', async () => {
  const said = (xml: string) =>
    swap(
      xml,
      '<saml2:AttributeStatement>',
      '<saml2:AttributeStatement><saml2:Attribute Name="mail"><saml2:AttributeValue>mallory@corp.example</saml2:AttributeValue></saml2:Attribute>',
    );
  const xml = signed(said, { content: { attributes: { mail: [victim] } } });
  const settings = { emailAttribute: 'mail' };
  await expect(saml.finish(samlConnection(settings), urls, flow, posted(post(xml)))).rejects.toThrow(
    'assertion_rejected',
  );
});

test('T17 an attribute value with elements in it is refused', async () => {
  const said = (xml: string) =>
    swap(xml, '>alice@corp.example</saml2:AttributeValue>', '><x>alice@corp.example</x></saml2:AttributeValue>');
  const xml = signed(said, { content: { shape: 'okta', nameId: 'u1', attributes: { mail: [victim] } } });
  const untyped = xml.replaceAll(' xsi:type="xs:string"', '');
  for (const message of [xml, untyped]) {
    await expect(saml.finish(samlConnection(), urls, flow, posted(post(message)))).rejects.toThrow(
      'assertion_rejected',
    );
  }
});

test('an empty address attribute is no address', async () => {
  const said = { nameId: 'u123', nameIdFormat: unspecified, attributes: { mail: ['', '  '] } };
  expect(await read(said)).toMatchObject({ email: null });
});

test('an address is verified only in the connection’s own domains, and only where the operator vouches for the IdP (T33)', async () => {
  expect(await read({})).toMatchObject({ emailVerified: true });
  expect(await read({}, { trustsEmail: false })).toMatchObject({ email: victim, emailVerified: false });
  for (const nameId of ['alice@evil-corp.example', 'alice@sub.corp.example', 'alice@corp.example.evil']) {
    expect(await read({ nameId })).toMatchObject({ email: nameId, emailVerified: false });
  }
});

test('names are read by setting or by their usual attributes', async () => {
  const attributes = {
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname': ['Alice'],
    'urn:oid:2.5.4.4': ['Liddell'],
    displayName: [' Alice L. '],
    nick: ['Al'],
  };
  expect(await read({ attributes })).toMatchObject({
    givenName: 'Alice',
    familyName: 'Liddell',
    displayName: 'Alice L.',
  });
  expect(await read({ attributes }, { givenNameAttribute: 'nick', familyNameAttribute: 'none' })).toMatchObject({
    givenName: 'Al',
    familyName: null,
  });
  expect(await read({ attributes: { displayName: ['x'.repeat(257)] } })).toMatchObject({ displayName: null });
});

const groups = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups';
const named = async (values: readonly string[]) =>
  (await read({ shape: 'entra', attributes: { [groups]: values } }, { groupsAttribute: groups })).groups;

test('T17 groups are a set of texts as they stand', async () => {
  expect(await named(['a', 'b', 'a', '', 'x,y', 'l1\nl2', '<Admins>', 'constructor'])).toEqual({
    kind: 'named',
    values: ['a', 'b', 'x,y', 'l1\nl2', '<Admins>', 'constructor'],
  });
});

test('T17 a text too long for a group’s name is left out', async () => {
  expect(await named(['a', 'x'.repeat(1000), 'y'.repeat(1001)])).toEqual({
    kind: 'named',
    values: ['a', 'x'.repeat(1000)],
  });
});

test('T17 more groups than 2,000 are an overage, not a part of them', async () => {
  const many = Array.from({ length: 2001 }, (_, index) => `g${index}`);
  expect(await named(many.slice(1))).toMatchObject({ kind: 'named' });
  expect(await named(many)).toEqual({ kind: 'overage' });
});

test('Entra ID’s link in place of the groups is an overage, and no groups are not the same as none named', async () => {
  const link = {
    'http://schemas.microsoft.com/claims/groups.link': ['https://graph.windows.net/x/users/y/getMemberObjects'],
  };
  expect((await read({ attributes: link }, { groupsAttribute: groups })).groups).toEqual({ kind: 'overage' });
  expect((await read({ attributes: { ...link, [groups]: ['a'] } }, { groupsAttribute: groups })).groups).toEqual({
    kind: 'overage',
  });
  expect((await read({}, { groupsAttribute: groups })).groups).toEqual({ kind: 'absent' });
  expect((await read({ attributes: { [groups]: ['a'] } })).groups).toEqual({ kind: 'absent' });
});

test('attribute names cannot reach what every object has', async () => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    expect((await read({}, { groupsAttribute: name, emailAttribute: name })).groups).toEqual({ kind: 'absent' });
  }
});
