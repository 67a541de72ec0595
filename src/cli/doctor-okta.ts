// What Okta sends, in its order: the test of its credentials, people who come and go, and a pushed group.

import { type Call, is, list, noBody, OKTA, RFC, refused, status, value } from './doctor-call.ts';
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

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
/** Those that this visit makes and so touches. */
export const oktaPeople = 2;

export function oktaCalls(cast: OktaCast): readonly Call[] {
  const { groupName } = cast;
  const calls = [...people(cast), ...(groupName === null ? [] : group(groupName))];
  return calls.map((call) => ({ idp: 'okta', ...call }));
}

type Said = Omit<Call, 'idp'>;
const patch = (...operations: readonly object[]) => ({ schemas: [PATCH], Operations: operations });
const active = (wanted: boolean) => value(OKTA, ['active'], wanted);

function people({ userName, otherName, externalId, otherExternalId, unknownId }: OktaCast): readonly Said[] {
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

function group(displayName: string): readonly Said[] {
  const created = { schemas: [GROUP], displayName, members: [] };
  const rename: Said = {
    name: 'rename to its own name, with its id',
    method: 'PATCH',
    target: '/Groups/{group}',
    body: patch({ op: 'replace', value: { id: '{group}', displayName } }),
    expects: [status(OKTA, 200, 204)],
  };
  const members = (name: string, ...wanted: readonly string[]): Said => ({
    name,
    method: 'GET',
    target: '/Groups/{group}',
    expects: [
      status(RFC.read, 200),
      is(OKTA, wanted.length === 1 ? 'one member' : `${wanted.length} members`, ({ json }, made) => {
        const found = member(json, 'members');
        const ids = (Array.isArray(found) ? found : []).map((one) => String(member(one, 'value')));
        return JSON.stringify(ids.sort()) === JSON.stringify(wanted.map((one) => made.get(one) ?? '').sort());
      }),
    ],
  });
  return [
    {
      name: 'push a group',
      method: 'POST',
      target: '/Groups',
      body: created,
      makes: 'group',
      expects: [status(RFC.create, 201), value(OKTA, ['displayName'], displayName)],
    },
    {
      name: 'push it again',
      method: 'POST',
      target: '/Groups',
      body: created,
      makes: 'groupagain',
      expects: refused(RFC.create, 409, 'uniqueness'),
    },
    {
      name: 'find it by its name',
      method: 'GET',
      target: `/Groups?filter=displayName eq "${displayName}"&startIndex=1&count=100`,
      expects: [...list(OKTA, 1), value(RFC.filter, ['Resources', 0, 'id'], '{group}')],
    },
    {
      name: 'all members',
      method: 'PATCH',
      target: '/Groups/{group}',
      body: patch({
        op: 'replace',
        path: 'members',
        value: [
          { value: '{user}', display: 'Barbara Jensen' },
          { value: '{other}', display: 'Carol Doe' },
        ],
      }),
      expects: [status(RFC.patch, 200, 204)],
    },
    rename,
    members('the members stayed', 'user', 'other'),
    {
      name: 'one leaves, one joins',
      method: 'PATCH',
      target: '/Groups/{group}',
      body: patch(
        { op: 'remove', path: 'members[value eq "{user}"]' },
        { op: 'add', path: 'members', value: [{ value: '{other}', display: 'Carol Doe' }] },
      ),
      expects: [status(RFC.patch, 200, 204)],
    },
    members('only the other is left', 'other'),
    {
      name: 'members without a path',
      method: 'PATCH',
      target: '/Groups/{group}',
      body: patch({ op: 'replace', value: { members: [{ value: '{user}', display: 'Barbara Jensen' }] } }),
      expects: [status(OKTA, 200, 204)],
    },
    members('only that one', 'user'),
    {
      name: 'the whole group, display null',
      method: 'PUT',
      target: '/Groups/{group}',
      body: {
        schemas: [GROUP],
        id: '{group}',
        displayName,
        members: [
          { value: '{user}', display: null },
          { value: '{other}', display: null },
        ],
      },
      expects: [status(RFC.replace, 200)],
    },
    members('both again', 'user', 'other'),
    {
      name: 'the user knows the group',
      method: 'GET',
      target: '/Users/{user}',
      expects: [status(RFC.read, 200), value('RFC 7643 §4.1.2', ['groups', 0, 'value'], '{group}')],
    },
    { name: 'unlink the group', method: 'DELETE', target: '/Groups/{group}', expects: noBody(RFC.remove, 204) },
    { name: 'it is gone', method: 'GET', target: '/Groups/{group}', expects: refused(RFC.remove, 404) },
  ];
}
