-- compatible
-- Keys are folded already, so they are compared by code point, whatever the database's own order is: a unique index then has the
-- order in which a directory's users and groups are sorted by name.
alter table directory_users alter column user_name_key type text collate "C";
alter table directory_groups alter column display_name_key type text collate "C";

-- What else a list of a large directory is sorted by. Groups are few, and a column that no index has keeps their updates cheap.
create index directory_users_by_display_name on directory_users (tenant_id, connection_id,
  (coalesce(left(lower(attributes ->> 'displayName'), 256), chr(1114111)) collate "C"), directory_user_id) where ended_at is null;
create index directory_users_by_created on directory_users (tenant_id, connection_id, created_at, directory_user_id)
  where ended_at is null;
create index directory_users_by_last_modified on directory_users (tenant_id, connection_id, last_modified_at, directory_user_id)
  where ended_at is null;

-- A moment that a directory's own attribute holds, UTC where it names no zone; null for text that is none. What is stored may be older
-- than the schema that calls it a moment.
create function scim_instant(stored text) returns timestamptz language plpgsql immutable strict as $$
begin
  return (case when stored ~ '(Z|[+-][0-9][0-9]:[0-9][0-9])$' then stored else stored || 'Z' end)::timestamptz;
exception when data_exception then
  return null;
end $$;
grant execute on function scim_instant (text) to drawbridge_app;
