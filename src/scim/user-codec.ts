// A user as the directory pushed it: from a body to what is stored, and from what is stored to an answer.

import type { PushedUser } from '../core/change.ts';
import { type Profile, parseEmail, userNameKey } from '../core/profile.ts';
import { isPrimary, readValue } from './attribute-value.ts';
import { invalidValue, tooLarge } from './errors.ts';
import { adoptStrays, type Foreign, readForeign } from './extension-codec.ts';
import { asObject, isArray, isObject, type JsonObject, type JsonValue, namedTwice } from './json.ts';
import { encodeMeta, type VersionedRow } from './meta.ts';
import { checkSchemas } from './patch-message.ts';
import { type Projection, project, wantsOnly } from './projection.ts';
import { ignoredPassword, type Notes, nameCase, note } from './quirks.ts';
import { enterpriseUserUrn, nameKey, type ResourceSchema } from './schema.ts';
import { checkRequired, replaceAttributes, servedText } from './stored-attributes.ts';
import { fits, MAX_INDEXED_BYTES, MAX_STORED_JSON } from './stored-size.ts';

/** A pushed user whose attributes are JSON. `roles` and `entitlements` stay inside them as facts and grant nothing (T42). */
export type DecodedUser = PushedUser & { readonly attributes: JsonObject };

export type DecodeOptions = {
  readonly notes: Notes;
  /** Of the directory, with its own extensions: none is assumed, since what a schema does not have is passed over in silence. */
  readonly schema: ResourceSchema;
  /** The stored attributes that a PUT replaces. */
  readonly held?: JsonObject;
};

/**
 * The user that a POST or PUT body describes.
 *
 * Read-only attributes and `password` are passed over (T41, T42), so is what no schema has. `null` and `""` leave an attribute
 * unassigned. Text that is no address gives no email, not a refusal. Refuses with 400 invalidSyntax a body of another form or resource
 * and an attribute named twice; with 400 invalidValue a missing or blank userName, values of the wrong type, names longer than can be
 * stored, and an extension without what it requires; with 400 mutability another value of what is immutable; with 413 a user over
 * 256 KiB. RFC 7643 §4.1, RFC 7644 §3.3, §3.5.1. Does not check that anything is unique.
 */
export function decodeUser(body: JsonValue, options: DecodeOptions): DecodedUser {
  const { notes, schema, held } = options;
  const members = asObject(body);
  const names = Object.keys(members);
  const keys = names.map(nameKey);
  if (new Set(keys).size < keys.length) throw namedTwice();
  const schemas = keys.indexOf('schemas');
  checkSchemas(schemas === -1 ? undefined : members[names[schemas] as string], schema, notes);
  const attributes: Record<string, JsonValue> = {};
  const foreign: Foreign = { schema, notes, attributes, strays: [] };
  for (const [index, name] of names.entries()) {
    const value = members[name] as JsonValue;
    const key = keys[index] as string;
    const definition = schema.core.attributes.get(key) ?? schema.common.get(key);
    if (definition === undefined) {
      readForeign(name, value, foreign);
    } else if (definition.returned === 'never') {
      note(notes, ignoredPassword);
    } else if (definition.mutability !== 'readOnly') {
      if (definition.name !== name) note(notes, nameCase, definition.name);
      const read = readValue(definition, value, notes);
      if (read !== undefined) attributes[definition.name] = read;
    }
  }
  adoptStrays(foreign);
  // A body that does not say leaves the switch as it is: no PUT lets somebody in by silence (T58).
  attributes.active ??= held?.active !== false;
  const whole = held === undefined ? attributes : replaceAttributes(held, attributes, schema);
  checkRequired(attributes, whole, schema);
  return pushedUser(whole);
}

// Characters of the columns.
const MAX_USER_NAME = 320;
const MAX_EXTERNAL_ID = 1000;

/**
 * What stored attributes say of the person. Refuses with 400 invalidValue what {@link decodeUser} refuses in them, so that a
 * PATCH ends in the same checks as a PUT.
 */
export function pushedUser(attributes: JsonObject): DecodedUser {
  const { userName, externalId, active } = attributes;
  if (typeof userName !== 'string' || userName.trim() === '') throw invalidValue('userName is required.');
  if (userName.length > MAX_USER_NAME || !fits(userNameKey(userName), MAX_INDEXED_BYTES)) {
    throw invalidValue(`userName is longer than ${MAX_USER_NAME} characters.`);
  }
  if (typeof externalId === 'string' && !fits(externalId, MAX_EXTERNAL_ID)) {
    throw invalidValue(`externalId is longer than ${MAX_EXTERNAL_ID} characters.`);
  }
  const json = JSON.stringify(attributes);
  if (json.length > MAX_STORED_JSON) {
    throw tooLarge(`A user is larger than ${MAX_STORED_JSON} characters.`);
  }
  const name = attributes.name;
  const email = parseEmail(emailOf(attributes.emails) ?? '');
  const profile: Profile = {
    userName,
    email,
    givenName: textOf(name, 'givenName'),
    familyName: textOf(name, 'familyName'),
    displayName: textOf(attributes, 'displayName') ?? textOf(name, 'formatted'),
    department: textOf(attributes[enterpriseUserUrn], 'department'),
    locale: textOf(attributes, 'locale'),
    timeZone: textOf(attributes, 'timezone'),
  };
  const isText = typeof externalId === 'string';
  return {
    externalId: isText ? externalId : null,
    userName,
    active: active !== false,
    email,
    profile,
    attributes,
    json,
  };
}

function textOf(value: JsonValue | undefined, name: string): string | null {
  const text = isObject(value) && Object.hasOwn(value, name) ? value[name] : null;
  return typeof text === 'string' ? text : null;
}

const isWork = (email: JsonValue): boolean => nameKey(textOf(email, 'type') ?? '') === 'work';

/** The primary address, else the first of type work, else the first: one, never the next where the chosen is none (T90). */
function emailOf(emails: JsonValue | undefined): string | null {
  const addresses = (isArray(emails) ? emails : []).filter((email) => textOf(email, 'value') !== null);
  return textOf(addresses.find(isPrimary) ?? addresses.find(isWork) ?? addresses[0], 'value');
}

export type UserRow = VersionedRow & {
  readonly id: string;
  /** The stored attributes as JSON text: answers are made around it, without parsing it. */
  readonly attributes: string;
  /** Groups that the user is in; left out where they were not loaded. */
  readonly groups?: readonly Group[];
};
type Group = { readonly id: string; readonly displayName: string };

export type EncodeOptions = {
  /** Address of the directory, without a slash at the end: `https://…/scim/v2/acme/okta`. */
  readonly baseUrl: string;
  readonly projection?: Projection | null;
  /** Of the directory, with its own extensions. */
  readonly schema: ResourceSchema;
};

/** Made from the row itself; everything else is inside the stored attributes. */
const FROM_THE_ROW: ReadonlySet<string> = new Set(['schemas', 'id', 'meta', 'groups']);

/**
 * A function that writes users as JSON text, compiled once per request.
 *
 * The default answer is made around the stored text; a projection parses it. `schemas` names the extensions that the user has.
 * Never throws on what {@link decodeUser} stored.
 */
export function userEncoder(options: EncodeOptions): (row: UserRow) => string {
  const { baseUrl, projection = null, schema } = options;
  const head = `{"schemas":[${JSON.stringify(schema.core.id)}`;
  const location = JSON.stringify(`${baseUrl}/Users/`).slice(0, -1);
  const groupRef = JSON.stringify(`${baseUrl}/Groups/`).slice(0, -1);

  // The users of a page share their groups.
  const written = new Map<Group, string>();
  const encodeGroups = (groups: readonly Group[]): string => {
    let text = '';
    for (const group of groups) {
      const known = written.get(group) ?? encodeGroup(group, groupRef);
      written.set(group, known);
      text += text === '' ? known : `,${known}`;
    }
    return text;
  };

  const encode = (row: UserRow, stored = true): string => {
    const { urns, text: served } = servedText(row.attributes, schema);
    let text = head;
    for (const urn of urns) text += `,"${urn}"`;
    text += `],"id":"${row.id}",`;
    if (stored && served.length > 2) text += `${served.slice(1, -1)},`;
    if (row.groups !== undefined && row.groups.length > 0) text += `"groups":[${encodeGroups(row.groups)}],`;
    return `${text}"meta":${encodeMeta('User', row, `${location}${row.id}"`)}}`;
  };
  if (projection === null) return (row) => encode(row);
  const stored = !wantsOnly(projection, FROM_THE_ROW);
  return (row) => JSON.stringify(project(projection, JSON.parse(encode(row, stored))));
}

function encodeGroup({ id, displayName }: Group, groupRef: string): string {
  return `{"value":"${id}","$ref":${groupRef}${id}","display":${JSON.stringify(displayName)},"type":"direct"}`;
}
