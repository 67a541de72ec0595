-- compatible
-- What directories asked lately, for the administrator who looks at them. A debugging aid, kept for a time: the audit trail is
-- audit_events. No foreign keys, since rows come in batches and go by age.
create table scim_requests (
  tenant_id uuid not null,
  connection_id uuid not null,
  occurred_at timestamptz not null,
  request_id uuid not null,
  credential_id uuid not null,
  source text,
  method text not null,
  path text not null,
  query text,
  -- Null: the client hung up before it was answered.
  status smallint,
  scim_type text,
  duration_ms integer not null,
  notes jsonb,
  user_agent text,
  bytes_in bigint not null,
  bytes_out bigint not null,
  primary key (tenant_id, connection_id, occurred_at, request_id)
);
create index scim_requests_refused on scim_requests (tenant_id, connection_id, occurred_at) where status >= 400;

-- Apart from the rows above, since they go earlier: a request's body with its secrets taken out, and what its refusal said.
create table scim_request_bodies (
  tenant_id uuid not null,
  connection_id uuid not null,
  occurred_at timestamptz not null,
  request_id uuid not null,
  content_type text,
  body text,
  -- Why there is no body where the client sent one.
  omitted text check (omitted in ('cut', 'not_json')),
  refusal text,
  primary key (tenant_id, connection_id, occurred_at, request_id)
);

-- Of five minutes each, exact also for what the log had no room for.
create table scim_request_counts (
  tenant_id uuid not null,
  connection_id uuid not null,
  since timestamptz not null,
  requests bigint not null,
  -- 4xx but 429, 429, 5xx.
  refused bigint not null,
  limited bigint not null,
  failed bigint not null,
  not_kept bigint not null,
  primary key (tenant_id, connection_id, since)
) with (fillfactor = 70);

-- One row for each directory, brought up to date by whichever process has just heard from it.
create table directory_activity (
  tenant_id uuid not null,
  connection_id uuid not null,
  profile text,
  profile_by text check (profile_by in ('user_agent', 'shape', 'nothing')),
  profile_since timestamptz,
  last_request_at timestamptz,
  last_write_at timestamptz,
  last_cycle_began_at timestamptz,
  last_cycle_at timestamptz,
  last_cycle_kind text check (last_cycle_kind in ('walk', 'look_ups')),
  -- The run of reads under way, and what of the directory it has covered; order does not matter, since processes tell of it in any.
  run_began_at timestamptz,
  run_at timestamptz,
  run_covered int8multirange not null default '{}',
  run_by_cursor bigint not null default 0,
  run_cursor_ended boolean not null default false,
  run_total bigint,
  run_look_ups bigint not null default 0,
  primary key (tenant_id, connection_id)
) with (fillfactor = 50);

grant select, insert on scim_requests, scim_request_bodies, scim_request_counts, directory_activity to drawbridge_app;
grant update on scim_request_counts, directory_activity to drawbridge_app;

alter table scim_credentials add column last_used_from text;

-- Active users are counted as all but these, which are few: counting a million active ones would read the whole table.
create index directory_users_inactive on directory_users (tenant_id, connection_id) where ended_at is null and not active;
