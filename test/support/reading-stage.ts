// What tests of reading begin with: five people and three groups of okta, and nothing of other directories.

import type { Answer, Body } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';
import { enterpriseUrn } from './urns.ts';

export const searchUrn = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';

/** By user name, each with something that the others lack. */
export const people: readonly Body[] = [
  { userName: 'delta', displayName: 'Zoë', title: 'b', active: false, externalId: 'x-a' },
  { userName: 'Alpha', displayName: 'anna', title: 'B', externalId: 'x-B', name: { familyName: 'Smith' } },
  {
    userName: 'charlie',
    emails: [
      { type: 'home', value: 'a@charlie.example' },
      { type: 'work', value: 'z@charlie.example', primary: true },
    ],
    [enterpriseUrn]: { employeeNumber: '10', department: 'Sales' },
  },
  {
    userName: 'bravo',
    displayName: 'Émile',
    title: 'a',
    emails: [{ type: 'work', value: 'm@bravo.example' }],
    [enterpriseUrn]: { employeeNumber: '9' },
    name: { familyName: 'adams' },
  },
  { userName: 'echo', displayName: 'Bob', title: 'ä', roles: [{ value: 'r' }], externalId: 'x-b' },
];

/** Names of what was found, in its order. */
export const namesOf = (answer: Answer): readonly string[] => {
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body.Resources.map((resource: Body) => resource.userName ?? resource.displayName);
};
export const refused = (answer: Answer) => [answer.status, answer.body.scimType];

export type ReadingStage = ScimStage & {
  /** Ids of the people, by user name. */
  readonly ids: ReadonlyMap<string, string>;
  readonly groupIds: ReadonlyMap<string, string>;
  get(path: string, parameters: Readonly<Record<string, string>>): Promise<Answer>;
  search(path: string, body: object): Promise<Answer>;
};

export async function readingStage(): Promise<ReadingStage> {
  const stage = await scimStage();
  const { okta } = stage;
  const ids = new Map<string, string>();
  const groupIds = new Map<string, string>();
  for (const person of people) {
    const answer = await okta.post('/Users', person);
    if (answer.status !== 201) throw new Error(answer.text);
    ids.set(person.userName, answer.body.id);
  }
  for (const [displayName, members] of [
    ['Yellow', ['delta', 'echo']],
    ['amber', ['Alpha']],
    ['Green', []],
  ] as const) {
    const value = members.map((name) => ({ value: ids.get(name) }));
    groupIds.set(displayName, (await okta.post('/Groups', { displayName, members: value })).body.id);
  }
  return {
    ...stage,
    ids,
    groupIds,
    get: (path, parameters) => okta.get(`${path}?${new URLSearchParams(parameters)}`),
    search: (path, body) => okta.post(`${path}/.search`, { schemas: [searchUrn], ...body }),
  };
}
