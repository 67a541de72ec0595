// Pages of a directory's users and groups. A whole page comes as one text value, since taking rows apart costs more than finding them.

import type { TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryGroupId, DirectoryUserId, Instant } from '../core/ids.ts';
import type { DirectoryGroupRow } from './directory-groups.ts';
import { type DirectoryUserRow, GROUPS_OF_D } from './directory-person.ts';
import { instant, LIVE } from './scim-credentials.ts';

// JSON text never holds control characters, so they can stand between values.
const ROW = '\u001e';
const FIELD = '\u001f';
const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** A condition on `d` with its values. */
export type Condition = { readonly sql: string; readonly params: readonly unknown[] };
/** Number of the first parameter of the first part's filter; the next part's follow. */
export const FIRST_FILTER_PARAM = 7;

/** One type of resource in a query: which of them, and the key that they are sorted by; null: by their ids alone. */
export type PagePart = {
  readonly resource: 'users' | 'groups';
  readonly filter: Condition | null;
  /** An expression on `d` that is never null; all parts have keys of one type. */
  readonly key: string | null;
};

/** A place in the order of a query: right behind this resource, or before it. */
export type Position = { readonly key: string | null; readonly id: string };

export type PageQuery = {
  readonly parts: readonly PagePart[];
  /** Type of the keys as SQL has it. */
  readonly keyType: string;
  readonly descending: boolean;
  /** Against the order, away from `at`: the page before. Its rows come in the order all the same. */
  readonly backwards: boolean;
  /** The page begins behind this place, or at `offset` where none is known. */
  readonly at: Position | null;
  readonly offset: number;
  readonly limit: number;
  /** Whether to count all that match. */
  readonly counts: boolean;
  /** Whether users come with their groups. */
  readonly groups: boolean;
};

export type ListedRow =
  | { readonly resource: 'users'; readonly row: DirectoryUserRow }
  | { readonly resource: 'groups'; readonly row: DirectoryGroupRow };

export type Page = {
  readonly rows: readonly ListedRow[];
  /** The place of the row at an index, from the end where it is negative; null where there is no such row. */
  placeOf(index: number): Position | null;
  /** How many match; null where nobody asked. */
  readonly total: number | null;
};

// Statements of filters are prepared as well, up to a number of shapes: a hostile client has endless ones.
const MAX_NAMED = 100;
const named = new Map<string, string>();

function nameOf(text: string): string | null {
  const known = named.get(text);
  if (known !== undefined) return known;
  if (named.size >= MAX_NAMED) return null;
  const name = `directory_page_${named.size}`;
  named.set(text, name);
  return name;
}

const USER_FIELDS = ['d.version', instant('d.created_at'), instant('d.last_modified_at'), 'd.attributes::text'];
const tables = {
  users: { table: 'directory_users', id: 'directory_user_id', fields: USER_FIELDS },
  groups: {
    table: 'directory_groups',
    id: 'group_id',
    fields: [
      'd.version',
      instant('d.created_at'),
      instant('d.last_modified_at'),
      `json_build_array(d.display_name, d.external_id)::text`,
      'd.attributes::text',
    ],
  },
} as const;

function fieldsOf({ resource }: PagePart, { groups }: PageQuery): readonly string[] {
  return resource === 'users' && groups ? [...USER_FIELDS, `${GROUPS_OF_D}::text`] : tables[resource].fields;
}

// Tenant and connection are compared with parameters, not with the credential's row: only so is the index's order the page's.
const open = ({ resource, filter }: PagePart): string =>
  `${tables[resource].table} d
  where d.tenant_id = $1 and d.connection_id = $3 and d.ended_at is null${filter === null ? '' : ` and (${filter.sql})`}`;

/** The order in which rows are looked for: a page before another is found against the order. */
const direction = ({ descending, backwards }: PageQuery): 'asc' | 'desc' => (descending === backwards ? 'asc' : 'desc');

function behind(part: PagePart, query: PageQuery, keyParam: number): string {
  const id = `d.${tables[part.resource].id}`;
  const sign = direction(query) === 'asc' ? '>' : '<';
  if (part.key === null || query.at === null) return ` and ${id} ${sign} $4`;
  return ` and (${part.key}, ${id}) ${sign} ($${keyParam}::${query.keyType}, $4::uuid)`;
}

/** How many match: from the counters, or counted where the page does not show them all. */
function totalText(query: PageQuery): string {
  const { parts, counts, at } = query;
  if (!counts) return 'null::bigint';
  if (parts.every(({ filter }) => filter === null)) {
    const resources = parts.map(({ resource }) => `'${resource}'`).join(', ');
    return `(select coalesce(sum(n.count), 0)::bigint from directory_counters n
    where n.tenant_id = $1 and n.connection_id = $3 and n.resource in (${resources}))`;
  }
  const all = parts.map((part) => `(select count(*) from ${open(part)})`).join(' + ');
  if (at !== null) return `(${all})`;
  return `case when $6 = 0 and (select count(*) from page) < $5 then (select count(*) from page) else ${all} end`;
}

/** A page of one type of resource in the order of its ids: the statement that nearly every request needs. */
function plainText(part: PagePart, query: PageQuery): string {
  const id = `d.${tables[part.resource].id}`;
  const fields = fieldsOf(part, query);
  const way = direction(query);
  return `
with ${LIVE}, page as (
  select ${id} as id, ${fields.map((field, index) => `${field} as c${index}`).join(', ')}
  from ${open(part)}${behind(part, query, 0)}
  order by ${id} ${way} limit $5 offset $6
)
select ${totalText(query)} as total,
  (select string_agg(p.id || ${fields.map((_, index) => `e'\\x1f' || p.c${index}`).join(' || ')}, e'\\x1e' order by p.id ${way}) from page p) as page
from live l`;
}

/**
 * A page in any order, of one type of resource or of several. The page is found by keys and ids alone, so that what is sorted is
 * small; only then are the rows themselves read.
 */
function sortedText(query: PageQuery, keyParam: number): string {
  const { parts, keyType } = query;
  const way = direction(query);
  const keys = parts.map((part, index) => {
    const id = `d.${tables[part.resource].id}`;
    const key = part.key ?? id;
    return `(select ${index} as part, ${key} as key, ${id} as id
  from ${open(part)}${behind(part, query, keyParam)}
  order by ${key} ${way}, ${id} ${way} limit $5::bigint + $6::bigint)`;
  });
  const rows = parts.map((part, index) => {
    const { table, id } = tables[part.resource];
    const fields = fieldsOf(part, query).join(` || e'\\x1f' || `);
    return `when ${index} then (select ${fields} from ${table} d where d.tenant_id = $1 and d.${id} = p.id)`;
  });
  // As JSON: the text of a key may hold anything, and a moment's text is then the same under every setting.
  const key = keyType === 'timestamptz' ? 'to_json(p.key)' : 'to_json(p.key::text)';
  return `
with ${LIVE}, page as (
  select * from (
${keys.join('\nunion all\n')}
  ) k order by k.key ${way}, k.id ${way} limit $5 offset $6
)
select ${totalText(query)} as total,
  (select string_agg(p.part || e'\\x1f' || ${key} || e'\\x1f' || p.id || e'\\x1f' || case p.part ${rows.join(' ')} end, e'\\x1e'
    order by p.key ${way}, p.id ${way}) from page p) as page
from live l`;
}

/**
 * A page of the directory. `once`: its text is not worth preparing. Undefined: the credential may not be used. One statement.
 */
export async function readPage(
  tx: TenantTx,
  directory: Directory,
  query: PageQuery,
  { once }: { readonly once: boolean },
): Promise<Page | undefined> {
  const { parts, at, limit, offset } = query;
  const [only, ...more] = parts as readonly [PagePart, ...PagePart[]];
  const plain = more.length === 0 && only.key === null;
  const values: unknown[] = [
    tx.tenantId,
    directory.credentialId,
    directory.connectionId,
    at?.id ?? (direction(query) === 'asc' ? FIRST_ID : LAST_ID),
    limit,
    at === null ? offset : 0,
    ...parts.flatMap(({ filter }) => filter?.params ?? []),
  ];
  const keyed = !plain && at !== null && parts.some(({ key }) => key !== null);
  if (keyed) values.push(at.key);
  const text = plain ? plainText(only, query) : sortedText(query, values.length);
  const name = once ? null : nameOf(text);
  const [row] = await tx.run<{ total: number | null; page: string | null }>({ name, text }, values);
  if (row === undefined) return undefined;
  const found = row.page === null ? [] : row.page.split(ROW).map((fields) => fields.split(FIELD));
  if (query.backwards) found.reverse();
  const placeOf = (index: number): Position | null => {
    const fields = found.at(index);
    if (fields === undefined) return null;
    return plain
      ? { key: null, id: fields[0] as string }
      : { key: JSON.parse(fields[1] as string), id: fields[2] as string };
  };
  const rows = found.map((fields) => {
    const part = plain ? only : (parts[Number(fields[0])] as PagePart);
    const of = plain ? fields : fields.slice(2);
    return part.resource === 'users'
      ? ({ resource: 'users', row: userOf(of) } as const)
      : ({ resource: 'groups', row: groupOf(of) } as const);
  });
  return { rows, placeOf, total: row.total };
}

function userOf(fields: readonly string[]): DirectoryUserRow {
  const [id, version, created, modified, attributes, groups] = fields as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  const row = {
    id: id as DirectoryUserId,
    attributes,
    version: Number(version),
    createdAt: Number(created) as Instant,
    lastModifiedAt: Number(modified) as Instant,
  };
  return groups === undefined ? row : { ...row, groups: groups === '[]' ? [] : JSON.parse(groups) };
}

function groupOf(fields: readonly string[]): DirectoryGroupRow {
  const [id, version, created, modified, names, attributes] = fields as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const [displayName, externalId] = JSON.parse(names) as [string, string | null];
  return {
    id: id as DirectoryGroupId,
    displayName,
    externalId,
    attributes,
    version: Number(version),
    createdAt: Number(created) as Instant,
    lastModifiedAt: Number(modified) as Instant,
  };
}
