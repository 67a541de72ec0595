// A filter as the text of a condition on `d`, the directory's users or groups (db/schema.sql). Values travel as parameters; names
// come from the schema, never from the client (T44). The text depends on the filter's shape alone, so that it can be prepared.

import { isUuid } from '../core/ids.ts';
import { groupNameKey, userNameKey } from '../core/profile.ts';
import { invalidFilter } from './errors.ts';
import type { Comparison, FilterNode, Literal } from './filter.ts';
import { elementOfFilter } from './filter-match.ts';
import { type AttributeDefinition, type AttributePath, enterpriseUserUrn, pathName } from './schema.ts';

export type FilterSql = { readonly sql: string; readonly params: readonly unknown[] };

type Resource = 'User' | 'Group';
type Writer = { readonly resource: Resource; readonly params: unknown[]; readonly firstParam: number };

/** What is compared: an expression, and how values have to look beside it. */
type Operand =
  | { readonly kind: 'uuid' | 'boolean' | 'instant' | 'number'; readonly sql: string }
  | { readonly kind: 'text'; readonly sql: string; readonly caseExact: boolean }
  /** A column that holds text in the form in which it is compared. */
  | { readonly kind: 'key'; readonly sql: string; readonly fold: (text: string, op: Comparison) => string }
  | { readonly kind: 'flag'; readonly sql: string; readonly assumed: boolean };

/**
 * The condition that a filter stands for, with parameters numbered from `firstParam`.
 *
 * `d` has to be directory_users for users and directory_groups for groups; tenant and connection are the caller's to add. Null
 * counts as false. Text is compared in any case unless the attribute is case exact; ids that are no uuid match nothing. Served
 * by an index: userName, externalId, id eq; displayName eq of groups; emails eq where there is an index on the lower-cased list.
 * Refuses with 400 invalidFilter attributes that are made for the answer and stored nowhere. RFC 7644 §3.4.2.2.
 */
export function filterSql(node: FilterNode, resource: Resource, firstParam: number): FilterSql {
  const writer: Writer = { resource, params: [], firstParam };
  const sql = write(writer, node, null);
  return { sql, params: writer.params };
}

function param(writer: Writer, value: unknown, type: string): string {
  writer.params.push(value);
  return `$${writer.firstParam + writer.params.length - 1}::${type}`;
}

/** `element` is the alias under which a valuePath's element stands, null outside of one. */
function write(writer: Writer, node: FilterNode, element: Element | null): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.terms.map((term) => write(writer, term, element)).join(` ${node.kind} `)})`;
    case 'not':
      return `not coalesce(${write(writer, node.term, element)}, false)`;
    case 'valuePath':
      return writeElements(writer, node.path, node.filter);
    case 'pr':
      return writePresent(writer, node.path, element);
    case 'cmp':
      if (node.value === null) {
        const present = writePresent(writer, node.path, element);
        return node.op === 'eq' ? `not coalesce(${present}, false)` : present;
      }
      if (element !== null) return compare(writer, element(node.path), node.op, node.value);
      return needsElements(node.path)
        ? writeElements(writer, node.path, node)
        : compare(writer, columnOf(writer, node.path) ?? storedOf(node.path), node.op, node.value);
  }
}

/** Finds the operand of a sub-attribute inside an element. */
type Element = (path: AttributePath) => Operand;

function needsElements({ attribute, sub }: AttributePath): boolean {
  return attribute.multiValued && (sub !== null || attribute.type !== 'complex');
}

function writeElements(writer: Writer, path: AttributePath, filter: FilterNode): string {
  const emails = path.attribute.name === 'emails' && path.extension === null ? writeEmails(writer, filter) : null;
  if (emails !== null) return emails;
  const { from, element } = elementsOf(writer, path);
  return `exists (select 1 from ${from} ${write(writer, filter, element)})`;
}

/** Addresses are what providers match by. Containment says the same as exists, and an index can serve it. */
function writeEmails(writer: Writer, filter: FilterNode): string | null {
  const wanted = elementOfFilter(filter);
  if (wanted === null || wanted.primary === false) return null;
  const list = param(writer, JSON.stringify([wanted]), 'text');
  return `lower((d.attributes -> 'emails')::text)::jsonb @> lower(${list})::jsonb`;
}

type Elements = { readonly from: string; readonly element: Element };

function elementsOf(writer: Writer, path: AttributePath): Elements {
  const name = path.extension === null ? path.attribute.name : null;
  if (name === 'meta') throw notStored(path);
  if (name === 'members' && writer.resource === 'Group') return membership('m.directory_user_id', 'User', MEMBERS);
  if (name === 'groups' && writer.resource === 'User') return membership('m.group_id', 'direct', GROUPS);
  if (name === 'schemas') {
    const urns = writer.resource === 'User' ? `('${USER}'), ('${enterpriseUserUrn}')` : `('${GROUP}')`;
    const held = `s.urn in ('${USER}', '${GROUP}') or d.attributes ? s.urn`;
    return {
      from: `(values ${urns}) s(urn) where (${held}) and`,
      element: () => ({ kind: 'text', sql: 's.urn', caseExact: false }),
    };
  }
  const steps = stepsOf(path).map((step) => `.${JSON.stringify(step)}`);
  return {
    from: `jsonb_path_query(d.attributes, '$${steps.join('')}[*]') e where`,
    element: ({ attribute, sub }) =>
      sub === null ? storedOperand(attribute, "e #> '{}'", "e #>> '{}'") : inside(sub, 'e'),
  };
}

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const MEMBERS = 'm.group_id = d.group_id';
const GROUPS = 'm.directory_user_id = d.directory_user_id';

function membership(id: string, type: string, join: string): Elements {
  return {
    from: `group_members m where m.tenant_id = d.tenant_id and ${join} and`,
    element: (path) => {
      if (path.sub?.name === 'value') return { kind: 'uuid', sql: id };
      if (path.sub?.name === 'type') return { kind: 'text', sql: `'${type}'::text`, caseExact: false };
      throw notStored(path);
    },
  };
}

const notStored = (path: AttributePath) => invalidFilter(`${pathName(path)} cannot be filtered by.`);

/** Attributes that have a column of their own. */
function columnOf(writer: Writer, path: AttributePath): Operand | null {
  if (path.extension !== null) return null;
  const isUser = writer.resource === 'User';
  switch (pathName(path)) {
    case 'id':
      return { kind: 'uuid', sql: isUser ? 'd.directory_user_id' : 'd.group_id' };
    case 'externalId':
      return { kind: 'text', sql: 'd.external_id', caseExact: true };
    case 'userName':
      return isUser ? { kind: 'key', sql: 'd.user_name_key', fold: userNameKey } : null;
    case 'displayName':
      return isUser ? null : { kind: 'key', sql: 'd.display_name_key', fold: foldGroupName };
    case 'active':
      return isUser ? { kind: 'boolean', sql: 'd.active' } : null;
    case 'meta.created':
      return { kind: 'instant', sql: 'd.created_at' };
    case 'meta.lastModified':
      return { kind: 'instant', sql: 'd.last_modified_at' };
    case 'meta.resourceType':
      return { kind: 'text', sql: `'${writer.resource}'::text`, caseExact: true };
    case 'meta.version':
      return { kind: 'text', sql: `('W/"' || d.version || '"')`, caseExact: true };
    case 'meta.location':
      throw notStored(path);
    default:
      return null;
  }
}

/** A part of a name keeps its blanks: `co "a "` is not `co "a"`. */
function foldGroupName(text: string, op: Comparison): string {
  return op === 'eq' || op === 'ne' ? groupNameKey(text) : userNameKey(text);
}

/** Names as SQL has them. The schema's own spelling is checked once more, since it goes into the text. */
function stepsOf(path: AttributePath): readonly string[] {
  const steps = path.extension === null ? [path.attribute.name] : [path.extension, path.attribute.name];
  for (const step of steps) requireName(step);
  return steps;
}

const NAME = /^[A-Za-z0-9_$:.-]+$/;

function requireName(name: string): string {
  if (!NAME.test(name))
    throw new Error(`The schema has an attribute name that SQL cannot carry: ${JSON.stringify(name)}`);
  return name;
}

const holderOf = (steps: readonly string[]): string =>
  ['d.attributes', ...steps.map((step) => `'${step}'`)].join(' -> ');

function storedOf(path: AttributePath): Operand {
  const steps = stepsOf(path);
  if (path.sub !== null) return inside(path.sub, holderOf(steps));
  return inside(path.attribute, holderOf(steps.slice(0, -1)));
}

function inside(definition: AttributeDefinition, holder: string): Operand {
  const name = `'${requireName(definition.name)}'`;
  return storedOperand(definition, `${holder} -> ${name}`, `${holder} ->> ${name}`);
}

function storedOperand(definition: AttributeDefinition, json: string, text: string): Operand {
  switch (definition.type) {
    case 'boolean':
      // An element that does not say so is not primary (RFC 7643 §2.4).
      return { kind: 'flag', sql: `(${json})`, assumed: definition.name === 'primary' };
    case 'dateTime':
      return { kind: 'instant', sql: `(${text})::timestamptz` };
    case 'integer':
    case 'decimal':
      return { kind: 'number', sql: `(case when jsonb_typeof(${json}) = 'number' then (${json})::numeric end)` };
    default:
      return { kind: 'text', sql: `(${text})`, caseExact: definition.caseExact };
  }
}

function writePresent(writer: Writer, path: AttributePath, element: Element | null): string {
  if (element !== null) return present(element(path));
  if (needsElements(path)) return writeElements(writer, path, { kind: 'pr', path });
  const name = path.extension === null ? path.attribute.name : null;
  if (name === 'meta' && path.sub === null) return 'true';
  if ((name === 'members' || name === 'groups') && path.sub === null) {
    const value = path.attribute.subAttributes.get('value') ?? null;
    return writeElements(writer, path, { kind: 'pr', path: { ...path, sub: value } });
  }
  const column = columnOf(writer, path);
  if (column !== null) return present(column);
  if (path.sub !== null || path.attribute.type !== 'complex') return present(storedOf(path));
  return `coalesce(${holderOf(stepsOf(path))}, 'null') not in ('null', '{}', '[]')`;
}

function present(operand: Operand): string {
  return operand.kind === 'text' || operand.kind === 'key' ? `${operand.sql} <> ''` : `${operand.sql} is not null`;
}

const OPERATORS = { eq: '=', ne: 'is distinct from', gt: '>', ge: '>=', lt: '<', le: '<=' } as const;

function compare(writer: Writer, operand: Operand, op: Comparison, value: Exclude<Literal, null>): string {
  switch (operand.kind) {
    case 'uuid':
      return compareId(writer, operand.sql, op, String(value));
    case 'boolean':
      return `${operand.sql} ${op === 'eq' ? '=' : '<>'} ${param(writer, value, 'boolean')}`;
    case 'flag': {
      const flag = operand.assumed ? `coalesce(${operand.sql}, 'false')` : operand.sql;
      return `${flag} ${op === 'eq' ? '=' : OPERATORS.ne} to_jsonb(${param(writer, value, 'boolean')})`;
    }
    case 'instant':
      // To the millisecond, as the client has seen it.
      return `date_trunc('milliseconds', ${operand.sql}) ${order(op)} ${param(writer, value, 'timestamptz')}`;
    case 'number':
      return `${operand.sql} ${order(op)} ${param(writer, value, 'numeric')}`;
    case 'key':
      return compareText(operand.sql, op, (form) => param(writer, form(operand.fold(String(value), op)), 'text'));
    case 'text': {
      const fold = (sql: string): string => (operand.caseExact ? sql : `lower(${sql})`);
      return compareText(fold(operand.sql), op, (form) => fold(param(writer, form(String(value)), 'text')));
    }
  }
}

function order(op: Comparison): string {
  return OPERATORS[op as keyof typeof OPERATORS];
}

function compareId(writer: Writer, sql: string, op: Comparison, id: string): string {
  if (op !== 'eq' && op !== 'ne') return compareText(`${sql}::text`, op, (form) => param(writer, form(id), 'text'));
  if (!isUuid(id)) return op === 'eq' ? 'false' : 'true';
  return `${sql} ${op === 'eq' ? '=' : '<>'} ${param(writer, id, 'uuid')}`;
}

/** `value` makes the parameter from the form that the operator needs of the text. */
function compareText(sql: string, op: Comparison, value: (form: (text: string) => string) => string): string {
  switch (op) {
    case 'eq':
    case 'ne':
      return `${sql} ${OPERATORS[op]} ${value((text) => text)}`;
    case 'co':
      return `${sql} like ${value((text) => `%${escapeLike(text)}%`)}`;
    case 'sw':
      return `${sql} like ${value((text) => `${escapeLike(text)}%`)}`;
    case 'ew':
      return `${sql} like ${value((text) => `%${escapeLike(text)}`)}`;
    default:
      // By code point, so that the order is the same on every server.
      return `${sql} collate "C" ${OPERATORS[op]} ${value((text) => text)}`;
  }
}

/** After folding: a full-width percent sign becomes a plain one there. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
