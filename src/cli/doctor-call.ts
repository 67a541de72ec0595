// One call of an identity provider as the doctor makes it, and what has to be answered.

import { member, type ScimAnswer } from './scim-http.ts';

export type Idp = 'okta' | 'entra';

/** What earlier calls made, by the names that later ones give it: `{user}` in an address or a body. */
export type Made = ReadonlyMap<string, string>;

export type Expectation = {
  /** As it completes "expected: …". */
  readonly what: string;
  /** The section or document that says so. */
  readonly says: string;
  holds(answer: ScimAnswer, made: Made): boolean;
};

export type Call = {
  readonly idp: Idp;
  /** What the identity provider does by it. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the directory, not yet escaped. */
  readonly target: string;
  readonly body?: unknown;
  readonly expects: readonly Expectation[];
  /** Reads and needs nothing that was made: it may be made of a directory that takes no changes. */
  readonly alone?: true;
  /** The name of what a POST makes. */
  readonly makes?: string;
};

/** A call in the list of its identity provider, which is said once for all of them. */
export type ListedCall = Omit<Call, 'idp'>;

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** The body of a PATCH. */
export const patch = (...operations: readonly object[]): object => ({ schemas: [PATCH], Operations: operations });

const PLACE = /\{([a-z]+)\}/g;

/** Names of what a call needs and nobody made. */
export function lacking(call: Call, made: Made): readonly string[] {
  const text = `${call.target} ${call.body === undefined ? '' : JSON.stringify(call.body)}`;
  return [...text.matchAll(PLACE)].flatMap(([, name = '']) => (made.has(name) ? [] : [name]));
}

/** The text with what was made in the places of its names. */
export function filled(text: string, made: Made): string {
  return text.replace(PLACE, (place, name: string) => made.get(name) ?? place);
}

export const RFC = {
  create: 'RFC 7644 §3.3',
  read: 'RFC 7644 §3.4.1',
  list: 'RFC 7644 §3.4.2',
  filter: 'RFC 7644 §3.4.2.2',
  page: 'RFC 7644 §3.4.2.4',
  replace: 'RFC 7644 §3.5.1',
  patch: 'RFC 7644 §3.5.2',
  remove: 'RFC 7644 §3.6',
  attributes: 'RFC 7644 §3.9',
  error: 'RFC 7644 §3.12',
  mediaType: 'RFC 7644 §3.1',
  location: 'RFC 7643 §3.1',
  returned: 'RFC 7643 §7',
} as const;
export const OKTA = 'Okta, SCIM 2.0 reference';
export const ENTRA = 'Entra ID, develop a SCIM endpoint';
export const ENTRA_FLAG = 'Entra ID, SCIM compliance of the provisioning service';
export const VALIDATOR = 'Microsoft SCIM Validator';

/** Something of an answer, said in words of its own. */
export function is(says: string, what: string, holds: Expectation['holds']): Expectation {
  return { what, says, holds };
}

/** One of these statuses. */
export function status(says: string, ...wanted: readonly number[]): Expectation {
  return is(says, `status ${wanted.join(' or ')}`, (answer) => wanted.includes(answer.status));
}

/** A value of the answer's body; `undefined`: it is not there. */
export function value(says: string, path: readonly (string | number)[], wanted: unknown): Expectation {
  const name = path.join('.');
  const what = wanted === undefined ? `no ${name}` : `${name} ${JSON.stringify(wanted)}`;
  return is(says, what, (answer, made) => {
    const expected = typeof wanted === 'string' ? filled(wanted, made) : wanted;
    return JSON.stringify(at(answer.json, path)) === JSON.stringify(expected);
  });
}

/** What stands at a path of names and places, or undefined. */
export function at(json: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof step === 'number' ? (Array.isArray(value) ? value[step] : undefined) : member(value, step),
    json,
  );
}

const LIST_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
const ERROR_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** A list answer with whole numbers; of so many results where a number is given. */
export function list(says: string, results: number | null = null): readonly Expectation[] {
  const numbers = ['totalResults', 'startIndex', 'itemsPerPage'];
  return [
    status(says, 200),
    is(RFC.list, 'a ListResponse with its Resources', ({ json }) => {
      return namesSchema(json, LIST_SCHEMA) && Array.isArray(member(json, 'Resources'));
    }),
    is(RFC.page, `whole numbers as ${numbers.join(', ')}`, ({ json }) =>
      numbers.every((name) => Number.isInteger(member(json, name))),
    ),
    ...(results === null ? [] : [value(says, ['totalResults'], results)]),
  ];
}

/** An error answer (RFC 7644 §3.12), with that `scimType` where one is given. */
export function refused(says: string, wanted: number, scimType: string | null = null): readonly Expectation[] {
  return [
    status(says, wanted),
    is(RFC.error, 'an Error with the status as text and a detail', ({ json }) => {
      const detail = member(json, 'detail');
      return (
        namesSchema(json, ERROR_SCHEMA) &&
        member(json, 'status') === String(wanted) &&
        typeof detail === 'string' &&
        detail !== ''
      );
    }),
    ...(scimType === null ? [] : [value(RFC.error, ['scimType'], scimType)]),
  ];
}

/** One of these statuses, and nothing beside it where that is 204. */
export function noBody(says: string, ...wanted: readonly number[]): readonly Expectation[] {
  return [status(says, ...wanted), is(says, 'no body', (answer) => answer.status !== 204 || answer.text === '')];
}

function namesSchema(json: unknown, urn: string): boolean {
  const schemas = member(json, 'schemas');
  return Array.isArray(schemas) && schemas.includes(urn);
}

/** What every answer has to be, whoever asked. `base` is the directory's public address. */
export function always(call: Call, base: string): readonly Expectation[] {
  const resource = call.target.startsWith('/Groups') ? 'Groups' : 'Users';
  const here = (location: unknown, id: unknown) => location === `${base}/${resource}/${String(id)}`;
  return [
    is(RFC.mediaType, 'media type application/scim+json', (answer) => {
      return answer.text === '' || String(answer.headers['content-type'] ?? '').startsWith('application/scim+json');
    }),
    is(RFC.location, `meta.location below ${base}`, ({ status: answered, json }) => {
      const location = at(json, ['meta', 'location']);
      return answered >= 300 || location === undefined || here(location, member(json, 'id')) || !isResource(json);
    }),
    ...(call.makes === undefined
      ? []
      : [
          is(RFC.create, 'a Location header that says where it is', ({ status: answered, headers, json }) => {
            return answered !== 201 || here(headers.location, member(json, 'id'));
          }),
        ]),
  ];
}

function isResource(json: unknown): boolean {
  return (
    typeof member(json, 'id') === 'string' && ['User', 'Group'].includes(String(at(json, ['meta', 'resourceType'])))
  );
}
