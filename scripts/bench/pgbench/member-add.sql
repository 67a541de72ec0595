-- A member added to a group: the membership, the group's version and the audit row, in one statement.
\set i :i + 1
\set n :base + :i * :clients + :client_id
with ids as materialized (
  select ('01900000-0000-7002-8000-' || lpad(to_hex(:n::bigint), 12, '0'))::uuid as member_id
), added as (
  insert into group_members (tenant_id, group_id, directory_user_id) select :tenant::uuid, :group::uuid, member_id from ids
  on conflict do nothing returning directory_user_id
), written as (
  update directory_groups set version = version + 1, last_modified_at = clock_timestamp()
  where tenant_id = :tenant::uuid and group_id = :group::uuid and ended_at is null and exists (select 1 from added)
  returning version, last_modified_at
)
insert into audit_events (tenant_id, event_id, kind, actor, object_kind, object_id, connection_id, request_id, detail)
select :tenant::uuid, gen_random_uuid(), 'group.members_changed',
  ('{"kind": "directory", "name": "d0", "connectionId": "' || :connection::text || '"}')::jsonb, 'group', :group::uuid,
  :connection::uuid, gen_random_uuid()::text, ('{"added": ' || 1 || ', "removed": ' || 0 || ', "addedIds": ["' || member_id
    || '"], "removedIds": []}')::jsonb
from ids, written;
