-- A user changed: the resource with its version, and the audit row, in one statement.
\set r random(1, :pool)
\set t random(1, 1000000000)
with written as (
  update directory_users set attributes = ('{"userName": "bench' || :r::text || '@d0.example", "name": {"givenName": "Given bench' || :r::text
      || '", "familyName": "Family bench' || :r::text || '"}, "emails": [{"primary": true, "value": "bench' || :r::text
      || '@d0.example", "type": "work"}], "displayName": "Given Family bench' || :r::text || '", "externalId": "ext-bench' || :r::text
      || '", "title": "T' || :t::text || '", "active": true}')::jsonb,
    version = version + 1, last_modified_at = clock_timestamp()
  where tenant_id = :tenant::uuid and directory_user_id = ('01900000-0000-7002-8000-' || lpad(to_hex(:r::bigint), 12, '0'))::uuid
    and connection_id = :connection::uuid and ended_at is null
  returning user_id, directory_user_id, version, last_modified_at
)
insert into audit_events (tenant_id, event_id, kind, actor, object_kind, object_id, connection_id, request_id, detail)
select :tenant::uuid, gen_random_uuid(), 'user.updated',
  ('{"kind": "directory", "name": "d0", "connectionId": "' || :connection::text || '"}')::jsonb, 'user', user_id, :connection::uuid,
  gen_random_uuid()::text, ('{"changed": ["title"], "directoryUserId": "' || directory_user_id || '"}')::jsonb
from written;
