-- A new user as the tables hold one: person, resource, address, counter and audit row, in one statement.
\set i :i + 1
\set n :base + :i * :clients + :client_id
with ids as materialized (
  select ('01900000-0001-7001-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid as person_id,
    ('01900000-0001-7002-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid as resource_id,
    ('01900000-0001-7003-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid as event_id,
    'limit' || :n::text as label
), subject as (
  insert into subjects (tenant_id, subject_id, kind) select :tenant::uuid, person_id, 'user' from ids
), person as (
  insert into users (tenant_id, user_id, user_name, email, email_verified_at, given_name, family_name, display_name, origin)
  select :tenant::uuid, person_id, label || '@d0.example', label || '@d0.example', now(), 'Given ' || label, 'Family ' || label,
    'Given Family ' || label, 'scim' from ids
), made as (
  insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, external_id, user_name, user_name_key, email, attributes)
  select :tenant::uuid, resource_id, :connection::uuid, person_id, 'ext-' || label, label || '@d0.example', label || '@d0.example',
    label || '@d0.example', ('{"userName": "' || label || '@d0.example", "name": {"givenName": "Given ' || label
      || '", "familyName": "Family ' || label || '"}, "emails": [{"primary": true, "value": "' || label
      || '@d0.example", "type": "work"}], "displayName": "Given Family ' || label || '", "externalId": "ext-' || label
      || '", "title": "Engineer", "active": true}')::jsonb
  from ids
), known as (
  insert into email_directory (email, tenant_id, user_id) select label || '@d0.example', :tenant::uuid, person_id from ids
), counted as (
  insert into directory_counters (tenant_id, connection_id, resource, slot, count)
  values (:tenant::uuid, :connection::uuid, 'users', floor(random() * 64), 1)
  on conflict (tenant_id, connection_id, resource, slot) do update set count = directory_counters.count + excluded.count
)
insert into audit_events (tenant_id, event_id, kind, actor, object_kind, object_id, connection_id, request_id, detail)
select :tenant::uuid, event_id, 'user.created', ('{"kind": "directory", "name": "d0", "connectionId": "' || :connection::text || '"}')::jsonb,
  'user', person_id, :connection::uuid, event_id::text,
  ('{"origin": "scim", "directoryUserId": "' || resource_id || '"}')::jsonb from ids;
