// Where the values of attributes stand: as expressions on `d`, the row of directory_users or directory_groups (db/schema.sql). Names
// come from the schema, never from the client (T44).

import { groupNameKey, userNameKey } from '../core/profile.ts';
import type { Comparison } from './filter-literal.ts';
import { type AttributeDefinition, type AttributePath, pathName, type ResourceSchema } from './schema.ts';

/** What a resource is, and the address of its directory, which stands in `$ref` and `meta.location`. */
export type Source = { readonly schema: ResourceSchema; readonly baseUrl: string };

/** Makes a parameter of a value; the text is what stands for it. */
export type AddParam = (value: unknown, type: string) => string;

/** What is compared or sorted by: an expression, and how values have to look beside it. */
export type Operand =
  | { readonly kind: 'uuid' | 'boolean' | 'instant' | 'number'; readonly sql: string }
  | { readonly kind: 'text'; readonly sql: string; readonly caseExact: boolean }
  /** A column that holds text in the form in which it is compared. */
  | { readonly kind: 'key'; readonly sql: string; readonly fold: (text: string, op: Comparison) => string }
  | { readonly kind: 'flag'; readonly sql: string; readonly assumed: boolean }
  /** The address that a prefix and an id make. */
  | { readonly kind: 'address'; readonly prefix: string; readonly id: string };

/** Elements of a multi-valued attribute: where they come from, ending in `where` or `and`, and what each of them holds. */
export type Elements = { readonly from: string; readonly element: (path: AttributePath) => Operand };

/** True if there may be several values, so that a condition is about one of them. */
export function hasElements({ attribute, sub }: AttributePath): boolean {
  return attribute.multiValued && (sub !== null || attribute.type !== 'complex');
}

/** Attributes that have a column of their own, or are made from some. */
export function columnOf({ schema, baseUrl }: Source, path: AttributePath): Operand | null {
  if (path.extension !== null) return null;
  const { resource } = schema;
  const isUser = resource === 'User';
  const id = isUser ? 'd.directory_user_id' : 'd.group_id';
  switch (pathName(path)) {
    case 'id':
      return { kind: 'uuid', sql: id };
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
      return { kind: 'text', sql: `'${resource}'::text`, caseExact: true };
    case 'meta.version':
      return { kind: 'text', sql: `('W/"' || d.version || '"')`, caseExact: true };
    case 'meta.location':
      return { kind: 'address', prefix: `${baseUrl}/${resource}s/`, id };
    default:
      return null;
  }
}

/** A part of a name keeps its blanks: `co "a "` is not `co "a"`. */
function foldGroupName(text: string, op: Comparison): string {
  return op === 'eq' || op === 'ne' ? groupNameKey(text) : userNameKey(text);
}

/** An attribute among those that are stored as JSON. */
export function storedOf(path: AttributePath): Operand {
  const steps = stepsOf(path);
  if (path.sub !== null) return inside(path.sub, holderOf(steps));
  return inside(path.attribute, holderOf(steps.slice(0, -1)));
}

/** The JSON of a whole attribute. */
export function jsonOf(path: AttributePath): string {
  return holderOf(stepsOf(path));
}

/** The value of an attribute or sub-attribute inside JSON that an expression gives. */
function inside(definition: AttributeDefinition, holder: string): Operand {
  const name = `'${requireName(definition.name)}'`;
  return storedOperand(definition, `${holder} -> ${name}`, `${holder} ->> ${name}`);
}

const holderOf = (steps: readonly string[]): string =>
  ['d.attributes', ...steps.map((step) => `'${step}'`)].join(' -> ');

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

/** What is stored may be of another type than the schema says now: then it is no value, never an error. */
function storedOperand(definition: AttributeDefinition, json: string, text: string): Operand {
  switch (definition.type) {
    case 'boolean':
      // An element that does not say so is not primary (RFC 7643 §2.4).
      return { kind: 'flag', sql: `(${json})`, assumed: definition.name === 'primary' };
    case 'dateTime':
      return { kind: 'instant', sql: `scim_instant(${text})` };
    case 'integer':
    case 'decimal':
      return { kind: 'number', sql: `(case when jsonb_typeof(${json}) = 'number' then (${json})::numeric end)` };
    default:
      return { kind: 'text', sql: `(${text})`, caseExact: definition.caseExact };
  }
}

/** The JSON path of an attribute's elements. */
function pathOf(path: AttributePath): string {
  return `$${stepsOf(path)
    .map((step) => `.${JSON.stringify(step)}`)
    .join('')}[*]`;
}

/** The elements of an attribute, for an `exists`. */
export function elementsOf(source: Source, path: AttributePath, addParam: AddParam): Elements {
  const name = path.extension === null ? path.attribute.name : null;
  const links = name === null ? null : linksOf(source, name);
  if (links !== null) return { from: `${links.from} and`, element: links.element };
  if (name === 'schemas') {
    const { core, extensions } = source.schema;
    const urns = [core, ...extensions.values()].map(({ id }) => id);
    return {
      from: `unnest(${addParam(urns, 'text[]')}) with ordinality s(urn, place) where (s.place = 1 or d.attributes ? s.urn) and`,
      element: () => ({ kind: 'text', sql: 's.urn', caseExact: false }),
    };
  }
  return {
    from: `jsonb_path_query(d.attributes, '${pathOf(path)}') e where`,
    element: ({ attribute, sub }) =>
      sub === null ? storedOperand(attribute, "e #> '{}'", "e #>> '{}'") : inside(sub, 'e'),
  };
}

/**
 * The first value of a multi-valued attribute, of the primary element if one is: what a resource is sorted by (RFC 7644 §3.4.2.3).
 * Groups and members have no primary; their first is the one with the lowest id.
 */
export function firstOf(source: Source, path: AttributePath): Operand {
  const { attribute, sub } = path;
  const name = path.extension === null ? attribute.name : null;
  const links = name === null ? null : linksOf(source, name);
  if (links !== null) {
    const operand = links.element(path);
    const sql = operand.kind === 'address' ? operand.id : operand.sql;
    const first = `(select ${sql} from ${links.from} order by ${links.id} limit 1)`;
    return operand.kind === 'address' ? { ...operand, id: first } : { ...operand, sql: first };
  }
  // All that the resource has begin with the same one.
  if (name === 'schemas') return { kind: 'text', sql: `'${source.schema.core.id}'::text`, caseExact: false };
  const elements = pathOf(path);
  const any = `jsonb_path_query_first(d.attributes, '${elements}')`;
  const primary = attribute.subAttributes.has('primary')
    ? `jsonb_path_query_first(d.attributes, '${elements} ? (@."primary" == true)')`
    : null;
  const element = primary === null ? any : `coalesce(${primary}, ${any})`;
  return sub === null ? storedOperand(attribute, `${element} #> '{}'`, `${element} #>> '{}'`) : inside(sub, element);
}

type Links = Elements & { readonly id: string };

/** Members of a group, groups of a user: rows of their own. */
function linksOf({ schema, baseUrl }: Source, name: string): Links | null {
  if (schema.resource === 'Group' && name === 'members') {
    return {
      from: 'group_members m where m.tenant_id = d.tenant_id and m.group_id = d.group_id',
      id: 'm.directory_user_id',
      element: linked('m.directory_user_id', `${baseUrl}/Users/`, 'User', NAME_OF_MEMBER),
    };
  }
  if (schema.resource === 'User' && name === 'groups') {
    return {
      from: 'group_members m where m.tenant_id = d.tenant_id and m.directory_user_id = d.directory_user_id',
      id: 'm.group_id',
      element: linked('m.group_id', `${baseUrl}/Groups/`, 'direct', NAME_OF_GROUP),
    };
  }
  return null;
}

const NAME_OF_MEMBER = `(select coalesce(u.attributes ->> 'displayName', u.user_name) from directory_users u
  where u.tenant_id = m.tenant_id and u.directory_user_id = m.directory_user_id)`;
const NAME_OF_GROUP = `(select g.display_name from directory_groups g where g.tenant_id = m.tenant_id and g.group_id = m.group_id)`;

const linked =
  (id: string, prefix: string, type: string, display: string): Elements['element'] =>
  ({ sub }) => {
    switch (sub?.name) {
      case '$ref':
        return { kind: 'address', prefix, id };
      case 'display':
        return { kind: 'text', sql: display, caseExact: sub.caseExact };
      case 'type':
        return { kind: 'text', sql: `'${type}'::text`, caseExact: sub.caseExact };
      default:
        return { kind: 'uuid', sql: id };
    }
  };
