// What the doctor sends has the form of what the identity providers were seen to send.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { always, type Call, lacking, refused, status, value } from '../../src/cli/doctor-call.ts';
import { entraCalls, entraHeaders, entraPeople } from '../../src/cli/doctor-entra.ts';
import { oktaCalls, oktaHeaders, oktaPeople } from '../../src/cli/doctor-okta.ts';
import type { ScimAnswer } from '../../src/cli/scim-http.ts';

const named = (name: string) => `${name}@doctor.invalid`;
const okta = oktaCalls({
  userName: named('o1'),
  otherName: named('o2'),
  externalId: 'o1',
  otherExternalId: 'o2',
  unknownId: 'u',
  groupName: 'og',
});
const entra = entraCalls({
  userName: named('e1'),
  otherName: named('e2'),
  thirdName: named('e3'),
  externalId: 'e1',
  otherExternalId: 'e2',
  thirdExternalId: 'e3',
  email: named('m1'),
  otherEmail: named('m2'),
  newEmail: named('m3'),
  unknown: 'u',
  groupName: 'eg',
  groupExternalId: 'g1',
  newGroupExternalId: 'g2',
});

/** A body without its values: names, operations, paths and kinds of values stay, and which ones are empty. */
function form(body: unknown, name = ''): unknown {
  if (Array.isArray(body)) return body.map((item) => form(item, name));
  if (typeof body === 'object' && body !== null)
    return Object.fromEntries(Object.entries(body).map(([key, item]) => [key, form(item, key)]));
  if (typeof body !== 'string') return body;
  if (name === 'schemas' || name === 'op') return body;
  if (name === 'path') return body.replace(/value eq "[^"]*"/, 'value eq "…"');
  if (/^(true|false)$/i.test(body) || body === '') return body;
  return '…';
}

/** Captured bodies that no call of the doctor has, and why. */
const others: Readonly<Record<string, readonly string[]>> = {
  okta: [
    // Of other clients, or with schemas that a directory may have by chance.
    'create-user-custom-extension',
    'patch-add-email-bare',
    'patch-deactivate-no-schemas',
    // Played with the whole body.
    'put-user-deactivate',
  ],
  // Played within patch-many-members.
  entra: ['patch-remove-members'],
};

describe.each([
  ['okta', okta],
  ['entra', entra],
] as const)('the calls of %s', (idp, calls) => {
  const folder = new URL(`../scim/${idp}/`, import.meta.url);
  const files = readdirSync(folder).map((name) => name.replace(/\.json$/, ''));
  const forms = calls.filter(({ body }) => body !== undefined).map(({ body }) => JSON.stringify(form(body)));

  test.each(files.filter((file) => !others[idp]?.includes(file)))(
    '%s is sent in the form that was captured',
    (file) => {
      const captured = JSON.parse(readFileSync(new URL(`${file}.json`, folder), 'utf8'));
      expect(forms).toContain(JSON.stringify(form(captured)));
    },
  );
  test('those that are left out are there', () =>
    expect(files).toEqual(expect.arrayContaining([...(others[idp] ?? [])])));

  test('make nobody but people of the doctor’s own domain, and as many as they say', () => {
    const made = calls.filter(({ makes, method }) => method === 'POST' && makes !== undefined);
    expect(made).toEqual(calls.filter(({ method }) => method === 'POST'));
    const names = made
      .filter(({ target }) => target === '/Users')
      .map(({ body }) => (body as { userName: string }).userName);
    expect(new Set(names).size).toBe(idp === 'okta' ? oktaPeople : entraPeople);
    for (const name of names) expect(name).toMatch(/@doctor\.invalid$/);
    const addresses = JSON.stringify(calls).match(/[\w.]+@[\w.]+/g) ?? [];
    expect(addresses.filter((address) => !/^[\w.]+@doctor\.invalid$/i.test(address))).toEqual([]);
    expect(addresses.length).toBeGreaterThan(3);
  });

  test('change only what they made, and those that need nothing only read', () => {
    for (const call of calls) {
      if (call.method !== 'GET' && call.method !== 'POST') expect(call.target).toMatch(/^\/(Users|Groups)\/\{\w+\}/);
      if (call.alone === true) expect([call.method, lacking(call, new Map())]).toEqual(['GET', []]);
    }
  });

  test('each has a name, and each expectation a source', () => {
    for (const call of calls) {
      expect(call.name).not.toBe('');
      for (const { what, says } of call.expects) expect([what, says].every((text) => text.length > 3)).toBe(true);
    }
  });
});

test('the media types are those that were seen', () => {
  expect(oktaHeaders['Content-Type']).toBe('application/scim+json; charset=utf-8');
  expect(entraHeaders['Content-Type']).toBe('application/scim+json; charset=utf-8');
});

describe('an expectation', () => {
  const answer = (status_: number, json: unknown, headers: ScimAnswer['headers'] = {}): ScimAnswer => ({
    status: status_,
    json,
    text: JSON.stringify(json) ?? '',
    headers: { 'content-type': 'application/scim+json; charset=utf-8', ...headers },
    ms: 1,
  });
  const none = new Map<string, string>();
  const missed = (call: Pick<Call, 'expects'>, given: ScimAnswer) =>
    call.expects.filter((one) => !one.holds(given, new Map([['user', 'id-1']]))).map(({ what }) => what);

  test('of a status, of a value, of none', () => {
    expect(status('x', 200, 204).holds(answer(204, undefined), none)).toBe(true);
    expect(status('x', 200).holds(answer(201, {}), none)).toBe(false);
    const expects = [value('x', ['a', 0, 'b'], '{user}'), value('x', ['c'], undefined), value('x', ['d'], false)];
    expect(missed({ expects }, answer(200, { a: [{ b: 'id-1' }], d: false }))).toEqual([]);
    expect(missed({ expects }, answer(200, { a: [{ b: 'id-2' }], c: null, d: 'False' }))).toHaveLength(3);
  });

  test('RFC 7644 §3.12 of a refusal: an Error whose status is text and agrees, with a detail', () => {
    const good = {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      status: '409',
      scimType: 'uniqueness',
      detail: 'd',
    };
    const expects = refused('x', 409, 'uniqueness');
    expect(missed({ expects }, answer(409, good))).toEqual([]);
    for (const bad of [{ status: 409 }, { status: '400' }, { detail: '' }, { schemas: [] }, { scimType: 'other' }])
      expect(missed({ expects }, answer(409, { ...good, ...bad }))).toHaveLength(1);
  });

  test('RFC 7643 §3.1 and RFC 7644 §3.1 of every answer: its media type, and where its resource says it is', () => {
    const call = { idp: 'okta', name: 'n', method: 'POST', target: '/Users', makes: 'user', expects: [] } as const;
    const expects = always(call, 'https://id.example/scim');
    const at = (location: string) => ({ id: 'i', meta: { resourceType: 'User', location } });
    const right = 'https://id.example/scim/Users/i';
    expect(missed({ expects }, answer(201, at(right), { location: right }))).toEqual([]);
    expect(missed({ expects }, answer(201, at(right)))).toHaveLength(1);
    expect(missed({ expects }, answer(201, at('https://evil.example/Users/i'), { location: right }))).toHaveLength(1);
    expect(missed({ expects }, answer(201, at(right), { location: right, 'content-type': 'text/html' }))).toHaveLength(
      1,
    );
  });
});
