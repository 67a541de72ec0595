import { spawn } from 'node:child_process';
import { randomUUID, X509Certificate } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { DOMParser } from '@xmldom/xmldom';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SignedXml } from 'xml-crypto';
import { type Browser, browser } from '../../scripts/browser.ts';
import { startUpstreamIdps, type UpstreamIdps, type UpstreamIdpsConfig } from '../../scripts/upstream-idps.ts';

const jane = {
  login: 'jane',
  password: 'correct horse',
  saml: {
    nameId: 'jane@acme.example',
    attributes: { mail: 'jane@acme.example', groups: ['Editors & more', 'Staff'] },
  },
};
const app = { entityId: 'https://bridge.example/sp', acsUrl: 'https://bridge.example/acs' };
const config: UpstreamIdpsConfig = { people: [jane], saml: { serviceProviders: [app] } };
let idps: UpstreamIdps;
beforeAll(async () => {
  idps = await startUpstreamIdps(config);
});
afterAll(() => idps.stop());

/** An AuthnRequest as the redirect binding carries it. */
function signOn(options: { issuer?: string; acs?: string; forceAuthn?: boolean } = {}): string {
  const { issuer = app.entityId, acs = app.acsUrl, forceAuthn = false } = options;
  const request = `<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_request" Version="2.0" IssueInstant="${new Date().toISOString()}" AssertionConsumerServiceURL="${acs}" ForceAuthn="${forceAuthn}"><a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">${issuer}</a:Issuer></p:AuthnRequest>`;
  const url = new URL(idps.saml.signOnUrl);
  url.searchParams.set('SAMLRequest', deflateRawSync(request).toString('base64'));
  url.searchParams.set('RelayState', 'opaque <&>');
  return url.href;
}
const credentials = { login: 'jane', password: 'correct horse' };
const onlyForm = (page: Awaited<ReturnType<Browser['open']>>) => page.forms[0] ?? expect.fail(page.text);
const responseIn = (page: Awaited<ReturnType<Browser['open']>>) => {
  const { action, fields } = onlyForm(page);
  const value = (name: string) => fields.find((field) => field.name === name)?.value ?? '';
  const xml = Buffer.from(value('SAMLResponse'), 'base64').toString();
  return { action, relayState: value('RelayState'), xml, document: new DOMParser().parseFromString(xml, 'text/xml') };
};
const attribute = (xml: string, element: string, name: string) =>
  new RegExp(`<\\w+:${element}\\b[^>]* ${name}="([^"]*)"`).exec(xml)?.[1];

describe('the SAML identity provider', () => {
  let other: UpstreamIdps | undefined;
  afterEach(async () => {
    await other?.stop();
    other = undefined;
  });

  test('after the login it posts a response to the application that asked', async () => {
    const person = browser();
    const form = await person.open(signOn());
    const wrong = await person.submit(form, { ...credentials, password: 'wrong' });
    expect([wrong.status, onlyForm(wrong).fields.map(({ name }) => name)]).toEqual([
      401,
      ['back', 'login', 'password'],
    ]);
    const { action, relayState, xml } = responseIn(await person.submit(wrong, credentials));
    expect([action, relayState]).toEqual([app.acsUrl, 'opaque <&>']);
    expect(attribute(xml, 'Response', 'Destination')).toBe(app.acsUrl);
    expect(attribute(xml, 'Response', 'InResponseTo')).toBe('_request');
    expect(attribute(xml, 'SubjectConfirmationData', 'Recipient')).toBe(app.acsUrl);
    expect(attribute(xml, 'SubjectConfirmationData', 'InResponseTo')).toBe('_request');
    expect(xml).toContain(`<saml:Audience>${app.entityId}</saml:Audience>`);
    expect(xml).toContain(`>${idps.saml.issuer}</saml:Issuer>`);
    expect(xml).toMatch(/<saml:NameID Format="[^"]*:persistent">jane@acme.example</);
    expect(xml).toContain('>Editors &amp; more<');
  });

  test.each(['assertion', 'response', 'both'] as const)('it signs with the key in its metadata: %s', async (signs) => {
    other = await startUpstreamIdps({ ...config, saml: { serviceProviders: [app], signs } });
    const person = browser();
    const unsolicited = `${other.saml.signOnUrl}/unsolicited?sp=${encodeURIComponent(app.entityId)}`;
    const { xml, document } = responseIn(await person.submit(await person.open(unsolicited), credentials));
    expect(xml).not.toContain('InResponseTo');
    const signatures = [...document.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'Signature')];
    const signed = signatures.map((signature) => {
      const check = new SignedXml({ publicCert: other?.saml.certificate ?? '' });
      check.loadSignature(signature as unknown as Node);
      expect(check.checkSignature(xml)).toBe(true);
      return signature.parentNode?.localName;
    });
    expect(signed).toEqual(
      { assertion: ['Assertion'], response: ['Response'], both: ['Response', 'Assertion'] }[signs],
    );
    const metadata = (await person.open(other.saml.metadataUrl)).body;
    const certificate = new X509Certificate(other.saml.certificate);
    expect(metadata).toContain(certificate.raw.toString('base64'));
    expect(metadata).toContain(`entityID="${other.saml.issuer}"`);
    expect(metadata).toContain(`Location="${other.saml.signOnUrl}"`);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  test('it remembers people by their browser, unless a fresh login is asked for', async () => {
    const person = browser();
    await person.submit(await person.open(signOn()), credentials);
    expect(responseIn(await person.open(signOn())).action).toBe(app.acsUrl);
    const again = await person.open(signOn({ forceAuthn: true }));
    expect(onlyForm(again).action).toBe('/login');
    expect(responseIn(await person.submit(again, credentials)).action).toBe(app.acsUrl);
    expect(onlyForm(await person.open(signOn({ forceAuthn: true }))).action).toBe('/login');
    expect(onlyForm(await browser().open(signOn())).action).toBe('/login');
  });

  test('it answers registered applications only, at their registered address only', async () => {
    expect((await browser().open(signOn({ issuer: 'https://evil.example' }))).status).toBe(400);
    expect((await browser().open(signOn({ acs: 'https://evil.example/acs' }))).status).toBe(400);
    expect((await browser().open(idps.saml.signOnUrl)).status).toBe(400);
    const host = `https://late-${randomUUID()}.example`;
    const late = { entityId: `${host}/sp`, acsUrl: `${host}/acs` };
    const url = signOn({ issuer: late.entityId, acs: late.acsUrl });
    expect((await browser().open(url)).status).toBe(400);
    await idps.addServiceProvider(late);
    expect((await browser().open(url)).status).toBe(200);
  });

  test('somebody who cancels sends a failure', async () => {
    const person = browser();
    const { action, xml } = responseIn(await person.submit(await person.open(signOn()), {}, { button: 'Cancel' }));
    expect(action).toBe(app.acsUrl);
    expect(xml).toContain('status:Responder');
    expect(xml).not.toContain('Assertion ');
  });

  test('people come, change and go while it runs', async () => {
    const person = browser();
    await idps.addUser({ ...jane, login: 'late', saml: { nameId: 'first', attributes: {} } });
    const login = { ...credentials, login: 'late' };
    expect(responseIn(await person.submit(await person.open(signOn()), login)).xml).toContain('>first</saml:NameID>');
    await idps.addUser({ ...jane, login: 'late', saml: { nameId: 'second', attributes: {} } });
    expect(responseIn(await person.open(signOn())).xml).toContain('>second</saml:NameID>');
    await idps.removeUser('late');
    expect((await person.submit(await person.open(signOn()), login)).status).toBe(401);
    await idps.addUser({ login: 'late', password: jane.password });
    expect((await person.submit(await person.open(signOn()), login)).status).toBe(401);
  });
});

describe('the process', () => {
  const file = fileURLToPath(new URL('../../scripts/upstream-idps.ts', import.meta.url));

  test('its control port is closed to whoever lacks the token', async () => {
    const { url, token } = idps.control;
    for (const authorization of [undefined, 'Bearer ', `Bearer ${token}x`, `Basic ${token}`]) {
      const headers = authorization === undefined ? {} : { authorization };
      expect((await fetch(`${url}/control/users`, { method: 'POST', headers, body: '{}' })).status).toBe(401);
    }
    await expect(idps.addUser({ login: 'nobody' } as never)).rejects.toThrow('400');
  });

  test('it prints one line and ends with its parent, told by the end of its input', async () => {
    const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'ignore'] });
    let output = '';
    const printed = new Promise<void>((resolve) =>
      child.stdout.on('data', (chunk) => {
        output += chunk;
        if (output.endsWith('\n')) resolve();
      }),
    );
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.stdin.write('{}\n');
    await printed;
    const { saml, oidc } = JSON.parse(output);
    expect((await fetch(`${oidc.issuer}/.well-known/openid-configuration`)).status).toBe(200);
    child.stdin.end();
    expect(await ended).toBe(0);
    await expect(fetch(saml.metadataUrl)).rejects.toThrow();
    expect(output.trim().split('\n')).toHaveLength(1);
  });

  test('a configuration that cannot be used is told by a failed start', async () => {
    await expect(startUpstreamIdps({ host: 'not an address' })).rejects.toThrow(/did not start/);
  });
});
