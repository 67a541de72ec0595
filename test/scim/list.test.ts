import { describe, expect, test } from 'vitest';
import { DEFAULT_COUNT, listResponse, MAX_COUNT, parseListQuery } from '../../src/scim/list.ts';
import { readEntityTags } from '../../src/scim/meta.ts';
import { groupSchema, pathName, userSchema } from '../../src/scim/schema.ts';
import { refusal } from './payload.ts';

const query = (text: string) => parseListQuery(new URLSearchParams(text), [userSchema], []);

describe('a list request', () => {
  test('without parameters asks for the first page', () => {
    expect(query('')).toEqual({
      startIndex: 1,
      cursor: null,
      count: DEFAULT_COUNT,
      descending: false,
      views: [{ schema: userSchema, filter: null, sortBy: null, projection: null }],
    });
  });

  test.each([
    ['startIndex=1&count=2', 1, 2],
    ['startIndex=11&count=100', 11, 100],
    ['startIndex=0', 1, DEFAULT_COUNT],
    ['startIndex=-5&count=-1', 1, 0],
    ['count=0', 1, 0],
    ['count=201', 1, MAX_COUNT],
    ['count=1000000000', 1, MAX_COUNT],
    ['startIndex=&count=', 1, DEFAULT_COUNT],
    ['cursor=&count=0', 1, 0],
    ['cursor=&count=-1', 1, 0],
    ['cursor=&count=201', 1, MAX_COUNT],
  ])('with %s starts at %d and has %d at most (RFC 7644 §3.4.2.4, RFC 9865 §2, T47)', (text, startIndex, count) =>
    expect(query(text)).toMatchObject({ startIndex, count }),
  );

  test.each([
    'startIndex=1e308',
    'startIndex=1e3',
    'startIndex=99999999999',
    'startIndex=NaN',
    'startIndex=1.5',
    'startIndex=0x10',
    'count=2&count=3',
    'cursor=&startIndex=1',
    'cursor=a&cursor=b',
    'startIndex=%00',
    'sortBy=nothing',
    'sortBy=password',
    'sortBy=__proto__',
    'sortBy=id;drop',
    'sortBy=name',
    'sortBy=addresses',
    'sortBy=meta',
    'attributes=userName&excludedAttributes=emails',
    'sortOrder=up&sortBy=userName',
    `attributes=${'a,'.repeat(201)}`,
    `attributes=${'a'.repeat(10_001)}`,
    `excludedAttributes=${Array.from({ length: 10_000 }, (_, index) => `a${index}`).join(',')}`,
  ])('with %s is 400 invalidValue (T43, T47)', (text) =>
    expect(refusal(() => query(text))).toEqual([400, 'invalidValue']),
  );

  test.each(['count=1e9', 'count=abc', 'count=10000000000000000000', 'count=١', 'cursor=&count=x'])(
    'with %s is 400 invalidCount (T47, RFC 9865 §2.1)',
    (text) => expect(refusal(() => query(text))).toEqual([400, 'invalidCount']),
  );

  test.each(['filter=', 'filter=%20', 'filter=userName', 'filter=password pr'])(
    'with %s is 400 invalidFilter',
    (text) => expect(refusal(() => query(text))).toEqual([400, 'invalidFilter']),
  );

  test('may sort and project, and its parameters stay as they are', () => {
    const parameters = new URLSearchParams(
      'sortBy=Name.FamilyName&sortOrder=Descending&attributes=userName, emails.value ,&filter=active eq true',
    );
    const before = parameters.toString();
    const parsed = parseListQuery(parameters, [userSchema], []);
    const [view] = parsed.views;
    expect(view?.sortBy && pathName(view.sortBy)).toBe('name.familyName');
    expect(parsed.descending).toBe(true);
    expect([...(view?.projection?.tree.keys() ?? [])]).toEqual(['userName', 'emails']);
    expect(parameters.toString()).toBe(before);
  });

  test('of Entra ID for groups without members', () => {
    const text = 'excludedAttributes=members&filter=displayName eq "x"';
    expect(parseListQuery(new URLSearchParams(text), [groupSchema], []).views[0]?.projection?.kind).toBe('without');
  });
});

test('a list answer counts in JSON integers and is empty where nothing matches (RFC 7644 §3.4.2)', () => {
  expect(JSON.parse(listResponse(['{"id":"1"}', '{"id":"2"}'], { totalResults: 11, startIndex: 6 }))).toEqual({
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults: 11,
    startIndex: 6,
    itemsPerPage: 2,
    Resources: [{ id: '1' }, { id: '2' }],
  });
  expect(JSON.parse(listResponse([], { totalResults: 0, startIndex: 1 }))).toMatchObject({
    totalResults: 0,
    Resources: [],
  });
});

describe('an If-Match header', () => {
  test.each([
    [undefined, null],
    ['*', '*'],
    ['W/"3"', ['3']],
    ['"3"', ['3']],
    ['W/"3", W/"4"', ['3', '4']],
    ['W/"x"', []],
    ['W/"0"', []],
    ['W/"99999999999999999999"', []],
    ['"a,b", W/"3"', ['3']],
    [', "3" , ,W/"4",', ['3', '4']],
  ])('%j names the versions %j (T59, RFC 9110 §8.8.3)', (header, versions) =>
    expect(readEntityTags(header)).toEqual(versions),
  );

  test.each(['', '3', 'W/3', 'W/"3', '*, "3"', '"3";', '"3" "4"', ', '])('%j is 400 (T59)', (header) =>
    expect(refusal(() => readEntityTags(header))).toEqual([400, 'invalidValue']),
  );
});
