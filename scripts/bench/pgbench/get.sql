-- One user by userName.
\set r random(1, :pool)
select directory_user_id, attributes::text, version, created_at, last_modified_at from directory_users
where tenant_id = :tenant::uuid and connection_id = :connection::uuid and user_name_key = 'bench' || :r::text || '@d0.example'
  and ended_at is null;
