import { inflateRawSync } from 'node:zlib';
import { afterEach, expect, test, vi } from 'vitest';
import type { LoginStart } from '../../../src/upstream/connector.ts';
import { samlConnector, samlMetadata } from '../../../src/upstream/saml.ts';
import { attributeOf, onlyChild, SAML, SAMLP, withXml, type XmlElement } from '../../../src/upstream/saml-xml.ts';
import { now, samlConnection, urls, world } from './support.ts';

const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata';
const saml = samlConnector(world);
const start = { id: 'flow-1', loginHint: null, forceLogin: false };

function request(login: LoginStart): XmlElement {
  const encoded = new URL(login.redirectTo).searchParams.get('SAMLRequest') ?? '';
  const xml = inflateRawSync(Buffer.from(encoded, 'base64')).toString();
  return withXml(xml, (opened) => {
    expect(opened.schemaFault()).toBeNull();
    return opened.root;
  });
}

afterEach(() => vi.restoreAllMocks());

test('a login begins with an AuthnRequest that names us, our consumer service and the flow', async () => {
  const login = await saml.begin(samlConnection(), urls, start);
  const url = new URL(login.redirectTo);
  expect(url.origin + url.pathname).toBe('https://idp.corp.example/sso');
  expect([...url.searchParams.keys()]).toEqual(['SAMLRequest', 'RelayState']);
  expect(url.searchParams.get('RelayState')).toBe('flow-1');
  const root = request(login);
  expect(root).toMatchObject({ namespace: SAMLP, name: 'AuthnRequest' });
  expect(attributeOf(root, 'AssertionConsumerServiceURL')).toBe(urls.callback);
  expect(attributeOf(root, 'ProtocolBinding')).toBe('urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST');
  expect(attributeOf(root, 'Destination')).toBe('https://idp.corp.example/sso');
  expect(attributeOf(root, 'ForceAuthn')).toBeNull();
  expect(onlyChild(root, SAML, 'Issuer')?.text).toBe(urls.entityId);
  expect(onlyChild(root, SAML, 'Subject')).toBeNull();
  expect(login.secrets).toEqual({ requestId: attributeOf(root, 'ID') });
});

test('every request has an ID that cannot be guessed', async () => {
  const ids = await Promise.all(
    Array.from({ length: 20 }, async () => (await saml.begin(samlConnection(), urls, start)).secrets.requestId),
  );
  expect(new Set(ids).size).toBe(20);
  for (const id of ids) expect(id).toMatch(/^_[0-9a-f-]{36}$/);
});

test('a fresh login is asked for and remembered', async () => {
  const login = await saml.begin(samlConnection(), urls, { ...start, forceLogin: true });
  expect(attributeOf(request(login), 'ForceAuthn')).toBe('true');
  expect(login.secrets.freshSince).toBe(String(now));
});

test('a hint travels as a parameter, escaped', async () => {
  const login = await saml.begin(samlConnection(), urls, { ...start, loginHint: 'a+b@corp.example&RelayState=x' });
  const { searchParams } = new URL(login.redirectTo);
  expect(searchParams.get('login_hint')).toBe('a+b@corp.example&RelayState=x');
  expect(searchParams.getAll('RelayState')).toEqual(['flow-1']);
});

test('a sign-on URL keeps its own parameters, and stands escaped in the request', async () => {
  const signOnUrl = 'https://idp.corp.example/sso?idpid=C01&x="<y>"';
  const login = await saml.begin(samlConnection({ signOnUrl }), urls, start);
  expect(new URL(login.redirectTo).searchParams.get('idpid')).toBe('C01');
  expect(attributeOf(request(login), 'Destination')).toBe(signOnUrl);
});

test.for(['http://idp.corp.example/sso', 'javascript:alert(1)', 'https://idp.corp.example/sso#x', '/sso', ''])(
  'a sign-on URL %j is not redirected to',
  async (signOnUrl) => {
    await expect(saml.begin(samlConnection({ signOnUrl }), urls, start)).rejects.toMatchObject({ code: 'invalid' });
  },
);

test('http is for IdPs on private networks, where they are allowed', async () => {
  const demo = samlConnector({ ...world, allowPrivateNetwork: true });
  const connection = samlConnection({ signOnUrl: 'http://127.0.0.1:8085/sso' });
  await expect(demo.begin(connection, urls, start)).resolves.toBeDefined();
});

test('the NameID format is asked for as configured', async () => {
  const nameIdFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
  const root = request(await saml.begin(samlConnection({ nameIdFormat }), urls, start));
  expect(attributeOf(onlyChild(root, SAMLP, 'NameIDPolicy'), 'Format')).toBe(nameIdFormat);
  const without = request(await saml.begin(samlConnection(), urls, start));
  // SAML Core 8.3.1: left to the IdP.
  expect(attributeOf(onlyChild(without, SAMLP, 'NameIDPolicy'), 'Format')).toMatch(/:unspecified$/);
});

test('our metadata names our entity, our consumer service and that we want signed assertions', () => {
  const root = withXml(samlMetadata(samlConnection(), urls), (xml) => xml.root);
  expect(attributeOf(root, 'entityID')).toBe(urls.entityId);
  const role = onlyChild(root, METADATA, 'SPSSODescriptor');
  expect(attributeOf(role, 'WantAssertionsSigned')).toBe('true');
  expect(attributeOf(role, 'AuthnRequestsSigned')).toBe('false');
  const service = role === null ? null : onlyChild(role, METADATA, 'AssertionConsumerService');
  expect(attributeOf(service, 'Location')).toBe(urls.callback);
  expect(attributeOf(service, 'Binding')).toBe('urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST');
});

test('neither metadata nor a request writes anything to the console', async () => {
  const spies = (['log', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method));
  samlMetadata(samlConnection(), urls);
  await saml.begin(samlConnection(), urls, start);
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
});
