// What identity providers send beside the standard, one entry each: who sends it, a captured payload, and the line that the
// request log shows. The readers below are the only places where a client's form is turned into the standard's.

import { isArray, isObject, type JsonValue } from './json.ts';
import { enterpriseUserUrn, nameKey } from './schema.ts';

/** Lines for the administrator's request log: what was normalised. Never a value that could be a secret. */
export type Notes = string[];

const MAX_NOTES = 20;

export type Quirk = {
  readonly key: string;
  readonly sentBy: string;
  /** A captured body under test/scim that needs it. */
  readonly payload: string;
  /** The line of the log. Arguments are the schema's own names or words of a closed set, never free text. */
  readonly says: (what: string, as: string) => string;
};

/** Entra ID sends `Add`, `Replace`, `Remove` unless the tenant URL carries ?aadOptscim062020. */
export const capitalisedOps: Quirk = {
  key: 'capitalised_ops',
  sentBy: 'Entra ID',
  payload: 'entra/patch-replace-email.json',
  says: (what, as) => `op '${what}' read as '${as}'`,
};

/** Entra ID sends booleans as "True"/"False" unless the tenant URL carries ?aadOptscim062020. */
export const booleanStrings: Quirk = {
  key: 'boolean_strings',
  sentBy: 'Entra ID',
  payload: 'entra/patch-active-false-string.json',
  says: (what, as) => `${what} as text read as ${as}`,
};

/** Entra ID sends the manager as a plain string, and app roles and members sometimes so. */
export const plainValues: Quirk = {
  key: 'plain_values',
  sentBy: 'Entra ID',
  payload: 'entra/patch-add-manager-string.json',
  says: (what) => `${what} as plain text read as its value`,
};

/** Entra ID's documentation shows the manager as a list of one. */
export const listOfOne: Quirk = {
  key: 'list_of_one',
  sentBy: 'Entra ID',
  payload: 'entra/patch-add-manager-array.json',
  says: (what) => `${what} as a list of one read as the one`,
};

/** Several clients send one value where a list belongs. */
export const bareElement: Quirk = {
  key: 'bare_element',
  sentBy: 'Okta and generic clients',
  payload: 'okta/patch-add-email-bare.json',
  says: (what) => `${what} as a single value read as a list`,
};

/** Entra ID's mapping table spells `.Value` and `.Formatted`; names are case-insensitive anyway (RFC 7643 §2.1). */
export const nameCase: Quirk = {
  key: 'name_case',
  sentBy: 'Entra ID',
  payload: 'entra/patch-add-other-email-capital-value.json',
  says: (what) => `${what} written in another case`,
};

/** A documented Entra ID body writes the enterprise URN without the colon before User. */
export const misspelledUrn: Quirk = {
  key: 'misspelled_urn',
  sentBy: 'Entra ID',
  payload: 'entra/create-user-nulls.json',
  says: (_, as) => `misspelled URN read as ${as}`,
};

/** Entra ID creates groups with a schema of its own beside the standard one. */
export const foreignSchema: Quirk = {
  key: 'foreign_schema',
  sentBy: 'Entra ID',
  payload: 'entra/create-group.json',
  says: () => 'a schema that this server does not have was ignored',
};

/** `""` and `null` empty an optional attribute: Entra ID's null update, Okta's PUT with `"middleName":""`. */
export const emptyValues: Quirk = {
  key: 'empty_values',
  sentBy: 'Entra ID and Okta',
  payload: 'okta/put-user.json',
  says: (what) => `empty ${what} read as unassigned`,
};

/** Entra ID names attributes of the enterprise extension without their URN. */
export const unqualifiedExtension: Quirk = {
  key: 'unqualified_extension',
  sentBy: 'Entra ID',
  payload: 'entra/patch-add-manager-array.json',
  says: (what) => `attribute of an extension without its URN read as ${what}`,
};

/** With ?aadOptscim062020 Entra ID folds several attributes into one operation without a path: dotted and URN keys. */
export const pathKeys: Quirk = {
  key: 'path_keys',
  sentBy: 'Entra ID',
  payload: 'entra/patch-pathless-dotted.json',
  says: (what) => `key read as the path ${what}`,
};

/** Entra ID removes members by a list of values: only those go, where the RFC read strictly empties the attribute. */
export const removeValues: Quirk = {
  key: 'remove_values',
  sentBy: 'Entra ID and JumpCloud',
  payload: 'entra/patch-remove-members.json',
  says: (what) => `remove of ${what} with values removes only those`,
};

/** Entra ID addresses elements that do not exist yet by a value filter, and expects them to come into being. */
export const createdByFilter: Quirk = {
  key: 'created_by_filter',
  sentBy: 'Entra ID',
  payload: 'entra/patch-add-phone.json',
  says: (what) => `${what}: no element matched, one was made from the filter`,
};

/** Okta repeats the readOnly id in a replace without a path, before every membership change. */
export const repeatedReadOnly: Quirk = {
  key: 'repeated_read_only',
  sentBy: 'Okta',
  payload: 'okta/patch-rename-group.json',
  says: (what) => `${what} with its own value ignored`,
};

/** Okta sends a password with every new user; none is taken from a directory. */
export const ignoredPassword: Quirk = {
  key: 'ignored_password',
  sentBy: 'Okta',
  payload: 'okta/create-user.json',
  says: () => 'password ignored',
};

/** Attributes that no schema has are dropped, as Entra ID and Okta expect. */
export const unknownAttribute: Quirk = {
  key: 'unknown_attribute',
  sentBy: 'Entra ID and Okta',
  payload: 'okta/create-user-custom-extension.json',
  says: () => 'an attribute that no schema has was ignored',
};

/** Some clients leave out `schemas`, which the standard requires. */
export const missingSchemas: Quirk = {
  key: 'missing_schemas',
  sentBy: 'generic clients',
  payload: 'okta/patch-deactivate-no-schemas.json',
  says: () => 'the body names no schemas',
};

export const quirks: readonly Quirk[] = Object.freeze([
  capitalisedOps,
  booleanStrings,
  plainValues,
  listOfOne,
  bareElement,
  nameCase,
  misspelledUrn,
  foreignSchema,
  emptyValues,
  unqualifiedExtension,
  pathKeys,
  removeValues,
  createdByFilter,
  repeatedReadOnly,
  ignoredPassword,
  unknownAttribute,
  missingSchemas,
]);

// Beside the lines, which are what most readers want: who is known to send what each one tells of.
const sources = new WeakMap<Notes, Map<string, Quirk>>();

/** Writes the quirk's line once. A body of a thousand operations makes no log of a thousand lines. */
export function note(notes: Notes, quirk: Quirk, what = '', as = ''): void {
  if (notes.length >= MAX_NOTES) return;
  const line = quirk.says(what, as);
  if (notes.includes(line)) return;
  notes.push(line);
  const source = sources.get(notes) ?? new Map<string, Quirk>();
  sources.set(notes, source.set(line, quirk));
}

/** The quirk whose line this is; undefined for a line that none wrote. */
export function quirkOf(notes: Notes, line: string): Quirk | undefined {
  return sources.get(notes)?.get(line);
}

const OPS: ReadonlySet<string> = new Set(['add', 'replace', 'remove']);
export type PatchOp = 'add' | 'replace' | 'remove';

/** The operation meant, in any case; undefined for anything else. */
export function readOp(value: JsonValue | undefined, notes: Notes): PatchOp | undefined {
  if (typeof value !== 'string') return undefined;
  const op = nameKey(value);
  if (!OPS.has(op)) return undefined;
  if (op !== value) note(notes, capitalisedOps, value, op);
  return op as PatchOp;
}

/** A boolean, also as text in any case. Undefined for everything else: `"no"`, 1 and `"False "` are never taken for true (T57). */
export function readBoolean(value: JsonValue, name: string, notes: Notes): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return undefined;
  const word = nameKey(value);
  if (word !== 'true' && word !== 'false') return undefined;
  note(notes, booleanStrings, name, word);
  return word === 'true';
}

// `…enterprise:2.0User`, as documented by the sender.
const MISSPELLED_ENTERPRISE = nameKey(enterpriseUserUrn).replace(':2.0:user', ':2.0user');

/** The text with a known misspelling of a URN put right, at its start; the rest of the text stays. */
export function correctUrn(text: string, notes: Notes): string {
  const key = nameKey(text);
  if (!key.startsWith(MISSPELLED_ENTERPRISE)) return text;
  const rest = text.slice(MISSPELLED_ENTERPRISE.length);
  if (rest !== '' && !rest.startsWith(':')) return text;
  note(notes, misspelledUrn, '', enterpriseUserUrn);
  return enterpriseUserUrn + rest;
}

/** True for what leaves an attribute without a value (RFC 7643 §2.5), and for `""`. */
export function isEmpty(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === '' || (isArray(value) && value.length === 0);
}

/** The one element of a list of one, where the attribute is no list. */
export function readSingle(value: JsonValue, name: string, notes: Notes): JsonValue | undefined {
  if (!isArray(value)) return value;
  if (value.length !== 1 || !isObject(value[0])) return undefined;
  note(notes, listOfOne, name);
  return value[0];
}

/** The list, also where a client sent its only element bare. */
export function readList(value: JsonValue, name: string, notes: Notes): readonly JsonValue[] {
  if (isArray(value)) return value;
  note(notes, bareElement, name);
  return [value];
}
