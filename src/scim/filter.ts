// Filters and PATCH paths (RFC 7644 §3.4.2.2, §3.5.2): one tokenizer, one recursive descent, straight to a tree in which every
// name is already an attribute of the schema. Linear in the length of the text, bounded in depth and terms (T46), and never
// brought to a normal form.

import { invalidFilter, invalidPath, type ScimError } from './errors.ts';
import { type Comparison, checkLiteral, comparable, isComparison, type Literal } from './filter-literal.ts';
import { isStorable, stringEnd } from './json.ts';
import { correctUrn, type Notes, nameCase, note } from './quirks.ts';
import {
  type AttributeDefinition,
  type AttributePath,
  findAttribute,
  findSchema,
  nameKey,
  pathName,
  type ResourceSchema,
  type Schema,
} from './schema.ts';

/** Inside a valuePath, every path names the element's own attribute, and one of its sub-attributes where it has any. */
export type FilterNode =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly term: FilterNode }
  | { readonly kind: 'cmp'; readonly path: AttributePath; readonly op: Comparison; readonly value: Literal }
  | { readonly kind: 'pr'; readonly path: AttributePath }
  | { readonly kind: 'valuePath'; readonly path: AttributePath; readonly filter: FilterNode }
  /** What is asked of an attribute that only another type of resource has. */
  | { readonly kind: 'constant'; readonly holds: boolean };

/** What a PATCH path names: an attribute, some elements of one, or a whole extension. */
export type PatchTarget =
  | { readonly kind: 'attribute'; readonly path: AttributePath; readonly filter: FilterNode | null }
  | { readonly kind: 'schema'; readonly schema: Schema };

const MAX_FILTER_LENGTH = 2000;
const MAX_FILTER_DEPTH = 10;
const MAX_FILTER_TERMS = 50;

type Refuse = (detail: string) => ScimError;

type Reader = {
  readonly text: string;
  readonly schema: ResourceSchema;
  readonly others: readonly ResourceSchema[];
  readonly notes: Notes;
  at: number;
  depth: number;
  terms: number;
};

/**
 * The tree of a filter.
 *
 * Names and operators in any case; names with or without URN. A comparison with a complex attribute means its `value`. Literals
 * are JSON. `others` are types of resource that the same query asks: an attribute of theirs is one without value here (RFC 7644
 * §3.4.2.1). Refuses with 400 invalidFilter: text over 2,000 characters, nesting over 10, more than 50 terms, anything outside
 * the grammar, unknown attributes, attributes that are never returned (T45), and comparisons that the attribute's type does not
 * have.
 */
export function parseFilter(
  text: string,
  schema: ResourceSchema,
  notes: Notes = [],
  others: readonly ResourceSchema[] = [],
): FilterNode {
  const reader = open(text, schema, notes, invalidFilter, others);
  const node = readOr(reader, null);
  skipSpaces(reader);
  if (reader.at < text.length) throw unexpected(reader, 'the end');
  return node;
}

/**
 * The target of a PATCH path: `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:manager`, `urn:…:User`.
 *
 * Refuses with 400 invalidPath what is empty, over 2,000 characters, outside the grammar or unknown to the schema; with 400
 * invalidFilter what is wrong inside the brackets. RFC 7644 §3.5.2.
 */
export function parsePath(text: string, schema: ResourceSchema, notes: Notes = []): PatchTarget {
  const reader = open(text, schema, notes, invalidPath);
  const name = correctUrn(readName(reader), notes);
  const path = findAttribute(schema, name);
  if (path === undefined) {
    const whole = reader.at === text.length ? findSchema(schema, name) : undefined;
    if (whole === undefined) throw invalidPath('The path names no attribute of this resource.');
    return { kind: 'schema', schema: whole };
  }
  noteCase(name, path, notes);
  if (reader.at === text.length) return { kind: 'attribute', path, filter: null };
  if (text.charCodeAt(reader.at) !== BRACKET_OPEN)
    throw invalidPath(`The path is not one at character ${reader.at + 1}.`);
  const filter = readBrackets(reader, path);
  const sub = readSub(reader, path, invalidPath);
  if (reader.at < text.length) throw invalidPath(`The path is not one at character ${reader.at + 1}.`);
  return { kind: 'attribute', path: sub === null ? path : { ...path, sub }, filter };
}

const SPACE = 0x20;
const QUOTE = 0x22;
const PAREN_OPEN = 0x28;
const PAREN_CLOSE = 0x29;
const DOT = 0x2e;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;

/** 1 for the characters of names, URNs and operators. */
const NAME_CHARACTER = new Uint8Array(128);
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$.:') {
  NAME_CHARACTER[character.charCodeAt(0)] = 1;
}

function open(
  text: string,
  schema: ResourceSchema,
  notes: Notes,
  refuse: Refuse,
  others: readonly ResourceSchema[] = [],
): Reader {
  if (text.length > MAX_FILTER_LENGTH) throw refuse(`The text is longer than ${MAX_FILTER_LENGTH} characters.`);
  return { text, schema, others, notes, at: 0, depth: 0, terms: 0 };
}

function unexpected(reader: Reader, wanted: string): ScimError {
  return invalidFilter(`The filter should have ${wanted} at character ${reader.at + 1}.`);
}

function skipSpaces(reader: Reader): void {
  while (reader.text.charCodeAt(reader.at) === SPACE) reader.at++;
}

/** The word at the reader, which may be empty. */
function readName(reader: Reader): string {
  const start = reader.at;
  while (NAME_CHARACTER[reader.text.charCodeAt(reader.at)] === 1) reader.at++;
  return reader.text.slice(start, reader.at);
}

/** Takes the word if it comes next, in any case, between spaces or brackets. */
function takeWord(reader: Reader, word: string): boolean {
  const start = reader.at;
  skipSpaces(reader);
  if (reader.at > start && nameKey(readName(reader)) === word) return true;
  reader.at = start;
  return false;
}

function readOr(reader: Reader, element: AttributePath | null): FilterNode {
  const terms = [readAnd(reader, element)];
  while (takeWord(reader, 'or')) terms.push(readAnd(reader, element));
  return terms.length === 1 ? (terms[0] as FilterNode) : { kind: 'or', terms };
}

function readAnd(reader: Reader, element: AttributePath | null): FilterNode {
  const terms = [readTerm(reader, element)];
  while (takeWord(reader, 'and')) terms.push(readTerm(reader, element));
  return terms.length === 1 ? (terms[0] as FilterNode) : { kind: 'and', terms };
}

function readTerm(reader: Reader, element: AttributePath | null): FilterNode {
  skipSpaces(reader);
  if (reader.text.charCodeAt(reader.at) === PAREN_OPEN) return readGroup(reader, element);
  const start = reader.at;
  const name = readName(reader);
  if (nameKey(name) === 'not') {
    skipSpaces(reader);
    if (reader.text.charCodeAt(reader.at) === PAREN_OPEN) return { kind: 'not', term: readGroup(reader, element) };
  }
  if (name === '') throw unexpected(reader, 'an attribute');
  if (++reader.terms > MAX_FILTER_TERMS) throw invalidFilter(`The filter has more than ${MAX_FILTER_TERMS} terms.`);
  const own = resolve(reader, reader.schema, name, element);
  if (own !== undefined) return readAsked(reader, own, element);
  for (const other of element === null ? reader.others : []) {
    const path = resolve(reader, other, name, null);
    if (path !== undefined) return withoutValue(readAsked(reader, path, null));
  }
  // One answer for what does not exist and for what may not be asked: a filter must not tell them apart (T45).
  reader.at = start;
  throw unexpected(reader, 'an attribute of this resource');
}

/** What is asked of the attribute whose name was read. */
function readAsked(reader: Reader, path: AttributePath, element: AttributePath | null): FilterNode {
  if (reader.text.charCodeAt(reader.at) !== BRACKET_OPEN) return readComparison(reader, path);
  if (element !== null) throw unexpected(reader, 'no brackets inside brackets');
  const filter = readBrackets(reader, path);
  const sub = readSub(reader, path, invalidFilter);
  if (sub === null) return { kind: 'valuePath', path, filter };
  // One element has to satisfy both: `emails[type eq "work"].value eq "x"`.
  const comparison = readComparison(reader, { ...path, sub });
  return { kind: 'valuePath', path, filter: { kind: 'and', terms: [filter, comparison] } };
}

/** What a resource answers that does not have the attribute at all. */
function withoutValue(asked: FilterNode): FilterNode {
  if (asked.kind !== 'cmp') return { kind: 'constant', holds: false };
  const { path, op, value } = asked;
  return { kind: 'constant', holds: value === null ? op === 'eq' : op === 'ne' && !path.attribute.multiValued };
}

function readGroup(reader: Reader, element: AttributePath | null): FilterNode {
  enter(reader);
  reader.at++;
  const node = readOr(reader, element);
  skipSpaces(reader);
  if (reader.text.charCodeAt(reader.at) !== PAREN_CLOSE) throw unexpected(reader, 'a closing parenthesis');
  reader.at++;
  reader.depth--;
  return node;
}

function enter(reader: Reader): void {
  if (++reader.depth > MAX_FILTER_DEPTH) {
    throw invalidFilter(`The filter is nested deeper than ${MAX_FILTER_DEPTH} levels.`);
  }
}

function readBrackets(reader: Reader, path: AttributePath): FilterNode {
  if (path.sub !== null || (path.attribute.type !== 'complex' && !path.attribute.multiValued)) {
    throw invalidFilter('Only a complex attribute and one of several values can have a value filter.');
  }
  enter(reader);
  reader.at++;
  const filter = readOr(reader, path);
  skipSpaces(reader);
  if (reader.text.charCodeAt(reader.at) !== BRACKET_CLOSE) throw unexpected(reader, 'a closing bracket');
  reader.at++;
  reader.depth--;
  return filter;
}

/** The sub-attribute after a closing bracket, if there is one. */
function readSub(reader: Reader, path: AttributePath, refuse: Refuse): AttributeDefinition | null {
  if (reader.text.charCodeAt(reader.at) !== DOT) return null;
  reader.at++;
  const name = readName(reader);
  const sub = path.attribute.subAttributes.get(nameKey(name));
  if (sub === undefined) throw refuse('The name after the bracket is no sub-attribute.');
  if (sub.name !== name) note(reader.notes, nameCase, pathName({ ...path, sub }));
  return sub;
}

function resolve(
  reader: Reader,
  schema: ResourceSchema,
  name: string,
  element: AttributePath | null,
): AttributePath | undefined {
  const path =
    element === null ? findAttribute(schema, correctUrn(name, reader.notes)) : partOf(element, nameKey(name));
  return (path?.sub ?? path?.attribute)?.returned === 'never' ? undefined : path;
}

/** What a name inside brackets means. A plain value has no parts and is called `value`, as RFC 7643 §2.4 calls it in others. */
function partOf(element: AttributePath, key: string): AttributePath | undefined {
  if (element.attribute.type !== 'complex') return key === 'value' ? element : undefined;
  const sub = element.attribute.subAttributes.get(key);
  return sub === undefined ? undefined : { ...element, sub };
}

function noteCase(name: string, path: AttributePath, notes: Notes): void {
  const written = name.slice(name.lastIndexOf(':') + 1);
  const spelled = path.sub === null ? path.attribute.name : `${path.attribute.name}.${path.sub.name}`;
  if (written !== spelled) note(notes, nameCase, spelled);
}

function readComparison(reader: Reader, path: AttributePath): FilterNode {
  takeSpace(reader, 'an operator');
  const start = reader.at;
  const op = nameKey(readName(reader));
  if (op === 'pr') return { kind: 'pr', path };
  if (!isComparison(op)) {
    reader.at = start;
    throw unexpected(reader, 'an operator');
  }
  takeSpace(reader, 'a value');
  const literal = readLiteral(reader);
  // `eq null` asks for presence, which a complex attribute has as well.
  const target = literal === null ? path : comparable(path);
  return { kind: 'cmp', path: target, op, value: checkLiteral(target, op, literal, reader.notes) };
}

function takeSpace(reader: Reader, wanted: string): void {
  if (reader.text.charCodeAt(reader.at) !== SPACE) throw unexpected(reader, `a space and ${wanted}`);
  skipSpaces(reader);
}

function readLiteral(reader: Reader): Literal {
  const start = reader.at;
  if (reader.text.charCodeAt(start) === QUOTE) {
    const end = stringEnd(reader.text, start);
    if (end === -1) throw unexpected(reader, 'a string that ends');
    reader.at = end + 1;
  } else {
    while (!endsLiteral(reader.text.charCodeAt(reader.at))) reader.at++;
  }
  try {
    const literal = JSON.parse(reader.text.slice(start, reader.at)) as Literal;
    if (typeof literal === 'string' && !isStorable(literal))
      throw invalidFilter('A value holds a character that no value has.');
    if (typeof literal !== 'object' || literal === null) return literal;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  reader.at = start;
  throw unexpected(reader, 'a value in JSON, text in double quotes');
}

function endsLiteral(code: number): boolean {
  return Number.isNaN(code) || code === SPACE || code === PAREN_CLOSE || code === BRACKET_CLOSE;
}
