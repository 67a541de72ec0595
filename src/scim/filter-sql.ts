// A filter as the text of a condition on `d`, the directory's users or groups. Values travel as parameters (T44). The text depends on
// the filter's shape and the resource's schema alone, so that it can be prepared.

import { isUuid } from '../core/ids.ts';
import {
  type AddParam,
  columnOf,
  elementsOf,
  hasElements,
  jsonOf,
  type Operand,
  type Source,
  storedOf,
} from './attribute-sql.ts';
import type { FilterNode } from './filter.ts';
import type { Comparison, Literal } from './filter-literal.ts';
import { elementOfFilter } from './filter-match.ts';
import { type AttributePath, pathName } from './schema.ts';

export type FilterSql = {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** An index leads to the few that it can match, however many there are. */
  readonly selective: boolean;
};

type Writer = { readonly source: Source; readonly param: AddParam };

/**
 * The condition that a filter stands for, with parameters numbered from `firstParam`.
 *
 * `d` has to be directory_users for users and directory_groups for groups; tenant and connection are the caller's to add. Null
 * counts as false. Text is compared in any case unless the attribute is case exact; ids that are no uuid match nothing. Served
 * by an index: userName, externalId, id eq; displayName eq of groups; emails eq; times of users. RFC 7644 §3.4.2.2.
 */
export function filterSql(node: FilterNode, source: Source, firstParam: number): FilterSql {
  const params: unknown[] = [];
  const param: AddParam = (value, type) => {
    params.push(value);
    return `$${firstParam + params.length - 1}::${type}`;
  };
  const sql = write({ source, param }, node, null);
  return { sql, params, selective: isSelective(node, source.schema.resource) };
}

/** Finds the operand of a sub-attribute inside an element. */
type Element = (path: AttributePath) => Operand;

/** `element` gives what a valuePath's element holds, null outside of one. */
function write(writer: Writer, node: FilterNode, element: Element | null): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.terms.map((term) => write(writer, term, element)).join(` ${node.kind} `)})`;
    case 'not':
      return `not coalesce(${write(writer, node.term, element)}, false)`;
    case 'constant':
      return String(node.holds);
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
      return hasElements(node.path)
        ? writeElements(writer, node.path, node)
        : compare(writer, singleOf(writer, node.path), node.op, node.value);
  }
}

const singleOf = ({ source }: Writer, path: AttributePath): Operand => columnOf(source, path) ?? storedOf(path);

function writeElements(writer: Writer, path: AttributePath, filter: FilterNode): string {
  const name = path.extension === null ? path.attribute.name : null;
  // One value, which every resource has.
  if (name === 'meta') return write(writer, filter, (part) => singleOf(writer, part));
  const emails = name === 'emails' ? writeEmails(writer, filter) : null;
  if (emails !== null) return emails;
  const { from, element } = elementsOf(writer.source, path, writer.param);
  return `exists (select 1 from ${from} ${write(writer, filter, element)})`;
}

/** Addresses are what providers match by. Containment says the same as exists, and an index can serve it. */
function writeEmails(writer: Writer, filter: FilterNode): string | null {
  const wanted = elementOfFilter(filter);
  if (wanted === null || wanted.primary === false) return null;
  const list = writer.param(JSON.stringify([wanted]), 'text');
  return `lower((d.attributes -> 'emails')::text)::jsonb @> lower(${list})::jsonb`;
}

function writePresent(writer: Writer, path: AttributePath, element: Element | null): string {
  if (element !== null) return present(element(path));
  if (hasElements(path)) return writeElements(writer, path, { kind: 'pr', path });
  const name = path.extension === null ? path.attribute.name : null;
  if (name === 'meta' && path.sub === null) return 'true';
  if ((name === 'members' || name === 'groups') && path.sub === null) {
    return writeElements(writer, path, { kind: 'constant', holds: true });
  }
  const column = columnOf(writer.source, path);
  if (column !== null) return present(column);
  if (path.sub !== null || path.attribute.type !== 'complex') return present(storedOf(path));
  return `coalesce(${jsonOf(path)}, 'null') not in ('null', '{}', '[]')`;
}

function present(operand: Operand): string {
  if (operand.kind === 'address') return `${operand.id} is not null`;
  return operand.kind === 'text' || operand.kind === 'key' ? `${operand.sql} <> ''` : `${operand.sql} is not null`;
}

const OPERATORS = { eq: '=', ne: 'is distinct from', gt: '>', ge: '>=', lt: '<', le: '<=' } as const;

function compare({ param }: Writer, operand: Operand, op: Comparison, value: Exclude<Literal, null>): string {
  switch (operand.kind) {
    case 'uuid':
      return compareId(operand.sql, op, String(value), param);
    case 'address':
      return compareAddress(operand, op, String(value), param);
    case 'boolean':
      return `${operand.sql} ${op === 'eq' ? '=' : '<>'} ${param(value, 'boolean')}`;
    case 'flag': {
      const flag = operand.assumed ? `coalesce(${operand.sql}, 'false')` : operand.sql;
      return `${flag} ${op === 'eq' ? '=' : OPERATORS.ne} to_jsonb(${param(value, 'boolean')})`;
    }
    case 'instant':
      return compareInstant(operand.sql, op, String(value), param);
    case 'number':
      return `${operand.sql} ${order(op)} ${param(value, 'numeric')}`;
    case 'key':
      return compareText(operand.sql, op, (form) => param(form(operand.fold(String(value), op)), 'text'));
    case 'text': {
      const fold = (sql: string): string => (operand.caseExact ? sql : `lower(${sql})`);
      return compareText(fold(operand.sql), op, (form) => fold(param(form(String(value)), 'text')));
    }
  }
}

function order(op: Comparison): string {
  return OPERATORS[op as keyof typeof OPERATORS];
}

/**
 * To the millisecond, as the client has seen it: a value stands for all that begin with it. Said by bounds on the expression itself,
 * so that an index can serve it.
 */
function compareInstant(sql: string, op: Comparison, value: string, param: AddParam): string {
  const from = () => param(value, 'timestamptz');
  const to = () => param(new Date(Date.parse(value) + 1).toISOString(), 'timestamptz');
  switch (op) {
    case 'ge':
      return `${sql} >= ${from()}`;
    case 'lt':
      return `${sql} < ${from()}`;
    case 'gt':
      return `${sql} >= ${to()}`;
    case 'le':
      return `${sql} < ${to()}`;
    default: {
      const same = `(${sql} >= ${from()} and ${sql} < ${to()})`;
      return op === 'eq' ? same : `not coalesce(${same}, false)`;
    }
  }
}

function compareId(sql: string, op: Comparison, id: string, param: AddParam): string {
  if (op !== 'eq' && op !== 'ne') return compareText(`${sql}::text`, op, (form) => param(form(id), 'text'));
  if (!isUuid(id)) return op === 'eq' ? 'false' : 'true';
  return `${sql} ${op === 'eq' ? '=' : '<>'} ${param(id, 'uuid')}`;
}

function compareAddress(
  operand: Extract<Operand, { kind: 'address' }>,
  op: Comparison,
  value: string,
  param: AddParam,
): string {
  const { prefix, id } = operand;
  if (op === 'eq' || op === 'ne') {
    // No id is without its prefix, so another address is nobody's.
    return compareId(id, op, value.startsWith(prefix) ? value.slice(prefix.length) : '', param);
  }
  return compareText(`(${param(prefix, 'text')} || ${id})`, op, (form) => param(form(value), 'text'));
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

const UNIQUE = {
  User: new Set(['id', 'externalId', 'userName', 'emails', 'emails.value']),
  Group: new Set(['id', 'externalId', 'displayName']),
} as const;

function isSelective(node: FilterNode, resource: 'User' | 'Group'): boolean {
  switch (node.kind) {
    case 'and':
      return node.terms.some((term) => isSelective(term, resource));
    case 'or':
      return node.terms.every((term) => isSelective(term, resource));
    case 'cmp':
      return node.op === 'eq' && node.value !== null && UNIQUE[resource].has(pathName(node.path));
    case 'valuePath': {
      const wanted = pathName(node.path) === 'emails' ? elementOfFilter(node.filter) : null;
      return resource === 'User' && wanted !== null && wanted.value !== undefined && wanted.primary !== false;
    }
    case 'constant':
      return !node.holds;
    default:
      return false;
  }
}
