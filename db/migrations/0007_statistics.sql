-- compatible
-- Until a table has statistics, every index that begins with tenant and connection is as good to the planner as the right one, and a
-- look-up by name reads a whole directory. Autovacuum comes by once a minute, if at all; by then a directory has brought tens of
-- thousands. So the server has the tables that directories fill analyzed when they are a quarter of a megabyte large, which is some
-- hundred users, and whenever they have doubled since, until they are large: then a tenth more is much, and autovacuum sees to it. One
-- table a call, by a third of the usual sample: that is done within the time that any statement has. Of two servers at once the second
-- passes over what the first is at.
create function analyze_grown() returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set default_statistics_target = 30 as $$
declare
  grown regclass;
begin
  select c.oid into grown from pg_class c
  where c.oid = any (array['public.directory_users', 'public.directory_groups', 'public.group_members', 'public.users',
      'public.subjects', 'public.email_directory', 'public.held_keys', 'public.suspensions', 'public.identities']::regclass[])
    and c.relpages * current_setting('block_size')::bigint < 64 * 1024 * 1024
    and pg_relation_size(c.oid) >= 2 * greatest(c.relpages, 16) * current_setting('block_size')::bigint
  order by pg_relation_size(c.oid) limit 1;
  if grown is null then return false; end if;
  execute format('analyze (skip_locked) %s', grown);
  return true;
end $$;
revoke execute on function analyze_grown () from public;
grant execute on function analyze_grown () to drawbridge_app;
