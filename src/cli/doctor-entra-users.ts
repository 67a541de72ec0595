// What Entra ID sends of users, from their creation to their end.

import {
  at,
  ENTRA,
  ENTRA_FLAG,
  type Expectation,
  is,
  type ListedCall,
  list,
  noBody,
  patch,
  RFC,
  refused,
  status,
  USER,
  VALIDATOR,
  value,
} from './doctor-call.ts';
import { ENTERPRISE, type EntraCast, FLAG, findUsers } from './doctor-entra-cast.ts';
import { member } from './scim-http.ts';

export function entraUsers(cast: EntraCast): readonly ListedCall[] {
  return [...creation(cast), ...updates(cast), ...managers(), ...switches(cast), ...removal(cast)];
}

/** Entra ID takes 204 as well, and then asks. */
const patched = (says: string, ...more: readonly Expectation[]): readonly Expectation[] => [
  status(says, 200, 204),
  ...more.map((one) => ({
    ...one,
    holds: (...given: Parameters<Expectation['holds']>) => given[0].status === 204 || one.holds(...given),
  })),
];

function update(name: string, says: string, body: unknown, ...more: readonly Expectation[]): ListedCall {
  return { name, method: 'PATCH', target: '/Users/{user}', body, expects: patched(says, ...more) };
}

function creation(cast: EntraCast): readonly ListedCall[] {
  const { userName, otherName, thirdName, externalId, otherExternalId, thirdExternalId, email, otherEmail } = cast;
  const create = {
    schemas: [USER, ENTERPRISE],
    externalId,
    userName,
    active: true,
    emails: [{ primary: true, type: 'work', value: email }],
    meta: { resourceType: 'User' },
    name: { formatted: 'givenName familyName', familyName: 'familyName', givenName: 'givenName' },
    roles: [],
  };
  const match = (name: string, filter: string, says: string): ListedCall => ({
    name,
    method: 'GET',
    target: findUsers(filter),
    expects: [...list(says, 1), value(RFC.filter, ['Resources', 0, 'id'], '{user}')],
  });
  return [
    {
      name: 'create, the extension without data',
      method: 'POST',
      target: '/Users',
      body: create,
      makes: 'user',
      expects: [
        status(RFC.create, 201),
        value(ENTRA, ['userName'], userName),
        value(ENTRA, ['externalId'], externalId),
        value(ENTRA, ['active'], true),
      ],
    },
    {
      name: 'create again',
      method: 'POST',
      target: '/Users',
      body: create,
      makes: 'again',
      expects: refused(VALIDATOR, 409, 'uniqueness'),
    },
    match('match by userName', `userName eq "${userName}"`, ENTRA),
    match('match, in capitals', `userName eq "${userName.toUpperCase()}"`, VALIDATOR),
    match('match by externalId', `externalId eq "${externalId}"`, ENTRA),
    match('match by the work address', `emails[type eq "work"].value eq "${email}"`, ENTRA),
    {
      name: 'create with nulls and a misspelled URN',
      method: 'POST',
      target: '/Users',
      body: {
        schemas: [USER, 'urn:ietf:params:scim:schemas:extension:enterprise:2.0User'],
        externalId: otherExternalId,
        userName: otherName,
        active: true,
        addresses: null,
        displayName: 'BobIsAmazing',
        emails: [{ type: 'work', value: otherEmail, primary: true }],
        meta: { resourceType: 'User' },
        name: { formatted: 'Ryan Leenay', familyName: 'Leenay', givenName: 'Ryan' },
        phoneNumbers: null,
        preferredLanguage: 'en-US',
        title: null,
        department: null,
        manager: null,
      },
      makes: 'other',
      expects: [
        status(ENTRA, 201),
        value(ENTRA, ['displayName'], 'BobIsAmazing'),
        is(ENTRA, 'nothing that is null', ({ text }) => !/[:[,]null[,}\]]/.test(text)),
      ],
    },
    {
      name: 'create with booleans and roles as text',
      method: 'POST',
      target: '/Users',
      body: {
        schemas: [USER, ENTERPRISE],
        externalId: thirdExternalId,
        userName: thirdName,
        active: 'True',
        emails: [{ primary: 'True', type: 'work', value: thirdName }],
        roles: [
          {
            primary: 'True',
            type: 'WindowsAzureActiveDirectoryRole',
            display: 'Administrator',
            value: 'Administrator',
          },
        ],
        [ENTERPRISE]: { department: 'Sales', manager: '{user}' },
      },
      makes: 'third',
      expects: [
        status(VALIDATOR, 201),
        value(VALIDATOR, ['active'], true),
        value(VALIDATOR, ['roles', 0, 'primary'], true),
        value(ENTRA, [ENTERPRISE, 'manager', 'value'], '{user}'),
      ],
    },
  ];
}

function updates({ newEmail }: EntraCast): readonly ListedCall[] {
  return [
    update(
      'replace the work address',
      ENTRA,
      patch({ op: 'Replace', path: 'emails[type eq "work"].value', value: newEmail }),
      value(ENTRA, ['emails', 0, 'value'], newEmail),
    ),
    update(
      'a phone number that is not there yet',
      ENTRA,
      patch({ op: 'Add', path: 'phoneNumbers[type eq "mobile"].value', value: '1' }),
      value(ENTRA, ['phoneNumbers', 0, 'value'], '1'),
      value(ENTRA, ['phoneNumbers', 0, 'type'], 'mobile'),
    ),
    update(
      'an address, part by part',
      ENTRA,
      patch(
        { op: 'Add', path: 'addresses[type eq "work"].streetAddress', value: '1 Main St' },
        { op: 'Add', path: 'addresses[type eq "work"].locality', value: 'Springfield' },
        { op: 'Add', path: 'addresses[type eq "work"].postalCode', value: '12345' },
      ),
      is(ENTRA, 'one address with all parts', ({ json }) => {
        const [address, ...more] = [at(json, ['addresses'])].flat();
        return (
          more.length === 0 &&
          ['streetAddress', 'locality', 'postalCode'].every((part) => Boolean(member(address, part)))
        );
      }),
    ),
    update(
      'another address, spelled .Value',
      ENTRA,
      patch({ op: 'Add', path: 'emails[type eq "other"].Value', value: newEmail.replace('@', '.other@') }),
      is(ENTRA, 'two addresses', ({ json }) => [at(json, ['emails'])].flat().length === 2),
    ),
    update(
      'an app role, primary as text',
      ENTRA,
      patch({ op: 'Add', path: 'roles[primary eq "True"].value', value: 'admin' }),
      value(ENTRA, ['roles', 0, 'value'], 'admin'),
    ),
    {
      ...update(
        'several at once, with the flag',
        ENTRA_FLAG,
        patch({
          op: 'replace',
          value: {
            displayName: 'Bjfe',
            'name.givenName': 'Kim',
            'name.familyName': 'Upton',
            [`${ENTERPRISE}:employeeNumber`]: 'AHKNFD',
          },
        }),
        value(ENTRA_FLAG, ['displayName'], 'Bjfe'),
        value(ENTRA_FLAG, ['name', 'familyName'], 'Upton'),
        value(ENTRA_FLAG, [ENTERPRISE, 'employeeNumber'], 'AHKNFD'),
      ),
      target: `/Users/{user}?${FLAG}`,
    },
    update(
      'empty values',
      ENTRA,
      patch(
        { op: 'Replace', path: 'displayName', value: '' },
        { op: 'Replace', path: 'title', value: null },
        { op: 'Replace', path: 'phoneNumbers[type eq "mobile"].value', value: '' },
      ),
      value(ENTRA, ['displayName'], undefined),
      value(ENTRA, ['phoneNumbers'], undefined),
    ),
  ];
}

function managers(): readonly ListedCall[] {
  const asked = (name: string, results: number): ListedCall => ({
    name,
    method: 'GET',
    target: `${findUsers('id eq "{user}" and manager eq "{other}"')}&attributes=id`,
    expects: list(ENTRA, results),
  });
  const path = `${ENTERPRISE}:manager`;
  const set = value(ENTRA, [ENTERPRISE, 'manager', 'value'], '{other}');
  const unset = value(ENTRA, [ENTERPRISE, 'manager'], undefined);
  const reference = { $ref: '{base}/Users/{other}', value: '{other}' };
  return [
    update('a manager, as text', ENTRA, patch({ op: 'Add', path, value: '{other}' }), set),
    asked('is it the manager?', 1),
    update('no manager: empty', ENTRA, patch({ op: 'Replace', path, value: '' }), unset),
    asked('is it the manager still?', 0),
    update('a manager, as a list of one', ENTRA, patch({ op: 'Add', path: 'manager', value: [reference] }), set),
    update('no manager: an empty value', VALIDATOR, patch({ op: 'Replace', path, value: { value: '' } }), unset),
  ];
}

function switches({ userName }: EntraCast): readonly ListedCall[] {
  const inactive = value(ENTRA, ['active'], false);
  return [
    update(
      'soft-delete, "False" as text',
      ENTRA_FLAG,
      patch({ op: 'Replace', path: 'active', value: 'False' }),
      inactive,
    ),
    {
      name: 'still there, inactive',
      method: 'GET',
      target: '/Users/{user}',
      expects: [status(ENTRA, 200), inactive],
    },
    {
      name: 'and found, inactive',
      method: 'GET',
      target: findUsers(`userName eq "${userName}"`),
      expects: [...list(ENTRA, 1), value(ENTRA, ['Resources', 0, 'active'], false)],
    },
    update(
      'restore, "True" as text',
      ENTRA,
      patch(
        { op: 'Replace', path: 'active', value: 'True' },
        { op: 'Replace', path: 'displayName', value: 'Back Again' },
      ),
      value(ENTRA, ['active'], true),
      value(ENTRA, ['displayName'], 'Back Again'),
    ),
    {
      ...update(
        'soft-delete, with the flag',
        ENTRA_FLAG,
        patch({ op: 'replace', path: 'active', value: false }),
        inactive,
      ),
      target: `/Users/{user}?${FLAG}`,
    },
    update('restore', ENTRA, patch({ op: 'Replace', path: 'active', value: 'True' }), value(ENTRA, ['active'], true)),
  ];
}

function removal({ thirdName }: EntraCast): readonly ListedCall[] {
  return [
    { name: 'hard-delete', method: 'DELETE', target: '/Users/{third}', expects: noBody(RFC.remove, 204) },
    { name: 'gone', method: 'GET', target: '/Users/{third}', expects: refused(RFC.remove, 404) },
    {
      name: 'gone from searches',
      method: 'GET',
      target: findUsers(`userName eq "${thirdName}"`),
      expects: list(RFC.remove, 0),
    },
    { name: 'delete twice', method: 'DELETE', target: '/Users/{third}', expects: refused(RFC.remove, 404) },
  ];
}
