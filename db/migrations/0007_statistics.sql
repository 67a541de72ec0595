-- compatible
-- Until a table has statistics, every index that begins with tenant and connection is as good to the planner as the right one, and a
-- look-up by name reads a whole directory. Autovacuum comes by once a minute, if at all; by then a directory has brought tens of
-- thousands. So the server has the tables that directories fill analyzed when they are a quarter of a megabyte large, which is some
-- hundred users, and whenever they have doubled since. Of two servers at once the second passes over what the first is at.
create function analyze_grown() returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  grown regclass;
  analyzed integer := 0;
begin
  for grown in
    select c.oid from pg_class c
    where c.oid = any (array['public.directory_users', 'public.directory_groups', 'public.group_members', 'public.users',
        'public.subjects', 'public.email_directory', 'public.held_keys', 'public.suspensions', 'public.identities']::regclass[])
      and pg_relation_size(c.oid) >= 2 * greatest(c.relpages, 16) * current_setting('block_size')::bigint
  loop
    execute format('analyze (skip_locked) %s', grown);
    analyzed := analyzed + 1;
  end loop;
  return analyzed;
end $$;
revoke execute on function analyze_grown () from public;
grant execute on function analyze_grown () to drawbridge_app;
