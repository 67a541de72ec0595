// A database's schema as text, from its own catalogue: what db/schema.sql holds. Comments stay in the migrations.

import type pg from 'pg';

type Rows = readonly { readonly name: string; readonly text: string }[];

// PostgreSQL 18 has a constraint for each `not null`; the columns say those.
const TABLES = `
select c.relname as name, 'create table ' || c.relname || ' (' || string_agg(e'\\n  ' || line, ',' order by place, line_no) || e'\\n)'
  || case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end || ';' as text
from pg_class c
cross join lateral (
  select 0 as place, a.attnum::int as line_no, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attnotnull then ' not null' else '' end
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  union all
  select case k.contype when 'p' then 1 when 'u' then 2 when 'f' then 3 else 4 end, row_number() over (order by k.conname)::int,
    pg_get_constraintdef(k.oid)
  from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c')
) l
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname not like 'knex%'
group by c.oid, c.relname, c.relkind`;
const PARTITIONS = `
select p.relname as name, 'create table ' || c.relname || ' partition of ' || p.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) || ';' as text
from pg_class c join pg_inherits i on i.inhrelid = c.oid join pg_class p on p.oid = i.inhparent
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relispartition`;
const INDEXES = `
select t.relname as name, regexp_replace(pg_get_indexdef(x.indexrelid), ' ON (ONLY )?public\\.', ' ON \\1') || ';' as text
from pg_index x join pg_class t on t.oid = x.indrelid
where t.relnamespace = 'public'::regnamespace and not t.relispartition and t.relname not like 'knex%'
  and not exists (select 1 from pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u'))`;
const TRIGGERS = `
select t.relname as name, replace(pg_get_triggerdef(g.oid), ' public.', ' ') || ';' as text
from pg_trigger g join pg_class t on t.oid = g.tgrelid
where t.relnamespace = 'public'::regnamespace and not t.relispartition and not g.tgisinternal`;
const RIGHTS = `
select t.relname as name, 'grant ' || string_agg(r.right, ', ' order by r.right) || ' on ' || t.relname || ' to drawbridge_app;' as text
from pg_class t
cross join lateral (
  select lower(a.privilege_type) as right from aclexplode(t.relacl) a where a.grantee = 'drawbridge_app'::regrole
  union all
  select lower(a.privilege_type) || ' (' || string_agg(c.attname, ', ' order by c.attnum) || ')'
  from pg_attribute c cross join lateral aclexplode(c.attacl) a
  where c.attrelid = t.oid and c.attnum > 0 and not c.attisdropped and a.grantee = 'drawbridge_app'::regrole group by a.privilege_type
) r
where t.relnamespace = 'public'::regnamespace and not t.relispartition and t.relname not like 'knex%'
group by t.relname`;
const SEQUENCES = `
select relname as name, 'create sequence ' || relname || ';' as text from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'S' and relname not like 'knex%'`;
const FUNCTIONS = `
select proname as name, replace(trim(trailing e'\\n' from pg_get_functiondef(oid)), 'FUNCTION public.', 'FUNCTION ') || ';' as text
from pg_proc where pronamespace = 'public'::regnamespace`;

const HEAD = `-- The schema after the last migration, to be read. Written by \`npm run schema\` from a migrated database; the reasons are
-- in db/migrations, which is what makes it. The queue's schema is the library's own.
`;

/** The schema of the migrated database that the client is connected to, in an order that does not change between runs. */
export async function dumpSchema(client: pg.Client): Promise<string> {
  const read = async (text: string): Promise<Rows> => {
    const { rows } = await client.query<{ name: string; text: string }>(text);
    return rows.sort((a, b) => compare(a.name, b.name) || compare(a.text, b.text));
  };
  const about = [await read(PARTITIONS), await read(INDEXES), await read(TRIGGERS), await read(RIGHTS)].flat();
  const tables = (await read(TABLES)).map(({ name, text }) =>
    [text, ...about.filter((one) => one.name === name).map((one) => one.text)].join('\n'),
  );
  const parts = [...(await read(SEQUENCES)), ...(await read(FUNCTIONS))].map(({ text }) => text);
  return `${[HEAD.trimEnd(), ...parts, ...tables].join('\n\n')}\n`;
}

/** By code point: a locale's order is another on the next machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
