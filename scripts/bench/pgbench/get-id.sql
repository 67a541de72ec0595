-- One user by id.
\set r random(1, :pool)
select directory_user_id, attributes::text, version, created_at, last_modified_at from directory_users
where tenant_id = :tenant::uuid and directory_user_id = ('01900000-0000-7002-8000-' || lpad(to_hex(:r::bigint), 12, '0'))::uuid
  and connection_id = :connection::uuid and ended_at is null;
