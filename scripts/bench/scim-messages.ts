// What the bench sends. Users are named after a label, so that seeded ones and pushed ones are of the same size.

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

export function user(label: string, domain: string): object {
  const email = `${label}@${domain}`;
  return {
    schemas: [USER],
    userName: email,
    name: { givenName: `Given ${label}`, familyName: `Family ${label}` },
    emails: [{ primary: true, value: email, type: 'work' }],
    displayName: `Given Family ${label}`,
    externalId: `ext-${label}`,
    title: 'Engineer',
    active: true,
  };
}

export function group(displayName: string, members: readonly string[] = []): object {
  return { schemas: [GROUP], displayName, members: members.map((value) => ({ value })) };
}

export function addMember(id: string): object {
  return { schemas: [PATCH], Operations: [{ op: 'add', path: 'members', value: [{ value: id }] }] };
}

export function setTitle(title: string): object {
  return { schemas: [PATCH], Operations: [{ op: 'replace', path: 'title', value: title }] };
}

export type BulkOperation = {
  readonly method: string;
  readonly path: string;
  readonly bulkId?: string;
  readonly data?: object;
};

export function bulk(operations: readonly BulkOperation[]): object {
  return { schemas: [BULK], Operations: operations };
}

export const byUserName = (userName: string): string =>
  `/Users?filter=${encodeURIComponent('userName eq "?"').replace('%3F', userName)}`;
