// A group as the directory pushed it, and as it is answered. Members are ids, so that a group of any size is never loaded to be
// changed.

import type { GroupNames } from '../core/directory-group.ts';
import { type DirectoryUserId, isUuid } from '../core/ids.ts';
import { groupNameKey } from '../core/profile.ts';
import { readValue } from './attribute-value.ts';
import { invalidValue, tooLarge, unknownMember } from './errors.ts';
import { adoptStrays, type Foreign, readForeign } from './extension-codec.ts';
import { asObject, isObject, type JsonObject, type JsonValue, namedTwice, readMembers } from './json.ts';
import { encodeMeta, type VersionedRow } from './meta.ts';
import type { Steps } from './pace.ts';
import { checkSchemas } from './patch-message.ts';
import { type Projection, project, wants } from './projection.ts';
import { isEmpty, type Notes, note, plainValues, readList } from './quirks.ts';
import { type AttributeDefinition, groupSchema, nameKey, type ResourceSchema } from './schema.ts';
import { checkRequired, replaceAttributes, servedText } from './stored-attributes.ts';
import { fits, MAX_STORED_JSON } from './stored-size.ts';
import type { EncodeOptions } from './user-codec.ts';

export type PushedGroup = GroupNames & {
  readonly attributes: JsonObject;
  /** Ids of users in canonical form, as often as they were sent; null where the body does not speak of members. */
  readonly members: readonly DirectoryUserId[] | null;
};

/**
 * The group that a POST or PUT body describes, in steps: a body may have 100,000 members.
 *
 * Refuses with 400 invalidSyntax a body of another form or resource; with 400 invalidValue a missing or blank displayName, names
 * longer than can be stored, a member that is a group, and a member id that cannot be a user's, in the same words as one that is
 * unknown (T55). RFC 7643 §4.2. Does not check that members exist, nor that extensions are whole: {@link groupAttributes} does.
 */
export function* decodeGroup(
  body: JsonValue,
  { notes, schema }: { readonly notes: Notes; readonly schema: ResourceSchema },
): Steps<PushedGroup> {
  const sent = asObject(body);
  const members = readMembers(sent);
  checkSchemas(members.get('schemas'), schema, notes);
  const attributes: Record<string, JsonValue> = {};
  const foreign: Foreign = { schema, notes, attributes, strays: [] };
  for (const name of Object.keys(sent)) {
    const key = nameKey(name);
    if (schema.core.attributes.has(key) || schema.common.has(key)) continue;
    readForeign(name, sent[name] as JsonValue, foreign);
  }
  adoptStrays(foreign);
  const pushed = members.get('members');
  return {
    displayName: readDisplayName(members.get('displayname'), notes),
    externalId: readExternalId(members.get('externalid'), notes),
    attributes,
    members: pushed === undefined ? null : yield* readMemberIds(pushed, 'added', notes),
  };
}

/**
 * The values of extensions that a body leaves: of a group that has others, see {@link replaceAttributes}. Refuses with 400 invalidValue
 * an extension without what it requires, with 400 mutability another value of what is immutable, with 413 more than 256 KiB.
 */
export function groupAttributes(body: JsonObject, schema: ResourceSchema, held: JsonObject = {}): JsonObject {
  const whole = replaceAttributes(held, body, schema);
  checkRequired(body, whole, schema);
  return checkSize(whole);
}

/** The values as they are, or 413. */
export function checkSize(attributes: JsonObject): JsonObject {
  if (JSON.stringify(attributes).length > MAX_STORED_JSON) {
    throw tooLarge(`The extensions of a group are larger than ${MAX_STORED_JSON} characters.`);
  }
  return attributes;
}

const displayName = groupSchema.core.attributes.get('displayname') as AttributeDefinition;
const externalId = groupSchema.common.get('externalid') as AttributeDefinition;
const MAX_NAME = 1000;

/** The name of a group, or 400 invalidValue where it is missing, blank or too long. */
export function readDisplayName(value: JsonValue | undefined, notes: Notes): string {
  const name = readValue(displayName, value ?? null, notes);
  if (typeof name !== 'string' || groupNameKey(name) === '') throw invalidValue('displayName is required.');
  if (!fits(name, MAX_NAME) || !fits(groupNameKey(name), MAX_NAME * 2)) {
    throw invalidValue(`displayName is longer than ${MAX_NAME} characters.`);
  }
  return name;
}

/** The externalId of a group; null where it is unassigned. */
export function readExternalId(value: JsonValue | undefined, notes: Notes): string | null {
  const id = readValue(externalId, value ?? null, notes);
  if (typeof id !== 'string') return null;
  if (!fits(id, MAX_NAME)) throw invalidValue(`externalId is longer than ${MAX_NAME} characters.`);
  return id;
}

/** Members read in one step. */
const STEP = 2_000;

/**
 * Ids of the members in a value, in steps: a list of objects or plain ids, or one of them bare.
 *
 * An id that is no user's form is refused where members are added, and passed over where they are removed: there is no such
 * member. Other members of a value (`display`, whatever a test tool puts there) are ignored. Refuses with 400 invalidValue a
 * value without id, and groups in groups.
 */
export function* readMemberIds(
  value: JsonValue,
  purpose: 'added' | 'removed',
  notes: Notes,
): Steps<readonly DirectoryUserId[]> {
  if (isEmpty(value)) return [];
  const ids: DirectoryUserId[] = [];
  for (const [index, item] of readList(value, 'members', notes).entries()) {
    if (index % STEP === STEP - 1) yield;
    const id = readMember(item, notes);
    if (id === undefined || id === '') throw invalidValue('A member has no value.');
    const canonical = isUuid(id);
    const key = canonical ? id : nameKey(id);
    if (canonical || isUuid(key)) ids.push(key as DirectoryUserId);
    else if (purpose === 'added') throw unknownMember();
  }
  return ids;
}

function readMember(item: JsonValue, notes: Notes): string | undefined {
  if (typeof item === 'string') {
    note(notes, plainValues, 'members');
    return item;
  }
  if (!isObject(item)) throw invalidValue('A member is not an object.');
  let id: string | undefined;
  for (const name in item) {
    const value = item[name];
    if (typeof value !== 'string') continue;
    switch (MEMBER_KEYS.has(name) ? name : nameKey(name)) {
      case 'value':
        if (id !== undefined) throw namedTwice();
        id = value;
        break;
      case 'type':
        if (value !== 'User' && nameKey(value) === 'group') throw nestedGroup();
        break;
      case '$ref':
        if (GROUP_REFERENCE.test(value)) throw nestedGroup();
        break;
    }
  }
  return id;
}

/** Spelled as nearly everybody does: a list of 100 000 is not folded name by name. */
const MEMBER_KEYS: ReadonlySet<string> = new Set(['value', 'display', '$ref', 'type']);
const GROUP_REFERENCE = /(^|\/)groups\/[^/]*$/i;
const nestedGroup = () => invalidValue('Groups in groups are not supported.');

export type GroupRow = VersionedRow & {
  readonly id: string;
  readonly displayName: string;
  readonly externalId: string | null;
  /** The stored values of extensions as JSON text. */
  readonly attributes: string;
};

export type GroupMemberRow = { readonly id: string; readonly display?: string | null };

export type GroupEncoder = {
  /** Whether answers carry members: if not, they need not be loaded. */
  readonly wantsMembers: boolean;
  /** One group as JSON text; members are left out where they are null or not asked for. */
  readonly encode: (row: GroupRow, members: readonly GroupMemberRow[] | null) => string;
  /** Text before and after the members, for an answer too long for one string. Between go batches of `members`, with commas. */
  readonly around: (row: GroupRow) => { readonly head: string; readonly tail: string };
  readonly members: (members: readonly GroupMemberRow[]) => string;
};

const MEMBER_PARTS = ['value', '$ref', 'display', 'type'] as const;
const ALL_PARTS: ReadonlySet<string> = new Set(MEMBER_PARTS);

/** A writer of groups as JSON text, compiled once per request. */
export function groupEncoder(options: EncodeOptions): GroupEncoder {
  const { baseUrl, projection = null, schema } = options;
  const wantsMembers = wants(projection, 'members');
  const parts = memberParts(projection);
  const location = JSON.stringify(`${baseUrl}/Groups/`).slice(0, -1);
  const userRef = JSON.stringify(`${baseUrl}/Users/`).slice(0, -1);

  const encodeHead = (row: GroupRow): string => {
    const { urns, text: served } = servedText(row.attributes, schema);
    let text = `{"schemas":[${[schema.core.id, ...urns].map((urn) => JSON.stringify(urn)).join(',')}],"id":"${row.id}",`;
    if (row.externalId !== null) text += `"externalId":${JSON.stringify(row.externalId)},`;
    if (served.length > 2) text += `${served.slice(1, -1)},`;
    text += `"displayName":${JSON.stringify(row.displayName)},"meta":${encodeMeta('Group', row, `${location}${row.id}"`)}}`;
    return projection === null ? text : JSON.stringify(project(projection, JSON.parse(text) as JsonObject));
  };
  const encodeMember = ({ id, display }: GroupMemberRow): string => {
    const texts: string[] = [];
    if (parts.has('value')) texts.push(`"value":"${id}"`);
    if (parts.has('$ref')) texts.push(`"$ref":${userRef}${id}"`);
    if (parts.has('display') && display) texts.push(`"display":${JSON.stringify(display)}`);
    if (parts.has('type')) texts.push('"type":"User"');
    return `{${texts.join(',')}}`;
  };
  const members = (rows: readonly GroupMemberRow[]): string => rows.map(encodeMember).join(',');
  const around = (row: GroupRow) => ({ head: `${encodeHead(row).slice(0, -1)},"members":[`, tail: ']}' });
  const encode = (row: GroupRow, rows: readonly GroupMemberRow[] | null): string => {
    if (rows === null || !wantsMembers) return encodeHead(row);
    const { head, tail } = around(row);
    return head + members(rows) + tail;
  };
  return { wantsMembers, encode, around, members };
}

/** Sub-attributes of members that the projection leaves. */
function memberParts(projection: Projection | null): ReadonlySet<string> {
  if (projection === null) return ALL_PARTS;
  const member = Object.fromEntries(MEMBER_PARTS.map((part) => [part, '']));
  const kept = project(projection, { members: [member] }).members;
  return new Set(Object.keys((Array.isArray(kept) ? kept[0] : undefined) ?? {}));
}
