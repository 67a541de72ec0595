// What resources are sorted by (RFC 7644 §3.4.2.3), as an expression on `d` that is never null: what has no value comes after all that
// have one. So a place in the order is a pair of key and id, and a page begins behind one by a comparison of rows.

import { columnOf, firstOf, hasElements, type Operand, type Source, storedOf } from './attribute-sql.ts';
import { invalidValue } from './errors.ts';
import { type AttributePath, pathName } from './schema.ts';

export type KeyType = 'text' | 'timestamptz' | 'numeric' | 'integer' | 'uuid';

export type SortKey = {
  readonly sql: string;
  readonly type: KeyType;
  /** An index has the directory's resources in this order. */
  readonly indexed: boolean;
};

/** Texts are told apart by as many characters: a place in the order has to fit into an index, and into an address. */
const TEXT = 256;
// The last of all code points, and moments and numbers that no attribute can hold.
const LAST = {
  text: 'chr(1114111)',
  timestamptz: `'9999-12-31T23:59:59Z'::timestamptz`,
  numeric: `'NaN'::numeric`,
  integer: '2::integer',
  uuid: `'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid`,
} as const satisfies Record<KeyType, string>;

/** The path that a `sortBy` stands for: a complex attribute means its `value`. Refuses with 400 invalidValue one without any. */
export function sortPath(path: AttributePath): AttributePath {
  if (path.sub !== null || path.attribute.type !== 'complex') return path;
  const sub = path.attribute.subAttributes.get('value');
  if (sub === undefined) throw invalidValue('sortBy names a complex attribute: name a sub-attribute of it.');
  return { ...path, sub };
}

/** The key of a {@link sortPath}. Text is folded unless the attribute is case exact, and compared by code point. */
export function sortKey(source: Source, path: AttributePath): SortKey {
  const operand = hasElements(path) ? firstOf(source, path) : (columnOf(source, path) ?? storedOf(path));
  const { sql, type } = keyOf(operand);
  return { sql, type, indexed: INDEXED[source.schema.resource].has(pathName(path)) };
}

/** The key of resources that do not have the attribute which others are sorted by. */
export function absentKey(type: KeyType): SortKey {
  return { sql: type === 'text' ? `${LAST.text} collate "C"` : LAST[type], type, indexed: false };
}

const INDEXED = {
  User: new Set(['id', 'userName', 'displayName', 'meta.created', 'meta.lastModified']),
  Group: new Set(['id', 'displayName']),
} as const;

function keyOf(operand: Operand): Pick<SortKey, 'sql' | 'type'> {
  switch (operand.kind) {
    case 'uuid':
      return known(operand.sql, 'uuid');
    case 'address': {
      // What comes before the type of resource is the same for all.
      const kind = operand.prefix.split('/').at(-2) === 'Groups' ? 'Groups' : 'Users';
      return { sql: `coalesce('${kind}/' || ${operand.id}, ${LAST.text}) collate "C"`, type: 'text' };
    }
    case 'instant':
      return known(operand.sql, 'timestamptz');
    case 'number':
      return known(operand.sql, 'numeric');
    case 'boolean':
      return { sql: `case when ${operand.sql} then 1 else 0 end`, type: 'integer' };
    case 'flag':
      return {
        sql: `case ${operand.sql} when 'true' then 1 when 'false' then 0 else ${LAST.integer} end`,
        type: 'integer',
      };
    case 'key':
      return { sql: `${operand.sql} collate "C"`, type: 'text' };
    case 'text': {
      const folded = operand.caseExact ? operand.sql : `lower(${operand.sql})`;
      return { sql: `coalesce(left(${folded}, ${TEXT}), ${LAST.text}) collate "C"`, type: 'text' };
    }
  }
}

function known(sql: string, type: 'uuid' | 'timestamptz' | 'numeric'): Pick<SortKey, 'sql' | 'type'> {
  return { sql: COLUMN.test(sql) ? sql : `coalesce(${sql}, ${LAST[type]})`, type };
}

/** Columns of `d` of these types are never null. */
const COLUMN = /^d\.[a-z_]+$/;
