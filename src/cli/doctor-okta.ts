// What Okta sends, in its order: the test of its credentials, people who come and go, and a pushed group.

import { type Call, is, type ListedCall, list, OKTA, patch, RFC, refused, status, USER, value } from './doctor-call.ts';
import { oktaGroup } from './doctor-okta-group.ts';
import { member } from './scim-http.ts';

export type OktaCast = {
  /** Nobody else has these: names, addresses and ids of this visit alone. */
  readonly userName: string;
  readonly otherName: string;
  readonly externalId: string;
  readonly otherExternalId: string;
  readonly unknownId: string;
  /** Null: every name that was tried is one that a rule speaks of. */
  readonly groupName: string | null;
};

export const oktaHeaders = {
  Accept: 'application/scim+json',
  'Accept-Charset': 'utf-8',
  'Content-Type': 'application/scim+json; charset=utf-8',
} as const;

/** Those that this visit makes and so touches. */
export const oktaPeople = 2;

/** The calls of a visit, in their order; those of a group only where the cast has a name for it. */
export function oktaCalls(cast: OktaCast): readonly Call[] {
  const { groupName } = cast;
  const calls = [...people(cast), ...(groupName === null ? [] : oktaGroup(groupName))];
  return calls.map((call) => ({ idp: 'okta', ...call }));
}

const active = (wanted: boolean) => value(OKTA, ['active'], wanted);

function people({ userName, otherName, externalId, otherExternalId, unknownId }: OktaCast): readonly ListedCall[] {
  const match = (name: string) => `/Users?filter=userName eq "${name}"&startIndex=1&count=100`;
  const create = {
    schemas: [USER],
    userName,
    name: { givenName: 'Barbara', familyName: 'Jensen' },
    emails: [{ primary: true, value: userName, type: 'work' }],
    displayName: 'Barbara Jensen',
    locale: 'en-US',
    externalId,
    groups: [],
    password: '1mz050nq',
    active: true,
  };
  const whole = {
    schemas: [USER],
    id: '{user}',
    userName,
    name: { givenName: 'Barbara', middleName: '', familyName: 'Jensen-Smith' },
    emails: [{ primary: true, value: userName, type: 'work' }],
    displayName: 'Barbara Jensen-Smith',
    locale: 'en-US',
    externalId,
    active: true,
    groups: [],
    meta: {
      resourceType: 'User',
      created: '2025-11-01T10:00:00.000Z',
      lastModified: '2025-11-01T10:00:00.000Z',
      version: 'W/"1"',
      location: '{base}/Users/{user}',
    },
  };
  const other = {
    schemas: [USER],
    userName: otherName,
    name: { givenName: 'Carol', familyName: 'Doe' },
    emails: [{ primary: true, value: otherName, type: 'work' }],
    displayName: 'Carol Doe',
    locale: 'en-US',
    externalId: otherExternalId,
    groups: [],
    password: '1mz050nq',
    active: true,
  };
  const noPassword = is(RFC.returned, 'no password', ({ json }) => member(json, 'password') === undefined);
  return [
    {
      name: 'test of the credentials',
      method: 'GET',
      target: '/Users?startIndex=1&count=2',
      alone: true,
      expects: [...list(OKTA), value(RFC.page, ['startIndex'], 1)],
    },
    {
      name: 'somebody who is not there',
      method: 'GET',
      target: `/Users/${unknownId}`,
      alone: true,
      expects: refused(OKTA, 404),
    },
    { name: 'match: nobody yet', method: 'GET', target: match(userName), alone: true, expects: list(OKTA, 0) },
    {
      name: 'create',
      method: 'POST',
      target: '/Users',
      body: create,
      makes: 'user',
      expects: [
        status(RFC.create, 201),
        value(OKTA, ['userName'], userName),
        value(OKTA, ['externalId'], externalId),
        value(OKTA, ['emails', 0, 'value'], userName),
        value(OKTA, ['name', 'familyName'], 'Jensen'),
        active(true),
        noPassword,
      ],
    },
    {
      name: 'create again',
      method: 'POST',
      target: '/Users',
      body: create,
      makes: 'again',
      expects: refused(RFC.create, 409, 'uniqueness'),
    },
    {
      name: 'match, in capitals',
      method: 'GET',
      target: match(userName.toUpperCase()),
      expects: [...list(OKTA, 1), value(RFC.filter, ['Resources', 0, 'id'], '{user}')],
    },
    {
      name: 'read before an update',
      method: 'GET',
      target: '/Users/{user}',
      expects: [status(RFC.read, 200), value(RFC.read, ['id'], '{user}')],
    },
    {
      name: 'update, the whole body',
      method: 'PUT',
      target: '/Users/{user}',
      body: whole,
      expects: [
        status(RFC.replace, 200),
        value(OKTA, ['displayName'], 'Barbara Jensen-Smith'),
        value('RFC 7643 §2.5', ['name', 'middleName'], undefined),
      ],
    },
    {
      name: 'the same update again',
      method: 'PUT',
      target: '/Users/{user}',
      body: whole,
      expects: [status(RFC.replace, 200), value(OKTA, ['name', 'familyName'], 'Jensen-Smith')],
    },
    {
      name: 'deactivate, without a path',
      method: 'PATCH',
      target: '/Users/{user}',
      body: patch({ op: 'replace', value: { active: false } }),
      expects: [status(RFC.patch, 200), active(false)],
    },
    {
      name: 'still there, inactive',
      method: 'GET',
      target: '/Users/{user}',
      expects: [status(RFC.read, 200), active(false)],
    },
    {
      name: 'reactivate, without a path',
      method: 'PATCH',
      target: '/Users/{user}',
      body: patch({ op: 'replace', value: { active: true } }),
      expects: [status(RFC.patch, 200), active(true)],
    },
    {
      name: 'deactivate by the whole body',
      method: 'PUT',
      target: '/Users/{user}',
      body: { ...whole, active: false },
      expects: [status(RFC.replace, 200), active(false)],
    },
    {
      name: 'reactivate by the whole body',
      method: 'PUT',
      target: '/Users/{user}',
      body: whole,
      expects: [status(RFC.replace, 200), active(true)],
    },
    {
      name: 'push a password',
      method: 'PATCH',
      target: '/Users/{user}',
      body: patch({ op: 'replace', value: { password: '7Ntz!kq2' } }),
      expects: [status(OKTA, 200, 204), noPassword],
    },
    {
      name: 'create another',
      method: 'POST',
      target: '/Users',
      body: other,
      makes: 'other',
      expects: [status(RFC.create, 201), value(OKTA, ['userName'], otherName), active(true)],
    },
  ];
}
