// Okta and Entra ID as SCIM clients: the very requests that they send, header by header.

type Json = Record<string, unknown>;
export type ScimAnswer = { readonly status: number; readonly body: Json };

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

function client(baseUrl: string, token: string, userAgent: string, contentType: string) {
  return async (method: string, path: string, body?: Json): Promise<ScimAnswer> => {
    const answer = await fetch(`${baseUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/scim+json',
        'user-agent': userAgent,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Json) };
  };
}

export type OktaPerson = {
  readonly email: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly externalId: string;
};

/** Okta: test of the credentials, match by userName, POST, group push, membership by path filter. */
export function okta(baseUrl: string, token: string) {
  const send = client(baseUrl, token, 'Okta SCIM Client 1.0.0', 'application/scim+json; charset=utf-8');
  const idOf = async (email: string): Promise<string | undefined> => {
    const found = await send(
      'GET',
      `/Users?filter=${encodeURIComponent(`userName eq "${email}"`)}&startIndex=1&count=100`,
    );
    return (found.body.Resources as { id: string }[] | undefined)?.[0]?.id;
  };
  return {
    test: () => send('GET', '/Users?startIndex=1&count=2'),
    idOf,
    async pushUser(person: OktaPerson): Promise<ScimAnswer> {
      await idOf(person.email);
      return send('POST', '/Users', {
        schemas: [USER],
        userName: person.email,
        name: { givenName: person.givenName, familyName: person.familyName },
        emails: [{ primary: true, value: person.email, type: 'work' }],
        displayName: `${person.givenName} ${person.familyName}`,
        locale: 'en-US',
        externalId: person.externalId,
        groups: [],
        password: '1mz050nq',
        active: true,
      });
    },
    setActive: async (email: string, active: boolean) =>
      send('PATCH', `/Users/${await idOf(email)}`, {
        schemas: [PATCH],
        Operations: [{ op: 'replace', value: { active } }],
      }),
    remove: async (email: string) => send('DELETE', `/Users/${await idOf(email)}`),
    pushGroup: (displayName: string) => send('POST', '/Groups', { schemas: [GROUP], displayName, members: [] }),
    /** Okta renames before every change of members, with the read-only id among the values. */
    async setMembers(
      group: { id: string; displayName: string },
      add: readonly { id: string; email: string }[],
      remove: readonly string[] = [],
    ) {
      await send('PATCH', `/Groups/${group.id}`, {
        schemas: [PATCH],
        Operations: [{ op: 'replace', value: { id: group.id, displayName: group.displayName } }],
      });
      return send('PATCH', `/Groups/${group.id}`, {
        schemas: [PATCH],
        Operations: [
          ...remove.map((id) => ({ op: 'remove', path: `members[value eq "${id}"]` })),
          { op: 'add', path: 'members', value: add.map(({ id, email }) => ({ value: id, display: email })) },
        ],
      });
    },
  };
}

/** Entra ID: capitalised operations, booleans as strings, paths to values that do not exist yet. */
export function entra(baseUrl: string, token: string) {
  const send = client(baseUrl, token, 'Azure AD SCIM client', 'application/scim+json; charset=utf-8');
  return {
    test: (guid: string) => send('GET', `/Users?filter=${encodeURIComponent(`userName eq "${guid}"`)}`),
    pushUser: (person: { objectId: string; upn: string; givenName: string; familyName: string }) =>
      send('POST', '/Users', {
        schemas: [USER, ENTERPRISE],
        externalId: person.objectId,
        userName: person.upn,
        active: true,
        displayName: `${person.givenName} ${person.familyName}`,
        emails: [{ primary: true, type: 'work', value: person.upn }],
        meta: { resourceType: 'User' },
        name: {
          formatted: `${person.givenName} ${person.familyName}`,
          familyName: person.familyName,
          givenName: person.givenName,
        },
        roles: [],
      }),
    patchUser: (id: string, operations: readonly Json[]) =>
      send('PATCH', `/Users/${id}`, { schemas: [PATCH], Operations: operations }),
    pushGroup: (displayName: string, externalId: string) =>
      send('POST', '/Groups', {
        schemas: [GROUP, 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group'],
        externalId,
        displayName,
        meta: { resourceType: 'Group' },
      }),
    addMember: (groupId: string, userId: string) =>
      send('PATCH', `/Groups/${groupId}`, {
        schemas: [PATCH],
        Operations: [{ op: 'Add', path: 'members', value: [{ $ref: null, value: userId }] }],
      }),
  };
}
