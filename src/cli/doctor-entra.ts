// What Entra ID sends, in its order, with and without the compliance flag, and what its validator asks beside that.

import { type Call, ENTRA, is, type ListedCall, list, status } from './doctor-call.ts';
import { type EntraCast, findGroups, findUsers } from './doctor-entra-cast.ts';
import { entraGroup } from './doctor-entra-group.ts';
import { entraUsers } from './doctor-entra-users.ts';
import { member } from './scim-http.ts';

export const entraHeaders = {
  Accept: 'application/scim+json',
  'Content-Type': 'application/scim+json; charset=utf-8',
} as const;

/** Those that this visit makes and so touches. */
export const entraPeople = 3;

/** The calls of a visit, in their order; those of a group only where the cast has a name for it. */
export function entraCalls(cast: EntraCast): readonly Call[] {
  const { groupName } = cast;
  const calls = [...connection(cast), ...entraUsers(cast), ...(groupName === null ? [] : entraGroup(cast, groupName))];
  return calls.map((call) => ({ idp: 'entra', ...call }));
}

function connection({ unknown, userName }: EntraCast): readonly ListedCall[] {
  return [
    {
      name: 'test of the connection',
      method: 'GET',
      target: findUsers(`userName eq "${unknown}"`),
      alone: true,
      expects: list(ENTRA, 0),
    },
    {
      name: 'test of the connection, groups',
      method: 'GET',
      target: findGroups(`displayName eq "${unknown}"`),
      alone: true,
      expects: list(ENTRA, 0),
    },
    {
      name: 'discovery of the schemas',
      method: 'GET',
      target: '/Schemas',
      alone: true,
      expects: [
        status(ENTRA, 200),
        is(ENTRA, 'a list in which nothing is null', ({ text, json }) => {
          return Array.isArray(member(json, 'Resources')) && !/[:[,]null[,}\]]/.test(text);
        }),
      ],
    },
    {
      name: 'match: nobody yet',
      method: 'GET',
      target: findUsers(`userName eq "${userName}"`),
      alone: true,
      expects: list(ENTRA, 0),
    },
  ];
}
