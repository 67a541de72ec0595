-- The schema after the last migration, to be read. Written by `npm run schema` from a migrated database; the reasons are
-- in db/migrations, which is what makes it. The queue's schema is the library's own.

create sequence config_versions;

CREATE OR REPLACE FUNCTION analyze_grown()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET default_statistics_target TO '30'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION enqueue_job(task text, payload jsonb, job_key text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform graphile_worker.add_job(task, payload::json, job_key := job_key, max_attempts := 25);
end $function$;

CREATE OR REPLACE FUNCTION guard_suspension()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.lifted_at is not null or new.tenant_id <> old.tenant_id or new.subject_id <> old.subject_id
     or new.suspended_at <> old.suspended_at then
    raise exception 'a suspension is only ever lifted' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'insufficient_privilege';
end $function$;

CREATE OR REPLACE FUNCTION scim_instant(stored text)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 IMMUTABLE STRICT
AS $function$
begin
  return (case when stored ~ '(Z|[+-][0-9][0-9]:[0-9][0-9])$' then stored else stored || 'Z' end)::timestamptz;
exception when data_exception then
  return null;
end $function$;

create table access_requests (
  tenant_id uuid not null,
  request_id uuid not null,
  kind text not null,
  email text not null,
  subject_id uuid,
  message text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  decision text,
  decided_at timestamp with time zone,
  decided_by jsonb,
  PRIMARY KEY (tenant_id, request_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects(tenant_id, subject_id),
  CHECK (((decision IS NULL) = (decided_at IS NULL))),
  CHECK ((decision = ANY (ARRAY['approved'::text, 'declined'::text]))),
  CHECK ((kind = ANY (ARRAY['in_app'::text, 'signup'::text, 'sso_signup'::text]))),
  CHECK ((length(message) <= 2000))
);
CREATE INDEX access_requests_of_subject ON access_requests USING btree (tenant_id, subject_id) WHERE (decision IS NULL);
CREATE UNIQUE INDEX access_requests_open ON access_requests USING btree (tenant_id, email) WHERE (decision IS NULL);
grant insert, select, update on access_requests to drawbridge_app;

create table allowed_domains (
  tenant_id uuid not null,
  domain text not null,
  managed_by text not null default 'config'::text,
  PRIMARY KEY (tenant_id, domain),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((domain = lower(domain))),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text])))
);
grant delete, insert, select on allowed_domains to drawbridge_app;

create table asserted_groups (
  tenant_id uuid not null,
  user_id uuid not null,
  connection_id uuid not null,
  value text not null,
  PRIMARY KEY (tenant_id, user_id, connection_id, value),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id),
  CHECK (((length(value) >= 1) AND (length(value) <= 1000)))
);
grant delete, insert, select on asserted_groups to drawbridge_app;

create table audit_events (
  tenant_id uuid not null,
  occurred_at timestamp with time zone not null default clock_timestamp(),
  event_id uuid not null,
  kind text not null,
  outcome text not null default 'done'::text,
  actor jsonb not null,
  object_kind text,
  object_id uuid,
  connection_id uuid,
  reason text,
  request_id text,
  detail jsonb,
  transaction_id xid8 not null default pg_current_xact_id(),
  PRIMARY KEY (tenant_id, occurred_at, event_id),
  CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text])))
) partition by RANGE (occurred_at);
create table audit_events_rest partition of audit_events DEFAULT;
CREATE INDEX audit_events_object ON ONLY audit_events USING btree (tenant_id, object_id, occurred_at);
CREATE TRIGGER audit_events_append_only BEFORE DELETE OR UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
grant insert, select on audit_events to drawbridge_app;

create table clients (
  client_id text not null,
  tenant_id uuid not null,
  secret_hash bytea,
  metadata jsonb not null,
  enabled boolean not null default true,
  managed_by text not null default 'api'::text,
  created_at timestamp with time zone not null default now(),
  PRIMARY KEY (client_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text])))
);
grant insert, select, update on clients to drawbridge_app;

create table connection_domains (
  tenant_id uuid not null,
  connection_id uuid not null,
  domain text not null,
  PRIMARY KEY (tenant_id, connection_id, domain),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id)
);
CREATE INDEX connection_domains_by_domain ON connection_domains USING btree (domain);
grant delete, insert, select on connection_domains to drawbridge_app;

create table connections (
  tenant_id uuid not null,
  connection_id uuid not null,
  key text not null,
  display_name text not null,
  protocol text,
  issuer text,
  settings jsonb not null default '{}'::jsonb,
  scim boolean not null default false,
  scim_held boolean not null default false,
  enabled boolean not null default true,
  managed_by text not null default 'config'::text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  directory jsonb not null default '{}'::jsonb,
  PRIMARY KEY (tenant_id, connection_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((key ~ '^[a-z0-9](-?[a-z0-9]){0,62}$'::text)),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text]))),
  CHECK ((protocol = ANY (ARRAY['oidc'::text, 'saml'::text, 'password'::text])))
);
CREATE UNIQUE INDEX connections_open_key ON connections USING btree (tenant_id, key) WHERE (ended_at IS NULL);
grant insert, select, update on connections to drawbridge_app;

create table directory_activity (
  tenant_id uuid not null,
  connection_id uuid not null,
  profile text,
  profile_by text,
  profile_since timestamp with time zone,
  last_request_at timestamp with time zone,
  last_write_at timestamp with time zone,
  last_cycle_began_at timestamp with time zone,
  last_cycle_at timestamp with time zone,
  last_cycle_kind text,
  run_began_at timestamp with time zone,
  run_at timestamp with time zone,
  run_covered int8multirange not null default '{}'::int8multirange,
  run_by_cursor bigint not null default 0,
  run_cursor_ended boolean not null default false,
  run_total bigint,
  run_look_ups bigint not null default 0,
  PRIMARY KEY (tenant_id, connection_id),
  CHECK ((last_cycle_kind = ANY (ARRAY['walk'::text, 'look_ups'::text]))),
  CHECK ((profile_by = ANY (ARRAY['user_agent'::text, 'shape'::text, 'nothing'::text])))
);
grant insert, select, update on directory_activity to drawbridge_app;

create table directory_counters (
  tenant_id uuid not null,
  connection_id uuid not null,
  resource text not null,
  slot smallint not null,
  count bigint not null default 0,
  PRIMARY KEY (tenant_id, connection_id, resource, slot),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  CHECK ((resource = ANY (ARRAY['users'::text, 'groups'::text]))),
  CHECK (((slot >= 0) AND (slot <= 63)))
);
grant insert, select, update on directory_counters to drawbridge_app;

create table directory_groups (
  tenant_id uuid not null,
  group_id uuid not null,
  connection_id uuid not null,
  external_id text,
  display_name text not null,
  display_name_key text not null,
  attributes jsonb not null default '{}'::jsonb,
  version bigint not null default 1,
  created_at timestamp with time zone not null default now(),
  last_modified_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, group_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  CHECK (((length(display_name) >= 1) AND (length(display_name) <= 1000))),
  CHECK ((length(external_id) <= 1000))
);
CREATE INDEX directory_groups_page ON directory_groups USING btree (tenant_id, connection_id, group_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX directory_groups_open_external_id ON directory_groups USING btree (tenant_id, connection_id, external_id) WHERE ((ended_at IS NULL) AND (external_id IS NOT NULL));
CREATE UNIQUE INDEX directory_groups_open_name ON directory_groups USING btree (tenant_id, connection_id, display_name_key) WHERE (ended_at IS NULL);
grant insert, select, update on directory_groups to drawbridge_app;

create table directory_guard_acts (
  tenant_id uuid not null,
  connection_id uuid not null,
  act text not null,
  object_id uuid not null,
  member_id uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  asked_at timestamp with time zone not null default clock_timestamp(),
  PRIMARY KEY (tenant_id, connection_id, act, object_id, member_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES directory_guards(tenant_id, connection_id),
  CHECK ((act = ANY (ARRAY['deactivate_user'::text, 'remove_user'::text, 'leave_group'::text, 'remove_group'::text, 'unmap_group'::text, 'touch_user'::text])))
);
grant delete, insert, select on directory_guard_acts to drawbridge_app;

create table directory_guard_people (
  tenant_id uuid not null,
  connection_id uuid not null,
  user_id uuid not null,
  touched_at timestamp with time zone not null default clock_timestamp(),
  approved boolean not null default false,
  PRIMARY KEY (tenant_id, connection_id, user_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES directory_guards(tenant_id, connection_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id)
);
grant delete, insert, select, update on directory_guard_people to drawbridge_app;

create table directory_guards (
  tenant_id uuid not null,
  connection_id uuid not null,
  paused_at timestamp with time zone,
  crossed text,
  people integer,
  overflowed boolean not null default false,
  PRIMARY KEY (tenant_id, connection_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  CHECK (((paused_at IS NULL) = (crossed IS NULL))),
  CHECK ((crossed = ANY (ARRAY['people'::text, 'percent'::text])))
);
grant insert, select, update on directory_guards to drawbridge_app;

create table directory_users (
  tenant_id uuid not null,
  directory_user_id uuid not null,
  connection_id uuid not null,
  user_id uuid not null,
  external_id text,
  user_name text not null,
  user_name_key text not null,
  email text,
  active boolean not null default true,
  attributes jsonb not null,
  version bigint not null default 1,
  created_at timestamp with time zone not null default now(),
  last_modified_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  ended_by text,
  withheld boolean not null default false,
  PRIMARY KEY (tenant_id, directory_user_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id),
  CHECK (((ended_at IS NULL) = (ended_by IS NULL))),
  CHECK ((ended_by = ANY (ARRAY['directory'::text, 'admin'::text]))),
  CHECK ((length(external_id) <= 1000)),
  CHECK (((length(user_name) >= 1) AND (length(user_name) <= 320)))
);
CREATE INDEX directory_users_by_created ON directory_users USING btree (tenant_id, connection_id, created_at, directory_user_id) WHERE (ended_at IS NULL);
CREATE INDEX directory_users_by_display_name ON directory_users USING btree (tenant_id, connection_id, COALESCE("left"(lower((attributes ->> 'displayName'::text)), 256), chr(1114111)) COLLATE "C", directory_user_id) WHERE (ended_at IS NULL);
CREATE INDEX directory_users_by_last_modified ON directory_users USING btree (tenant_id, connection_id, last_modified_at, directory_user_id) WHERE (ended_at IS NULL);
CREATE INDEX directory_users_by_user ON directory_users USING btree (tenant_id, user_id) WHERE (user_id IS NOT NULL);
CREATE INDEX directory_users_emails ON directory_users USING gin (((lower(((attributes -> 'emails'::text))::text))::jsonb) jsonb_path_ops) WHERE (ended_at IS NULL);
CREATE INDEX directory_users_former ON directory_users USING btree (tenant_id, connection_id, external_id) WHERE ((ended_at IS NOT NULL) AND (external_id IS NOT NULL));
CREATE INDEX directory_users_former_user_name ON directory_users USING btree (tenant_id, connection_id, user_name_key) WHERE ((ended_at IS NOT NULL) AND (ended_by = 'directory'::text));
CREATE INDEX directory_users_inactive ON directory_users USING btree (tenant_id, connection_id) WHERE ((ended_at IS NULL) AND (NOT active));
CREATE INDEX directory_users_page ON directory_users USING btree (tenant_id, connection_id, directory_user_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX directory_users_open_external_id ON directory_users USING btree (tenant_id, connection_id, external_id) WHERE ((ended_at IS NULL) AND (external_id IS NOT NULL));
CREATE UNIQUE INDEX directory_users_open_user_name ON directory_users USING btree (tenant_id, connection_id, user_name_key) WHERE (ended_at IS NULL);
grant insert, select, update on directory_users to drawbridge_app;

create table domain_owners (
  domain text not null,
  tenant_id uuid not null,
  PRIMARY KEY (domain),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((domain = lower(domain)))
);
grant delete, insert, select on domain_owners to drawbridge_app;

create table email_directory (
  email text not null,
  tenant_id uuid not null,
  user_id uuid not null,
  PRIMARY KEY (email, tenant_id, user_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id)
);
grant delete, insert, select on email_directory to drawbridge_app;

create table group_members (
  tenant_id uuid not null,
  group_id uuid not null,
  directory_user_id uuid not null,
  PRIMARY KEY (tenant_id, group_id, directory_user_id),
  FOREIGN KEY (tenant_id, directory_user_id) REFERENCES directory_users(tenant_id, directory_user_id),
  FOREIGN KEY (tenant_id, group_id) REFERENCES directory_groups(tenant_id, group_id)
);
CREATE INDEX group_members_of_user ON group_members USING btree (tenant_id, directory_user_id);
grant delete, insert, select on group_members to drawbridge_app;

create table guests (
  tenant_id uuid not null,
  guest_id uuid not null,
  kind text not null default 'guest'::text,
  source_tenant_id uuid not null,
  source_user_id uuid not null,
  mapped_by jsonb not null,
  mapped_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, guest_id),
  UNIQUE (tenant_id, source_tenant_id, source_user_id),
  FOREIGN KEY (tenant_id, guest_id, kind) REFERENCES subjects(tenant_id, subject_id, kind),
  FOREIGN KEY (tenant_id, source_tenant_id) REFERENCES tenant_ancestors(tenant_id, ancestor_id),
  CHECK ((kind = 'guest'::text))
);
grant insert, select, update on guests to drawbridge_app;

create table held_keys (
  tenant_id uuid not null,
  key_hash bytea not null,
  subject_id uuid not null,
  created_at timestamp with time zone not null default now(),
  PRIMARY KEY (tenant_id, key_hash, subject_id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects(tenant_id, subject_id)
);
grant insert, select on held_keys to drawbridge_app;

create table identities (
  tenant_id uuid not null,
  identity_id uuid not null,
  user_id uuid not null,
  connection_id uuid not null,
  issuer text not null,
  subject text not null,
  linked_by text not null,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone,
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, identity_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id),
  CHECK ((linked_by = ANY (ARRAY['directory'::text, 'email'::text, 'jit'::text, 'registration'::text, 'self'::text, 'admin'::text]))),
  CHECK (((length(subject) >= 1) AND (length(subject) <= 1000)))
);
CREATE INDEX identities_by_user ON identities USING btree (tenant_id, user_id);
CREATE UNIQUE INDEX identities_open ON identities USING btree (tenant_id, connection_id, issuer, subject) WHERE (ended_at IS NULL);
grant insert, select, update on identities to drawbridge_app;

create table installation (
  only_one boolean not null default true,
  key_check text not null,
  created_at timestamp with time zone not null default now(),
  PRIMARY KEY (only_one),
  CHECK (only_one)
);
grant insert, select on installation to drawbridge_app;

create table invitations (
  tenant_id uuid not null,
  invitation_id uuid not null,
  user_id uuid not null,
  purpose text not null,
  secret_hash bytea not null,
  email text,
  created_by jsonb not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, invitation_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id),
  CHECK ((purpose = ANY (ARRAY['invite'::text, 'reset'::text, 'bootstrap'::text])))
);
CREATE INDEX invitations_of_user ON invitations USING btree (tenant_id, user_id) WHERE ((used_at IS NULL) AND (ended_at IS NULL));
CREATE UNIQUE INDEX invitations_secret ON invitations USING btree (tenant_id, secret_hash);
grant insert, select, update on invitations to drawbridge_app;

create table local_group_members (
  tenant_id uuid not null,
  membership_id uuid not null,
  local_group_id uuid not null,
  subject_id uuid not null,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, membership_id),
  FOREIGN KEY (tenant_id, local_group_id) REFERENCES local_groups(tenant_id, local_group_id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects(tenant_id, subject_id)
);
CREATE INDEX local_group_members_of_subject ON local_group_members USING btree (tenant_id, subject_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX local_group_members_open ON local_group_members USING btree (tenant_id, local_group_id, subject_id) WHERE (ended_at IS NULL);
grant insert, select, update on local_group_members to drawbridge_app;

create table local_groups (
  tenant_id uuid not null,
  local_group_id uuid not null,
  name text not null,
  managed_by text not null default 'built_in'::text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, local_group_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text, 'built_in'::text]))),
  CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);
CREATE UNIQUE INDEX local_groups_open_name ON local_groups USING btree (tenant_id, lower(name)) WHERE (ended_at IS NULL);
grant insert, select, update on local_groups to drawbridge_app;

create table login_flows (
  tenant_id uuid not null,
  flow_hash bytea not null,
  connection_id uuid not null,
  interaction_hash bytea,
  secrets_sealed bytea not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  PRIMARY KEY (tenant_id, flow_hash),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id)
);
CREATE INDEX login_flows_expiry ON login_flows USING btree (expires_at);
grant delete, insert, select, update on login_flows to drawbridge_app;

create table mail_windows (
  tenant_id uuid not null,
  template text not null,
  email text not null,
  job_id text not null,
  sending jsonb not null,
  waiting jsonb not null default '[]'::jsonb,
  opened_at timestamp with time zone not null default clock_timestamp(),
  PRIMARY KEY (tenant_id, template, email),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id)
);
grant insert, select, update on mail_windows to drawbridge_app;

create table mapping_pointers (
  tenant_id uuid not null,
  user_id uuid not null,
  target_tenant_id uuid not null,
  guest_id uuid not null,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, user_id, target_tenant_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id)
);
grant insert, select, update on mapping_pointers to drawbridge_app;

create table mapping_rules (
  tenant_id uuid not null,
  rule_id uuid not null,
  key text not null,
  connection_id uuid,
  match_kind text not null,
  match_value text not null,
  allow_new_groups boolean not null default false,
  role_id uuid not null,
  managed_by text not null default 'config'::text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, rule_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  FOREIGN KEY (tenant_id, role_id) REFERENCES roles(tenant_id, role_id),
  CHECK (((match_kind = 'local'::text) = (connection_id IS NULL))),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text]))),
  CHECK ((match_kind = ANY (ARRAY['id'::text, 'name'::text, 'prefix'::text, 'local'::text]))),
  CHECK (((length(match_value) >= 1) AND (length(match_value) <= 1000)))
);
CREATE INDEX mapping_rules_by_role ON mapping_rules USING btree (tenant_id, role_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX mapping_rules_open_key ON mapping_rules USING btree (tenant_id, key) WHERE (ended_at IS NULL);
grant insert, select, update on mapping_rules to drawbridge_app;

create table oidc_artifacts (
  model text not null,
  id_hash bytea not null,
  token_hash bytea,
  payload_sealed bytea not null,
  grant_hash bytea,
  session_hash bytea,
  session_bound boolean not null default false,
  client_id text,
  account_tenant_id uuid,
  account_user_id uuid,
  account_epoch bigint,
  target_tenant_id uuid,
  target_guest_id uuid,
  target_epoch bigint,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  rotated_at timestamp with time zone,
  PRIMARY KEY (model, id_hash),
  CHECK (((model = 'RefreshToken'::text) = (token_hash IS NOT NULL))),
  CHECK ((num_nulls(account_tenant_id, account_user_id, account_epoch) = ANY (ARRAY[0, 3]))),
  CHECK ((num_nulls(target_tenant_id, target_guest_id, target_epoch) = ANY (ARRAY[0, 3]))),
  CHECK (((target_guest_id IS NULL) OR (account_user_id IS NOT NULL)))
);
CREATE INDEX oidc_artifacts_account ON oidc_artifacts USING btree (account_tenant_id, account_user_id) WHERE (account_user_id IS NOT NULL);
CREATE INDEX oidc_artifacts_expiry ON oidc_artifacts USING brin (expires_at);
CREATE INDEX oidc_artifacts_grant ON oidc_artifacts USING btree (grant_hash) WHERE (grant_hash IS NOT NULL);
CREATE INDEX oidc_artifacts_session ON oidc_artifacts USING btree (session_hash, model) WHERE (session_hash IS NOT NULL);
CREATE INDEX oidc_artifacts_target ON oidc_artifacts USING btree (target_tenant_id, target_guest_id) WHERE (target_guest_id IS NOT NULL);
grant delete, insert, select, update on oidc_artifacts to drawbridge_app;

create table passwords (
  tenant_id uuid not null,
  user_id uuid not null,
  hash text not null,
  set_at timestamp with time zone not null default now(),
  must_change boolean not null default false,
  failures integer not null default 0,
  last_failure_at timestamp with time zone,
  PRIMARY KEY (tenant_id, user_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id)
);
grant delete, insert, select, update on passwords to drawbridge_app;

create table preferences (
  tenant_id uuid not null,
  user_id uuid not null,
  name text not null,
  value jsonb not null,
  PRIMARY KEY (tenant_id, user_id, name),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id)
);
grant delete, insert, select, update on preferences to drawbridge_app;

create table role_grants (
  tenant_id uuid not null,
  grant_id uuid not null,
  subject_id uuid not null,
  role_id uuid not null,
  source text not null,
  granted_by jsonb not null,
  granted_at timestamp with time zone not null default clock_timestamp(),
  ended_at timestamp with time zone,
  ended_by jsonb,
  PRIMARY KEY (tenant_id, grant_id),
  UNIQUE (tenant_id, grant_id, subject_id, source, granted_at),
  FOREIGN KEY (tenant_id, role_id) REFERENCES roles(tenant_id, role_id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects(tenant_id, subject_id),
  CHECK ((source = ANY (ARRAY['admin'::text, 'invitation'::text, 'default'::text])))
);
CREATE UNIQUE INDEX role_grants_open ON role_grants USING btree (tenant_id, subject_id, role_id) WHERE (ended_at IS NULL);
grant insert, select, update on role_grants to drawbridge_app;

create table roles (
  tenant_id uuid not null,
  role_id uuid not null,
  workspace text not null,
  name text not null,
  rights text[] not null default '{}'::text[],
  managed_by text not null default 'config'::text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, role_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text, 'built_in'::text]))),
  CHECK ((((length(name) >= 1) AND (length(name) <= 100)) AND (upper(name) <> 'NO_ACCESS'::text))),
  CHECK ((((length(workspace) >= 1) AND (length(workspace) <= 100)) AND (workspace !~ ':'::text)))
);
CREATE UNIQUE INDEX roles_open_name ON roles USING btree (tenant_id, lower(workspace), lower(name)) WHERE (ended_at IS NULL);
grant insert, select, update on roles to drawbridge_app;

create table rule_bindings (
  tenant_id uuid not null,
  rule_id uuid not null,
  group_id uuid not null,
  state text not null,
  created_at timestamp with time zone not null default now(),
  PRIMARY KEY (tenant_id, rule_id, group_id),
  FOREIGN KEY (tenant_id, group_id) REFERENCES directory_groups(tenant_id, group_id),
  FOREIGN KEY (tenant_id, rule_id) REFERENCES mapping_rules(tenant_id, rule_id),
  CHECK ((state = ANY (ARRAY['bound'::text, 'held'::text])))
);
grant delete, insert, select, update on rule_bindings to drawbridge_app;

create table scim_credentials (
  tenant_id uuid not null,
  credential_id uuid not null,
  connection_id uuid not null,
  prefix text not null,
  secret_hash bytea not null,
  created_by jsonb not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  ended_at timestamp with time zone,
  last_used_from text,
  kind text not null default 'token'::text,
  PRIMARY KEY (tenant_id, credential_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id),
  CHECK (((kind = 'client'::text) = (prefix ~~ 'scim.%'::text))),
  CHECK ((kind = ANY (ARRAY['token'::text, 'client'::text])))
);
CREATE UNIQUE INDEX scim_credentials_open_prefix ON scim_credentials USING btree (tenant_id, connection_id, prefix) WHERE (ended_at IS NULL);
grant insert, select, update on scim_credentials to drawbridge_app;

create table scim_request_bodies (
  tenant_id uuid not null,
  connection_id uuid not null,
  occurred_at timestamp with time zone not null,
  request_id uuid not null,
  content_type text,
  body text,
  omitted text,
  refusal text,
  PRIMARY KEY (tenant_id, connection_id, occurred_at, request_id),
  CHECK ((omitted = ANY (ARRAY['cut'::text, 'not_json'::text])))
);
grant insert, select on scim_request_bodies to drawbridge_app;

create table scim_request_counts (
  tenant_id uuid not null,
  connection_id uuid not null,
  since timestamp with time zone not null,
  requests bigint not null,
  refused bigint not null,
  limited bigint not null,
  failed bigint not null,
  not_kept bigint not null,
  PRIMARY KEY (tenant_id, connection_id, since)
);
grant insert, select, update on scim_request_counts to drawbridge_app;

create table scim_requests (
  tenant_id uuid not null,
  connection_id uuid not null,
  occurred_at timestamp with time zone not null,
  request_id uuid not null,
  credential_id uuid not null,
  source text,
  method text not null,
  path text not null,
  query text,
  status smallint,
  scim_type text,
  duration_ms integer not null,
  notes jsonb,
  user_agent text,
  bytes_in bigint not null,
  bytes_out bigint not null,
  PRIMARY KEY (tenant_id, connection_id, occurred_at, request_id)
);
CREATE INDEX scim_requests_refused ON scim_requests USING btree (tenant_id, connection_id, occurred_at) WHERE (status >= 400);
grant insert, select on scim_requests to drawbridge_app;

create table seen_assertions (
  tenant_id uuid not null,
  connection_id uuid not null,
  assertion_hash bytea not null,
  expires_at timestamp with time zone not null,
  PRIMARY KEY (tenant_id, connection_id, assertion_hash),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connections(tenant_id, connection_id)
);
CREATE INDEX seen_assertions_expiry ON seen_assertions USING btree (expires_at);
grant delete, insert, select on seen_assertions to drawbridge_app;

create table sign_in_days (
  tenant_id uuid not null,
  user_id uuid not null,
  day date not null,
  count integer not null default 1,
  PRIMARY KEY (tenant_id, user_id, day),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, user_id)
);
grant insert, select, update on sign_in_days to drawbridge_app;

create table sign_in_handles (
  tenant_id uuid not null,
  handle_hash bytea not null,
  interaction_hash bytea not null,
  result jsonb not null,
  expires_at timestamp with time zone not null,
  consumed_at timestamp with time zone,
  PRIMARY KEY (tenant_id, handle_hash)
);
CREATE INDEX sign_in_handles_expiry ON sign_in_handles USING btree (expires_at);
grant delete, insert, select, update on sign_in_handles to drawbridge_app;

create table signing_keys (
  kid text not null,
  algorithm text not null,
  private_sealed bytea not null,
  public_jwk jsonb not null,
  state text not null,
  created_at timestamp with time zone not null default now(),
  activated_at timestamp with time zone,
  retired_at timestamp with time zone,
  ended_at timestamp with time zone,
  PRIMARY KEY (kid),
  CHECK ((state = ANY (ARRAY['next'::text, 'current'::text, 'retired'::text])))
);
CREATE UNIQUE INDEX signing_keys_current ON signing_keys USING btree (algorithm) WHERE ((state = 'current'::text) AND (ended_at IS NULL));
CREATE UNIQUE INDEX signing_keys_next ON signing_keys USING btree (algorithm) WHERE ((state = 'next'::text) AND (ended_at IS NULL));
grant insert, select, update on signing_keys to drawbridge_app;

create table subjects (
  tenant_id uuid not null,
  subject_id uuid not null,
  kind text not null,
  access_epoch bigint not null default 1,
  PRIMARY KEY (tenant_id, subject_id),
  UNIQUE (tenant_id, subject_id, kind),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((kind = ANY (ARRAY['user'::text, 'guest'::text])))
);
grant insert, select, update on subjects to drawbridge_app;

create table suspensions (
  tenant_id uuid not null,
  suspension_id uuid not null,
  subject_id uuid not null,
  suspended_at timestamp with time zone not null default clock_timestamp(),
  suspended_by jsonb not null,
  reason text,
  inherited_from uuid,
  lifted_grant_id uuid,
  lifted_source text,
  lifted_at timestamp with time zone,
  PRIMARY KEY (tenant_id, suspension_id),
  FOREIGN KEY (tenant_id, inherited_from) REFERENCES suspensions(tenant_id, suspension_id),
  FOREIGN KEY (tenant_id, lifted_grant_id, subject_id, lifted_source, lifted_at) REFERENCES role_grants(tenant_id, grant_id, subject_id, source, granted_at),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES subjects(tenant_id, subject_id),
  CHECK ((((lifted_at IS NULL) = (lifted_grant_id IS NULL)) AND ((lifted_at IS NULL) = (lifted_source IS NULL)))),
  CHECK ((lifted_at > suspended_at)),
  CHECK ((lifted_source = 'admin'::text))
);
CREATE UNIQUE INDEX suspensions_open ON suspensions USING btree (tenant_id, subject_id) WHERE (lifted_at IS NULL);
CREATE TRIGGER suspensions_no_delete BEFORE DELETE ON suspensions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER suspensions_no_truncate BEFORE TRUNCATE ON suspensions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER suspensions_only_lifted BEFORE UPDATE ON suspensions FOR EACH ROW EXECUTE FUNCTION guard_suspension();
grant insert, select, update (lifted_grant_id, lifted_source, lifted_at) on suspensions to drawbridge_app;

create table tenant_ancestors (
  tenant_id uuid not null,
  ancestor_id uuid not null,
  depth integer not null,
  PRIMARY KEY (tenant_id, ancestor_id),
  FOREIGN KEY (ancestor_id) REFERENCES tenants(tenant_id),
  FOREIGN KEY (tenant_id) REFERENCES tenants(tenant_id),
  CHECK ((tenant_id <> ancestor_id)),
  CHECK ((depth > 0))
);
CREATE INDEX tenant_ancestors_down ON tenant_ancestors USING btree (ancestor_id, tenant_id);
grant insert, select on tenant_ancestors to drawbridge_app;

create table tenants (
  tenant_id uuid not null,
  slug text not null,
  parent_id uuid,
  display_name text not null,
  active boolean not null default true,
  settings jsonb not null default '{}'::jsonb,
  config_version bigint not null default nextval('config_versions'::regclass),
  managed_by text not null default 'api'::text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id),
  UNIQUE (slug),
  FOREIGN KEY (parent_id) REFERENCES tenants(tenant_id),
  CHECK (((parent_id IS NULL) = (slug = 'system'::text))),
  CHECK (((length(display_name) >= 1) AND (length(display_name) <= 200))),
  CHECK ((managed_by = ANY (ARRAY['config'::text, 'api'::text]))),
  CHECK ((slug ~ '^[a-z0-9](-?[a-z0-9]){1,62}$'::text))
);
grant insert, select, update on tenants to drawbridge_app;

create table users (
  tenant_id uuid not null,
  user_id uuid not null,
  kind text not null default 'user'::text,
  user_name text not null,
  email text,
  email_verified_at timestamp with time zone,
  given_name text,
  family_name text,
  display_name text,
  department text,
  locale text,
  time_zone text,
  admin_active boolean not null default true,
  approval text not null default 'approved'::text,
  origin text not null,
  version bigint not null default 1,
  created_at timestamp with time zone not null default now(),
  first_sign_in_at timestamp with time zone,
  last_sign_in_at timestamp with time zone,
  ended_at timestamp with time zone,
  PRIMARY KEY (tenant_id, user_id),
  FOREIGN KEY (tenant_id, user_id, kind) REFERENCES subjects(tenant_id, subject_id, kind),
  CHECK ((approval = ANY (ARRAY['approved'::text, 'pending'::text]))),
  CHECK ((length(email) <= 320)),
  CHECK ((kind = 'user'::text)),
  CHECK ((origin = ANY (ARRAY['admin'::text, 'invitation'::text, 'jit'::text, 'scim'::text, 'csv'::text, 'signup'::text, 'bootstrap'::text]))),
  CHECK (((length(user_name) >= 1) AND (length(user_name) <= 320)))
);
CREATE INDEX users_user_name ON users USING btree (tenant_id, lower(user_name), user_id) WHERE (user_name IS NOT NULL);
CREATE UNIQUE INDEX users_email ON users USING btree (tenant_id, email) WHERE ((email IS NOT NULL) AND (ended_at IS NULL));
grant insert, select, update on users to drawbridge_app;
