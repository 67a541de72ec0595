-- A page of a hundred users in the order of their ids.
select directory_user_id, attributes::text, version, created_at, last_modified_at from directory_users
where tenant_id = :tenant::uuid and connection_id = :connection::uuid and ended_at is null
  and directory_user_id > '00000000-0000-0000-0000-000000000000'
order by directory_user_id limit 100;
