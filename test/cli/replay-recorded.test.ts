import { describe, expect, test } from 'vitest';
import { idsIn, renamed } from '../../src/cli/replay-ids.ts';
import { sendable, targetOf } from '../../src/cli/replay-recorded.ts';
import type { RecordedRequest } from '../../src/operations/replay-source.ts';
import { shownPath, shownQuery } from '../../src/scim/redaction.ts';

const recorded = (more: Partial<RecordedRequest>): RecordedRequest =>
  ({
    at: 0,
    requestId: 'r',
    method: 'GET',
    path: '/Users',
    query: null,
    status: 200,
    scimType: null,
    durationMs: 1,
    notes: [],
    userAgent: null,
    bytesIn: 0,
    bytesOut: 0,
    kept: null,
    ...more,
  }) as RecordedRequest;
/** The address that goes out again for one that came in. */
const again = (query: string) => {
  const asked = sendable(recorded({ query: shownQuery(new URLSearchParams(query)) }));
  return asked.kind === 'send' ? targetOf(asked.path, asked.query) : asked.why;
};

describe('a recorded query', () => {
  test.each([
    'startIndex=1&count=100',
    `filter=${encodeURIComponent('userName eq "a&count=7\\"b"')}&startIndex=1`,
    `excludedAttributes=members&filter=${encodeURIComponent('displayName eq "R&D"')}`,
    'aadOptscim062020&attributes=id%2Cname.givenName',
    'cursor&count=2',
    `filter=${encodeURIComponent('active eq true')}`,
    `attributes=${'a'.repeat(200)}`,
  ])('%s goes out as it came', (query) => {
    expect(again(query)).toBe(`/Users?${query}`);
  });

  test('parameters that are not kept are not missed, nor is what follows them lost', () => {
    expect(again('count=5&utm=x&tracking=y')).toBe('/Users?count=5');
  });

  test.each([
    ['cursor=abc', 'cursors are not kept'],
    [`filter=${encodeURIComponent('password eq "x"')}`, 'its query was not kept whole'],
    [`filter=${encodeURIComponent('userName eq "open')}`, 'its query was not kept whole'],
    [`filter=${encodeURIComponent('userName eq "open')}&count=10`, 'its query was not kept whole'],
    [`filter=${encodeURIComponent(`userName eq "${'x'.repeat(1500)}"`)}`, 'its query was not kept whole'],
    [`filter=${encodeURIComponent(`userName eq "${'x'.repeat(2500)}"`)}&count=1`, 'its query was not kept whole'],
    [`attributes=${'userName,'.repeat(30)}id`, 'its query was not kept whole'],
    [`attributes=${'userName,'.repeat(30)}id&count=1`, 'its query was not kept whole'],
    [`sortBy=${encodeURIComponent('name\nfamilyName')}`, 'its query was not kept whole'],
  ])('%s cannot be sent again, and says why', (query, why) => {
    expect(again(query)).toBe(why);
  });
});

describe('a recorded request', () => {
  const body = { contentType: 'application/scim+json', body: '{}', omitted: null, refusal: null };
  test.each([
    [{ status: 401 }, 'left_out'],
    [{ status: 429 }, 'left_out'],
    [{ status: 503 }, 'left_out'],
    // What its condition kept from being done then must not be done now, where no condition is sent.
    [{ status: 304 }, 'left_out'],
    [{ status: 412, method: 'DELETE', path: '/Users/a' }, 'left_out'],
    [{ path: '/Users/.search', bytesIn: 9, kept: { ...body, body: '{"cursor":"eA"}' } }, 'not_kept'],
    [{ path: '/Users/.search', bytesIn: 9, kept: { ...body, body: '{"cursor":""}' } }, 'send'],
    [{ path: '/Users', bytesIn: 9, kept: { ...body, body: '{"cursor":"eA"}' } }, 'send'],
    [{ bytesIn: 10 }, 'not_kept'],
    [{ bytesIn: 10, kept: { ...body, body: null, omitted: 'cut' } }, 'not_kept'],
    [{ bytesIn: 10, kept: { ...body, body: null, omitted: 'not_json' } }, 'not_kept'],
    [{ method: 'POST', status: 413 }, 'not_kept'],
    [{ method: 'POST', status: 413, bytesIn: 9, kept: body }, 'send'],
    [{ path: '/…' }, 'not_kept'],
    [{ path: '/Users/../../../acme/entra/Users/' }, 'not_kept'],
    [{ method: 'DELETE', path: '/Users/..' }, 'not_kept'],
    [{ path: '/Users/a..b' }, 'send'],
    [{ path: `/Users/${'x'.repeat(294)}` }, 'not_kept'],
    [{ path: `/${shownPath(['Users', 'x'.repeat(294)])}` }, 'not_kept'],
    [{ path: `/${shownPath(['Users', 'a\nb'])}` }, 'not_kept'],
    [{ path: `/${shownPath(['Users', 'x'.repeat(200)])}` }, 'send'],
    [{ bytesIn: 2, kept: body }, 'send'],
  ] as const)('%j is %s', (more, kind) => {
    expect(sendable(recorded(more as Partial<RecordedRequest>)).kind).toBe(kind);
  });

  test('goes out with its own media type and user agent, and its path is escaped', () => {
    const asked = sendable(recorded({ path: '/Users/a b?#', bytesIn: 2, kept: body, userAgent: 'Okta' }));
    expect(asked).toMatchObject({
      body: '{}',
      headers: { 'Content-Type': 'application/scim+json', 'User-Agent': 'Okta' },
    });
    expect(targetOf('/Users/a b?#', [])).toBe('/Users/a%20b%3F%23');
  });
});

test('ids are renamed wherever they stand, and only those that have another one', () => {
  const [one, two, other] = ['a', 'b', 'c'].map((digit) => `0198c0de-0000-7000-8000-00000000000${digit}`);
  const ids = new Map([
    [one ?? '', 'X'],
    [two ?? '', 'Y'],
  ]);
  const text = `/Users/${one} members[value eq \\"${two}\\"] "${other}" https://x/scim/v2/acme/okta/Users/${one} ${one}0`;
  expect(idsIn(text)).toEqual([one, two, other]);
  expect(renamed(text, ids)).toBe(
    `/Users/X members[value eq \\"Y\\"] "${other}" https://x/scim/v2/acme/okta/Users/X ${one}0`,
  );
});
