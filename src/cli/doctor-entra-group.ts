// What Entra ID sends of a group, from its creation to its end.

import {
  ENTRA,
  ENTRA_FLAG,
  GROUP,
  type ListedCall,
  list,
  noBody,
  patch,
  RFC,
  refused,
  status,
  VALIDATOR,
  value,
} from './doctor-call.ts';
import { type EntraCast, FLAG, findGroups } from './doctor-entra-cast.ts';

/** A schema of its own, which it names beside the standard's. */
const FOREIGN_GROUP = 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group';

export function entraGroup(
  { groupExternalId: externalId, newGroupExternalId }: EntraCast,
  displayName: string,
): readonly ListedCall[] {
  const created = {
    schemas: [GROUP, FOREIGN_GROUP],
    externalId,
    displayName,
    meta: { resourceType: 'Group' },
  };
  const edit = (name: string, says: string, ...operations: readonly object[]): ListedCall => ({
    name,
    method: 'PATCH',
    target: '/Groups/{group}',
    body: patch(...operations),
    expects: noBody(says, 200, 204),
  });
  const asked = (name: string, who: string, results: number): ListedCall => ({
    name,
    method: 'GET',
    target: findGroups(`id eq "{group}" and members eq "{${who}}"`),
    expects: list(ENTRA, results),
  });
  const values = (who: string) => ({ path: 'members', value: [{ $ref: null, value: `{${who}}` }] });
  const renamed = `${displayName} renamed`;
  return [
    {
      name: 'create a group, with its own schema',
      method: 'POST',
      target: '/Groups',
      body: created,
      makes: 'group',
      expects: [status(RFC.create, 201), value(ENTRA, ['externalId'], externalId)],
    },
    {
      name: 'create it again',
      method: 'POST',
      target: '/Groups',
      body: created,
      makes: 'groupagain',
      expects: refused(VALIDATOR, 409, 'uniqueness'),
    },
    {
      name: 'match the group, in capitals',
      method: 'GET',
      target: findGroups(`displayName eq "${displayName.toUpperCase()}"`),
      expects: [...list(VALIDATOR, 1), value(ENTRA, ['Resources', 0, 'id'], '{group}')],
    },
    edit('a member', ENTRA, { op: 'Add', ...values('user') }),
    {
      name: 'read without members',
      method: 'GET',
      target: '/Groups/{group}?excludedAttributes=members',
      expects: [status(RFC.read, 200), value(RFC.attributes, ['members'], undefined)],
    },
    asked('is it a member?', 'user', 1),
    edit(
      'several changes of members',
      ENTRA,
      { op: 'Add', ...values('user') },
      { op: 'Add', ...values('other') },
      { op: 'Remove', ...values('user') },
    ),
    asked('the one that was removed left', 'user', 0),
    asked('the other one stayed', 'other', 1),
    {
      ...edit('remove by a filter, with the flag', ENTRA_FLAG, { op: 'remove', path: 'members[value eq "{other}"]' }),
      target: `/Groups/{group}?${FLAG}`,
    },
    asked('nobody is left', 'other', 0),
    edit('rename the group', ENTRA, { op: 'Replace', path: 'displayName', value: renamed }),
    edit('another externalId', VALIDATOR, { op: 'Replace', path: 'externalId', value: newGroupExternalId }),
    {
      name: 'both are there',
      method: 'GET',
      target: '/Groups/{group}?excludedAttributes=members',
      expects: [
        status(RFC.read, 200),
        value(ENTRA, ['displayName'], renamed),
        value(ENTRA, ['externalId'], newGroupExternalId),
      ],
    },
    { name: 'delete the group', method: 'DELETE', target: '/Groups/{group}', expects: noBody(RFC.remove, 204) },
    { name: 'delete it twice', method: 'DELETE', target: '/Groups/{group}', expects: refused(VALIDATOR, 404) },
  ];
}
