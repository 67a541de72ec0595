// What Okta's published SPEC test asks of a SCIM server before an integration is accepted, asked in its order and with its headers.

import type { Directory } from './directories.ts';
import type { Found } from './verdict.ts';

type Json = Record<string, unknown>;
type Answer = { readonly status: number; readonly contentType: string; readonly body: Json };

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';

export async function oktaSpec(directory: Directory): Promise<readonly Found[]> {
  const found: Found[] = [];
  const send = async (method: string, path: string, body?: Json): Promise<Answer> => {
    const answer = await fetch(`${directory.baseUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${directory.token}`,
        accept: 'application/scim+json',
        'accept-charset': 'utf-8',
        'content-type': 'application/scim+json; charset=utf-8',
        'user-agent': 'Okta SCIM Client 1.0.0',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      contentType: answer.headers.get('content-type') ?? '',
      body: text === '' ? {} : JSON.parse(text),
    };
  };
  const expect = (check: string, answer: Answer, status: number, expectations: Readonly<Record<string, boolean>>) => {
    const all: Record<string, boolean> = {
      [`status ${status}`]: answer.status === status,
      'SCIM content type': answer.contentType.startsWith('application/scim+json'),
      ...expectations,
    };
    const missed = Object.keys(all).filter((name) => !all[name]);
    const detail =
      missed.length === 0 ? '' : `not ${missed.join(', ')}: ${answer.status} ${JSON.stringify(answer.body)}`;
    found.push({ check, outcome: missed.length === 0 ? 'passed' : 'failed', detail });
  };
  const isList = ({ body }: Answer) => ({
    'ListResponse schema': includes(body.schemas, LIST),
    'itemsPerPage, startIndex and totalResults are integers': [
      body.itemsPerPage,
      body.startIndex,
      body.totalResults,
    ].every(Number.isInteger),
  });
  const isUser = (user: Json | undefined) => {
    const name = (user?.name ?? {}) as Json;
    const emails = (user?.emails ?? []) as readonly Json[];
    return {
      id: text(user?.id),
      userName: text(user?.userName),
      'name.familyName': text(name.familyName),
      'name.givenName': text(name.givenName),
      active: typeof user?.active === 'boolean',
      'emails[0].value': text(emails[0]?.value),
    };
  };
  const isError = ({ body }: Answer) => ({
    'Error schema': includes(body.schemas, ERROR),
    detail: text(body.detail),
    'status as text': text(body.status),
  });
  const byUserName = (userName: string) => `/Users?filter=${encodeURIComponent(`userName eq "${userName}"`)}`;
  const newUser = (userName: string): Json => ({
    schemas: [USER],
    userName,
    name: { givenName: 'Runscope', familyName: 'Okta' },
    emails: [{ primary: true, value: userName, type: 'work' }],
    displayName: 'Runscope Okta',
    active: true,
  });

  // Okta asks that one user is there before the test begins.
  await send('POST', '/Users', newUser('first@okta.example'));

  const page = await send('GET', '/Users?count=1&startIndex=1');
  const first = (page.body.Resources as readonly Json[] | undefined)?.[0];
  expect('GET /Users shows a whole user', page, 200, { ...isList(page), ...isUser(first) });
  const one = await send('GET', `/Users/${first?.id}`);
  expect('GET /Users/{id} shows the user', one, 200, { ...isUser(one.body), 'the same id': one.body.id === first?.id });

  const nobody = await send('GET', byUserName('nobody@okta.example'));
  expect('a filter for an unknown userName finds nobody', nobody, 200, {
    ...isList(nobody),
    'totalResults 0': nobody.body.totalResults === 0,
  });
  const unknown = await send('GET', '/Users/010101001010101011001010101011');
  expect('GET of an unknown id is 404', unknown, 404, isError(unknown));

  const userName = 'runscope.okta@okta.example';
  const created = await send('POST', '/Users', newUser(userName));
  expect('POST /Users creates', created, 201, {
    ...isUser(created.body),
    'User schema': includes(created.body.schemas, USER),
    active: created.body.active === true,
    'the values that were sent': created.body.userName === userName,
  });
  const read = await send('GET', `/Users/${created.body.id}`);
  expect('GET of the created user', read, 200, {
    ...isUser(read.body),
    'the same userName': read.body.userName === userName,
  });
  const again = await send('POST', '/Users', newUser(userName));
  expect('POST of the same user is 409', again, 409, isError(again));
  const capitals = await send('GET', byUserName(userName.toUpperCase()));
  expect('a filter finds the userName in capitals', capitals, 200, {
    ...isList(capitals),
    'totalResults 1': capitals.body.totalResults === 1,
  });
  const groups = await send('GET', '/Groups');
  expect('GET /Groups lists', groups, 200, isList(groups));
  return found;
}

function includes(list: unknown, item: string): boolean {
  return Array.isArray(list) && list.includes(item);
}

function text(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
