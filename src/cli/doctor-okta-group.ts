// What Okta sends of a group that it pushes, from its creation to its end.

import { GROUP, is, type ListedCall, list, noBody, OKTA, patch, RFC, refused, status, value } from './doctor-call.ts';
import { member } from './scim-http.ts';

export function oktaGroup(displayName: string): readonly ListedCall[] {
  const created = { schemas: [GROUP], displayName, members: [] };
  const rename: ListedCall = {
    name: 'rename to its own name, with its id',
    method: 'PATCH',
    target: '/Groups/{group}',
    body: patch({ op: 'replace', value: { id: '{group}', displayName } }),
    expects: [status(OKTA, 200, 204)],
  };
  const members = (name: string, ...wanted: readonly string[]): ListedCall => ({
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
