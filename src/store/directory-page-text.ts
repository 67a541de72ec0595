// What is asked of a page of a directory's users and groups, and the statements that find it.

import { GROUP_TEXT, pageGroups, USER_TEXT, USER_WITH_GROUPS_TEXT } from './directory-rows.ts';
import { LIVE } from './scim-credentials.ts';

/** A condition on `d` with its values. `selective`: an index leads to the few that it can match. */
export type Condition = { readonly sql: string; readonly params: readonly unknown[]; readonly selective: boolean };
/** Number of the first parameter of the first part's filter; the next part's follow. */
export const FIRST_FILTER_PARAM = 4;
/** Rows that a page has at most. */
export const MOST_ROWS = 201;

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
  /** {@link MOST_ROWS} at most. */
  readonly limit: number;
  /** Whether to count all that match. */
  readonly counts: boolean;
  /** Whether users come with their groups. */
  readonly groups: boolean;
};

const tables = {
  users: { table: 'directory_users', id: 'd.directory_user_id', text: USER_TEXT },
  groups: { table: 'directory_groups', id: 'd.group_id', text: GROUP_TEXT },
} as const;

/** The order in which rows are looked for: a page before another is found against the order. */
export const direction = ({ descending, backwards }: PageQuery): 'asc' | 'desc' =>
  descending === backwards ? 'asc' : 'desc';

// Tenant and connection are compared with parameters, not with the credential's row: only so is the index's order the page's.
const open = ({ resource, filter }: PagePart): string =>
  `${tables[resource].table} d
  where d.tenant_id = $1 and d.connection_id = $3 and d.ended_at is null${filter === null ? '' : ` and (${filter.sql})`}`;

// A value that the planner may not look at: what it makes of any value it then makes of this one, and does not plan anew each time
// because this one seems to promise less work.
const hidden = (value: string): string => `(select ${value}::uuid)`;

// Everybody of a directory, in an order that begins with it and that only one index has. Bound to one directory by `=`, the order
// would be that of the primary key as well, and a plan made for any directory would look for the few of a small one among all the
// tenant's.
const everybody = ({ resource }: PagePart): string =>
  `${tables[resource].table} d
  where d.tenant_id = $1 and d.connection_id between ${hidden('$3')} and ${hidden('$3')} and d.ended_at is null`;

// The few that a filter leads to are found first and put in order then: the planner, which guesses how many they are, must not look
// for them along the order of everybody.
const fewFirst = (part: PagePart): string => `(select d.* from ${open(part)} offset 0) d where true`;

/** The parameters behind those of the filters; null where the statement has none such. */
export type Place = {
  readonly limit: string;
  readonly id: string | null;
  readonly key: string | null;
  readonly offset: string | null;
};

/** From where, and in which order, the rows of a part come that are behind the query's place. */
function orderedText(part: PagePart, query: PageQuery, place: Place): string {
  const { id } = tables[part.resource];
  const way = direction(query);
  const sign = way === 'asc' ? '>' : '<';
  const whole = part.filter === null && part.key === null;
  const from = whole ? everybody(part) : part.filter?.selective === true ? fewFirst(part) : open(part);
  let behind = '';
  if (place.id !== null) {
    if (whole) behind = ` and (d.connection_id, ${id}) ${sign} (${hidden('$3')}, ${hidden(place.id)})`;
    else if (part.key === null) behind = ` and ${id} ${sign} ${place.id}::uuid`;
    else behind = ` and (${part.key}, ${id}) ${sign} (${place.key}::${query.keyType}, ${place.id}::uuid)`;
  }
  const key = part.key === null ? '' : `${part.key} ${way}, `;
  return `${from}${behind}
    order by d.connection_id ${way}, ${key}${id} ${way}`;
}

// A number where one can stand: a plan that is made for any limit expects a tenth of the directory, and is never taken for a good one.
const most = ({ limit, offset }: Place): string =>
  offset === null ? `${MOST_ROWS}` : `${limit}::bigint + ${offset}::bigint`;
const cut = ({ limit, offset }: Place): string => `limit ${limit}${offset === null ? '' : ` offset ${offset}`}`;

/** How many match: from the counters, or counted where the page, which has `shown` rows, does not show them all. */
function totalText({ parts, counts }: PageQuery, place: Place, shown: string): string {
  if (!counts) return 'null::bigint';
  if (parts.every(({ filter }) => filter === null)) {
    const resources = parts.map(({ resource }) => `'${resource}'`).join(', ');
    return `(select coalesce(sum(n.count), 0)::bigint from directory_counters n
    where n.tenant_id = $1 and n.connection_id = $3 and n.resource in (${resources}))`;
  }
  const all = parts.map((part) => `(select count(*) from ${open(part)})`).join(' + ');
  if (place.id !== null || place.offset !== null) return `(${all})`;
  return `case when ${shown} < ${place.limit} then ${shown} else ${all} end`;
}

/** A page of one type of resource in the order of its ids: the statement that nearly every list needs. */
export function plainText(part: PagePart, query: PageQuery, place: Place): string {
  const { id, text } = tables[part.resource];
  const groups = part.resource === 'users' && query.groups;
  const ordered = `select d.* from ${orderedText(part, query, place)}`;
  // Rows that are counted off are not made text of.
  const rows =
    place.offset === null ? `(${ordered} limit ${most(place)}) d ${cut(place)}` : `(${ordered} ${cut(place)}) d`;
  // Put together as the rows come: kept as rows first, each would be copied once more.
  return `
with ${LIVE}, page as materialized (
  select array_agg(r.id) as ids, string_agg(r.text, e'\\x1e') as text from (select ${id} as id, ${text} as text from ${rows}) r
)
select ${totalText(query, place, 'coalesce(cardinality(p.ids), 0)')} as total, p.text as page${groups ? `,\n  ${pageGroups('p.ids', 'unnest(p.ids) with ordinality as o (id, place)')} as groups` : ''}
from live l cross join page p`;
}

/**
 * A page in any order, of one type of resource or of several. The page is found by keys and ids alone, so that what is sorted is
 * small; only then are the rows themselves read.
 */
export function sortedText(query: PageQuery, place: Place): string {
  const { parts, keyType } = query;
  const way = direction(query);
  const keys = parts.map((part, index) => {
    const { id } = tables[part.resource];
    return `(select ${index} as part, ${part.key ?? id} as key, ${id} as id
    from ${orderedText(part, query, place)} limit ${most(place)})`;
  });
  const rows = parts.map(({ resource }, index) => {
    const { table, id, text } = tables[resource];
    return `when ${index} then (select ${text} from ${table} d where d.tenant_id = $1 and ${id} = p.id)`;
  });
  const users = parts.findIndex(({ resource }) => resource === 'users');
  const groups = query.groups && users !== -1;
  // As JSON: the text of a key may hold anything, and a moment's text is then the same under every setting.
  const key = keyType === 'timestamptz' ? 'to_json(p.key)' : 'to_json(p.key::text)';
  return `
with ${LIVE}, page as materialized (
  select s.*, row_number() over () as place from (
    select * from (
${keys.join('\nunion all\n')}
    ) k order by k.key ${way}, k.id ${way} ${cut(place)}
  ) s
)
select ${totalText(query, place, '(select count(*) from page)')} as total, (
  select string_agg(concat_ws(e'\\x1f', p.part, ${key}, case p.part ${rows.join(' ')} end), e'\\x1e') from page p) as page${groups ? `,\n  ${pageGroups(`array(select o.id from page o where o.part = ${users})`, `(select o.id, o.place from page o where o.part = ${users}) o`)} as groups` : ''}
from live l`;
}

/** Rows that a look-up among others is given; whoever has more is asked by itself. */
export const MANY_TOGETHER = 8;

/** Look-ups of one text parameter, a value for each in an array: the rows of each, with its number from 1. */
export function togetherText(part: PagePart, groups: boolean): string {
  const text = groups ? USER_WITH_GROUPS_TEXT : tables[part.resource].text;
  return `
with ${LIVE}
select q.no, f.text from live l cross join unnest($${FIRST_FILTER_PARAM}::text[]) with ordinality as q (value, no)
left join lateral (
  select ${text} as text
  from ${open(part).replaceAll(`$${FIRST_FILTER_PARAM}::`, 'q.value::')} offset 0 limit ${MANY_TOGETHER + 1}
) f on true`;
}

/** One row more than a page has tells that there are too many to take them all. */
export function fewText(part: PagePart, groups: boolean): string {
  const text = groups ? USER_WITH_GROUPS_TEXT : tables[part.resource].text;
  return `
with ${LIVE}
select f.text from live l left join (
  select ${text} as text
  from ${open(part)} limit ${MOST_ROWS + 1}
) f on true`;
}
