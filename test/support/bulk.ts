// Bulk requests and their operations, as tests write them.

import { expect } from 'vitest';
import { type Answer, type Body, type DirectoryClient, userBody } from './scim.ts';
import { bulkRequestUrn, enterpriseUrn, errorUrn, groupSchemaUrn, patchUrn } from './urns.ts';

const responseUrn = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';

export const bulkBody = (operations: readonly unknown[], more: object = {}): object => ({
  schemas: [bulkRequestUrn],
  Operations: operations,
  ...more,
});

export const send = (client: DirectoryClient, operations: readonly unknown[], more?: object): Promise<Answer> =>
  client.post('/Bulk', bulkBody(operations, more));

/** The results of a bulk that was taken. */
export async function bulk(
  client: DirectoryClient,
  operations: readonly unknown[],
  more?: object,
): Promise<readonly Body[]> {
  const answer = await send(client, operations, more);
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  expect(answer.body.schemas).toEqual([responseUrn]);
  return answer.body.Operations;
}

export const create = (bulkId: string, data: object): Body => ({ method: 'POST', path: '/Users', bulkId, data });
export const group = (bulkId: string, displayName: string, members: readonly unknown[] = []): Body => ({
  method: 'POST',
  path: '/Groups',
  bulkId,
  data: { schemas: [groupSchemaUrn], displayName, members },
});
export const patch = (path: string, ...operations: readonly object[]): Body => ({
  method: 'PATCH',
  path,
  data: { schemas: [patchUrn], Operations: operations },
});
export const put = ({ id }: { readonly id: string }, data: Body): Body => ({
  method: 'PUT',
  path: `/Users/${id}`,
  data,
});
export const remove = ({ id }: { readonly id: string }): Body => ({ method: 'DELETE', path: `/Users/${id}` });
/** What a PATCH does. */
export const title = (value: string) => ({ op: 'replace', path: 'title', value });
/** A user whose manager has this id, or `bulkId:…`. */
export const managed = (name: string, by: string): Body =>
  userBody(name, { [enterpriseUrn]: { manager: { value: by } } });

export const idOf = (result: Body): string => result.location.split('/').at(-1);
export const statuses = (results: readonly Body[]): readonly string[] => results.map((result) => result.status);
export const all = (status: string, count: number): readonly string[] => range(count).map(() => status);
export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
export const failure = (status: string, scimType?: string): Body =>
  expect.objectContaining({
    status,
    response: {
      schemas: [errorUrn],
      status,
      ...(scimType === undefined ? {} : { scimType }),
      detail: expect.any(String),
    },
  });
