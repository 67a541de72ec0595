-- compatible
-- Every key of tenant data begins with tenant_id, so that the schema can be distributed by tenant. The stated exceptions,
-- which have to be found without knowing the tenant: tenants and their closure, domain_owners, email_directory, clients,
-- signing_keys and the oidc_ tables (found by a random id).

-- Taken from one sequence, so that a version seen once never comes back with other content, not even after a rollback.
create sequence config_versions;

create table tenants (
  tenant_id uuid primary key,
  slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9]){1,62}$'),
  parent_id uuid references tenants (tenant_id),
  display_name text not null check (length(display_name) between 1 and 200),
  active boolean not null default true,
  settings jsonb not null default '{}',
  config_version bigint not null default nextval('config_versions'),
  managed_by text not null default 'api' check (managed_by in ('config', 'api')),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  check ((parent_id is null) = (slug = 'system'))
);
-- Strict ancestors only: the row (child, parent) exists, the row (tenant, itself) does not.
create table tenant_ancestors (
  tenant_id uuid not null references tenants (tenant_id),
  ancestor_id uuid not null references tenants (tenant_id),
  depth integer not null check (depth > 0),
  primary key (tenant_id, ancestor_id),
  check (tenant_id <> ancestor_id)
);
create index tenant_ancestors_down on tenant_ancestors (ancestor_id, tenant_id);

create table allowed_domains (
  tenant_id uuid not null references tenants (tenant_id),
  domain text not null check (domain = lower(domain)),
  managed_by text not null default 'config' check (managed_by in ('config', 'api')),
  primary key (tenant_id, domain)
);

-- A domain has one owner, so no other tenant's connection can vouch for its addresses.
create table domain_owners (
  domain text primary key check (domain = lower(domain)),
  tenant_id uuid not null references tenants (tenant_id)
);

create table connections (
  tenant_id uuid not null references tenants (tenant_id),
  connection_id uuid not null,
  key text not null check (key ~ '^[a-z0-9](-?[a-z0-9]){0,62}$'),
  display_name text not null,
  protocol text check (protocol in ('oidc', 'saml', 'password')),
  issuer text,
  settings jsonb not null default '{}',
  scim boolean not null default false,
  scim_held boolean not null default false,
  enabled boolean not null default true,
  managed_by text not null default 'config' check (managed_by in ('config', 'api')),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, connection_id)
);
create unique index connections_open_key on connections (tenant_id, key) where ended_at is null;

create table connection_domains (
  tenant_id uuid not null,
  connection_id uuid not null,
  domain text not null,
  primary key (tenant_id, connection_id, domain),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);
create index connection_domains_by_domain on connection_domains (domain);

create table scim_credentials (
  tenant_id uuid not null,
  credential_id uuid not null,
  connection_id uuid not null,
  prefix text not null,
  secret_hash bytea not null,
  created_by jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, credential_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);
create unique index scim_credentials_open_prefix on scim_credentials (tenant_id, connection_id, prefix) where ended_at is null;

create table roles (
  tenant_id uuid not null references tenants (tenant_id),
  role_id uuid not null,
  workspace text not null check (length(workspace) between 1 and 100 and workspace !~ ':'),
  name text not null check (length(name) between 1 and 100 and upper(name) <> 'NO_ACCESS'),
  rights text[] not null default '{}',
  managed_by text not null default 'config' check (managed_by in ('config', 'api', 'built_in')),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, role_id)
);
create unique index roles_open_name on roles (tenant_id, lower(workspace), lower(name)) where ended_at is null;

-- Who can hold access in a tenant: one of its users or one of its guests. A suspension locks this row; every bar raises
-- its epoch, and whatever was issued under a past epoch is dead.
create table subjects (
  tenant_id uuid not null references tenants (tenant_id),
  subject_id uuid not null,
  kind text not null check (kind in ('user', 'guest')),
  access_epoch bigint not null default 1,
  primary key (tenant_id, subject_id),
  unique (tenant_id, subject_id, kind)
);

create table users (
  tenant_id uuid not null,
  user_id uuid not null,
  kind text not null default 'user' check (kind = 'user'),
  user_name text not null check (length(user_name) between 1 and 320),
  email text check (length(email) <= 320),
  email_verified_at timestamptz,
  given_name text,
  family_name text,
  display_name text,
  department text,
  locale text,
  time_zone text,
  admin_active boolean not null default true,
  approval text not null default 'approved' check (approval in ('approved', 'pending')),
  origin text not null check (origin in ('admin', 'invitation', 'jit', 'scim', 'csv', 'signup', 'bootstrap')),
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  first_sign_in_at timestamptz,
  last_sign_in_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id, kind) references subjects (tenant_id, subject_id, kind)
);
-- `email` is the canonical address. A person who leaves for good gives it up (null); the keyed hash stays in held_keys.
create unique index users_email on users (tenant_id, email) where email is not null and ended_at is null;
-- Always true, and there so that lookups by primary key cannot take this index: while the tables are small, or new and unknown to
-- the planner, any index that begins with tenant_id looks as good as the right one, and foreign keys keep the plan they began with.
create index users_user_name on users (tenant_id, lower(user_name), user_id) where user_name is not null;

-- Which tenants know an address: sign-in by email starts before the tenant is known.
create table email_directory (
  email text not null,
  tenant_id uuid not null references tenants (tenant_id),
  user_id uuid not null,
  primary key (email, tenant_id, user_id)
);

create table identities (
  tenant_id uuid not null,
  identity_id uuid not null,
  user_id uuid not null,
  connection_id uuid not null,
  issuer text not null,
  subject text not null check (length(subject) between 1 and 1000),
  linked_by text not null check (linked_by in ('directory', 'email', 'jit', 'registration', 'self', 'admin')),
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, identity_id),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);
create unique index identities_open on identities (tenant_id, connection_id, issuer, subject) where ended_at is null;
create index identities_by_user on identities (tenant_id, user_id);

create table passwords (
  tenant_id uuid not null,
  user_id uuid not null,
  hash text not null,
  set_at timestamptz not null default now(),
  must_change boolean not null default false,
  failures integer not null default 0,
  last_failure_at timestamptz,
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);

create table sign_in_days (
  tenant_id uuid not null,
  user_id uuid not null,
  day date not null,
  count integer not null default 1,
  primary key (tenant_id, user_id, day),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);

-- Keyed hashes of what a person was ever known by, so that a suspension follows the person and not the row. Written when a
-- key is given up, and for every key of a suspended person.
create table held_keys (
  tenant_id uuid not null,
  key_hash bytea not null,
  subject_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, key_hash, subject_id),
  foreign key (tenant_id, subject_id) references subjects (tenant_id, subject_id)
);

-- What a directory pushed, as it pushed it. `attributes` is the resource without id, meta, schemas and groups.
create table directory_users (
  tenant_id uuid not null,
  directory_user_id uuid not null,
  connection_id uuid not null,
  user_id uuid not null,
  external_id text check (length(external_id) <= 1000),
  user_name text not null check (length(user_name) between 1 and 320),
  user_name_key text not null,
  email text,
  active boolean not null default true,
  attributes jsonb not null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  last_modified_at timestamptz not null default now(),
  ended_at timestamptz,
  ended_by text check (ended_by in ('directory', 'admin')),
  primary key (tenant_id, directory_user_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id),
  check ((ended_at is null) = (ended_by is null))
);
create unique index directory_users_open_user_name on directory_users (tenant_id, connection_id, user_name_key) where ended_at is null;
create unique index directory_users_open_external_id on directory_users (tenant_id, connection_id, external_id)
  where ended_at is null and external_id is not null;
create index directory_users_page on directory_users (tenant_id, connection_id, directory_user_id) where ended_at is null;
-- Always true; see users_user_name.
create index directory_users_by_user on directory_users (tenant_id, user_id) where user_id is not null;
-- Providers match by `emails[type eq "work"].value eq "…"`, in any case.
create index directory_users_emails on directory_users using gin ((lower((attributes -> 'emails')::text)::jsonb) jsonb_path_ops)
  where ended_at is null;
create index directory_users_former on directory_users (tenant_id, connection_id, external_id) where ended_at is not null;
create index directory_users_former_user_name on directory_users (tenant_id, connection_id, user_name_key) where ended_at is not null;

create table directory_groups (
  tenant_id uuid not null,
  group_id uuid not null,
  connection_id uuid not null,
  external_id text check (length(external_id) <= 1000),
  display_name text not null check (length(display_name) between 1 and 1000),
  display_name_key text not null,
  attributes jsonb not null default '{}',
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  last_modified_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, group_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);
create unique index directory_groups_open_name on directory_groups (tenant_id, connection_id, display_name_key) where ended_at is null;
create unique index directory_groups_open_external_id on directory_groups (tenant_id, connection_id, external_id)
  where ended_at is null and external_id is not null;
create index directory_groups_page on directory_groups (tenant_id, connection_id, group_id) where ended_at is null;

create table group_members (
  tenant_id uuid not null,
  group_id uuid not null,
  directory_user_id uuid not null,
  primary key (tenant_id, group_id, directory_user_id),
  foreign key (tenant_id, group_id) references directory_groups (tenant_id, group_id),
  foreign key (tenant_id, directory_user_id) references directory_users (tenant_id, directory_user_id)
);
create index group_members_of_user on group_members (tenant_id, directory_user_id);

-- totalResults without count(*). 64 slots, because one hot row would serialise every create of a directory.
create table directory_counters (
  tenant_id uuid not null,
  connection_id uuid not null,
  resource text not null check (resource in ('users', 'groups')),
  slot smallint not null check (slot between 0 and 63),
  count bigint not null default 0,
  primary key (tenant_id, connection_id, resource, slot),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);

-- Groups named in the last assertion of a person on a connection.
create table asserted_groups (
  tenant_id uuid not null,
  user_id uuid not null,
  connection_id uuid not null,
  value text not null check (length(value) between 1 and 1000),
  primary key (tenant_id, user_id, connection_id, value),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);

create table local_groups (
  tenant_id uuid not null references tenants (tenant_id),
  local_group_id uuid not null,
  name text not null check (length(name) between 1 and 200),
  managed_by text not null default 'built_in' check (managed_by in ('config', 'api', 'built_in')),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, local_group_id)
);
create unique index local_groups_open_name on local_groups (tenant_id, lower(name)) where ended_at is null;

create table local_group_members (
  tenant_id uuid not null,
  membership_id uuid not null,
  local_group_id uuid not null,
  subject_id uuid not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, membership_id),
  foreign key (tenant_id, local_group_id) references local_groups (tenant_id, local_group_id),
  foreign key (tenant_id, subject_id) references subjects (tenant_id, subject_id)
);
create unique index local_group_members_open on local_group_members (tenant_id, local_group_id, subject_id) where ended_at is null;
create index local_group_members_of_subject on local_group_members (tenant_id, subject_id) where ended_at is null;

create table mapping_rules (
  tenant_id uuid not null,
  rule_id uuid not null,
  key text not null,
  connection_id uuid,
  match_kind text not null check (match_kind in ('id', 'name', 'prefix', 'local')),
  match_value text not null check (length(match_value) between 1 and 1000),
  allow_new_groups boolean not null default false,
  role_id uuid not null,
  managed_by text not null default 'config' check (managed_by in ('config', 'api')),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, rule_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id),
  foreign key (tenant_id, role_id) references roles (tenant_id, role_id),
  check ((match_kind = 'local') = (connection_id is null))
);
create unique index mapping_rules_open_key on mapping_rules (tenant_id, key) where ended_at is null;

-- A rule by name or prefix holds for the groups bound to it, never for a name that somebody can take. `held` waits for an
-- administrator.
create table rule_bindings (
  tenant_id uuid not null,
  rule_id uuid not null,
  group_id uuid not null,
  state text not null check (state in ('bound', 'held')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, rule_id, group_id),
  foreign key (tenant_id, rule_id) references mapping_rules (tenant_id, rule_id),
  foreign key (tenant_id, group_id) references directory_groups (tenant_id, group_id)
);

create table role_grants (
  tenant_id uuid not null,
  grant_id uuid not null,
  subject_id uuid not null,
  role_id uuid not null,
  source text not null check (source in ('admin', 'invitation', 'default')),
  granted_by jsonb not null,
  granted_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  ended_by jsonb,
  primary key (tenant_id, grant_id),
  unique (tenant_id, grant_id, subject_id, source, granted_at),
  foreign key (tenant_id, subject_id) references subjects (tenant_id, subject_id),
  foreign key (tenant_id, role_id) references roles (tenant_id, role_id)
);
create unique index role_grants_open on role_grants (tenant_id, subject_id, role_id) where ended_at is null;

-- Closed only by a foreign key to an administrator's grant made at that instant, after the suspension began.
create table suspensions (
  tenant_id uuid not null,
  suspension_id uuid not null,
  subject_id uuid not null,
  suspended_at timestamptz not null default clock_timestamp(),
  suspended_by jsonb not null,
  reason text,
  inherited_from uuid,
  lifted_grant_id uuid,
  lifted_source text check (lifted_source = 'admin'),
  lifted_at timestamptz,
  primary key (tenant_id, suspension_id),
  foreign key (tenant_id, subject_id) references subjects (tenant_id, subject_id),
  foreign key (tenant_id, inherited_from) references suspensions (tenant_id, suspension_id),
  foreign key (tenant_id, lifted_grant_id, subject_id, lifted_source, lifted_at)
    references role_grants (tenant_id, grant_id, subject_id, source, granted_at),
  check ((lifted_at is null) = (lifted_grant_id is null) and (lifted_at is null) = (lifted_source is null)),
  check (lifted_at > suspended_at)
);
create unique index suspensions_open on suspensions (tenant_id, subject_id) where lifted_at is null;

create table access_requests (
  tenant_id uuid not null references tenants (tenant_id),
  request_id uuid not null,
  kind text not null check (kind in ('in_app', 'signup', 'sso_signup')),
  email text not null,
  subject_id uuid,
  message text check (length(message) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  decision text check (decision in ('approved', 'declined')),
  decided_at timestamptz,
  decided_by jsonb,
  primary key (tenant_id, request_id),
  foreign key (tenant_id, subject_id) references subjects (tenant_id, subject_id),
  check ((decision is null) = (decided_at is null))
);
create unique index access_requests_open on access_requests (tenant_id, email) where decision is null;
create index access_requests_of_subject on access_requests (tenant_id, subject_id) where decision is null;

-- A right to set a password (and so to validate the address), once. Only the hash of its secret is kept.
create table invitations (
  tenant_id uuid not null,
  invitation_id uuid not null,
  user_id uuid not null,
  purpose text not null check (purpose in ('invite', 'reset', 'bootstrap')),
  secret_hash bytea not null,
  email text,
  created_by jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, invitation_id),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);
create unique index invitations_secret on invitations (tenant_id, secret_hash);
create index invitations_of_user on invitations (tenant_id, user_id) where used_at is null and ended_at is null;

create table preferences (
  tenant_id uuid not null,
  user_id uuid not null,
  name text not null,
  value jsonb not null,
  primary key (tenant_id, user_id, name),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);

-- A guest is a user of an ancestor as the target tenant sees them, made by a cross-tenant mapping. The foreign key into the
-- closure makes an upward or sideways mapping unrepresentable. One row per person and target for ever, so that a suspension
-- in the target outlives the mapping.
create table guests (
  tenant_id uuid not null,
  guest_id uuid not null,
  kind text not null default 'guest' check (kind = 'guest'),
  source_tenant_id uuid not null,
  source_user_id uuid not null,
  mapped_by jsonb not null,
  mapped_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, guest_id),
  unique (tenant_id, source_tenant_id, source_user_id),
  foreign key (tenant_id, guest_id, kind) references subjects (tenant_id, subject_id, kind),
  foreign key (tenant_id, source_tenant_id) references tenant_ancestors (tenant_id, ancestor_id)
);

-- The same mapping seen from the person's home, which is where a token is made: what allowed_tenants reads.
create table mapping_pointers (
  tenant_id uuid not null,
  user_id uuid not null,
  target_tenant_id uuid not null,
  guest_id uuid not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (tenant_id, user_id, target_tenant_id),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);

create table login_flows (
  tenant_id uuid not null,
  flow_hash bytea not null,
  connection_id uuid not null,
  interaction_hash bytea,
  secrets_sealed bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  consumed_at timestamptz,
  primary key (tenant_id, flow_hash),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);
create index login_flows_expiry on login_flows (expires_at);

-- What an upstream proved, kept under a one-time handle until the browser comes back to its interaction.
create table sign_in_handles (
  tenant_id uuid not null,
  handle_hash bytea not null,
  interaction_hash bytea not null,
  result jsonb not null,
  expires_at timestamptz not null,
  consumed_at timestamptz,
  primary key (tenant_id, handle_hash)
);
create index sign_in_handles_expiry on sign_in_handles (expires_at);

create table seen_assertions (
  tenant_id uuid not null,
  connection_id uuid not null,
  assertion_hash bytea not null,
  expires_at timestamptz not null,
  primary key (tenant_id, connection_id, assertion_hash),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id)
);
create index seen_assertions_expiry on seen_assertions (expires_at);

-- What was mailed lately, one row per template and address: a flood of requests is told together, in one letter.
create table mail_windows (
  tenant_id uuid not null references tenants (tenant_id),
  template text not null,
  email text not null,
  job_id text not null,
  sending jsonb not null,
  waiting jsonb not null default '[]',
  opened_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, template, email)
);

create table clients (
  client_id text primary key,
  tenant_id uuid not null references tenants (tenant_id),
  secret_hash bytea,
  metadata jsonb not null,
  enabled boolean not null default true,
  managed_by text not null default 'api' check (managed_by in ('config', 'api')),
  created_at timestamptz not null default now()
);

-- What oidc-provider keeps. Ids are bearer secrets, so only their SHA-256 is stored, and the payload is sealed. An artifact of a
-- person carries the epochs (home, and the guest's where it is for another tenant) under which it was made; one whose epoch is
-- past is not found. A refresh token's row stands for its whole family: `token_hash` is the one token of it that may be used.
create table oidc_artifacts (
  model text not null,
  id_hash bytea not null,
  token_hash bytea,
  payload_sealed bytea not null,
  grant_hash bytea,
  session_hash bytea,
  -- Lives no longer than the session of session_hash.
  session_bound boolean not null default false,
  client_id text,
  account_tenant_id uuid,
  account_user_id uuid,
  account_epoch bigint,
  target_tenant_id uuid,
  target_guest_id uuid,
  target_epoch bigint,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  consumed_at timestamptz,
  rotated_at timestamptz,
  primary key (model, id_hash),
  check ((model = 'RefreshToken') = (token_hash is not null)),
  check (num_nulls(account_tenant_id, account_user_id, account_epoch) in (0, 3)),
  check (num_nulls(target_tenant_id, target_guest_id, target_epoch) in (0, 3)),
  check (target_guest_id is null or account_user_id is not null)
);
create index oidc_artifacts_session on oidc_artifacts (session_hash, model) where session_hash is not null;
create index oidc_artifacts_grant on oidc_artifacts (grant_hash) where grant_hash is not null;
create index oidc_artifacts_account on oidc_artifacts (account_tenant_id, account_user_id) where account_user_id is not null;
create index oidc_artifacts_target on oidc_artifacts (target_tenant_id, target_guest_id) where target_guest_id is not null;
-- BRIN, so that a rotation, which moves the expiry, can stay within its page.
create index oidc_artifacts_expiry on oidc_artifacts using brin (expires_at);

create table signing_keys (
  kid text primary key,
  algorithm text not null,
  private_sealed bytea not null,
  public_jwk jsonb not null,
  state text not null check (state in ('next', 'current', 'retired')),
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  retired_at timestamptz,
  ended_at timestamptz
);
create unique index signing_keys_current on signing_keys (algorithm) where state = 'current' and ended_at is null;
create unique index signing_keys_next on signing_keys (algorithm) where state = 'next' and ended_at is null;

-- One row: what a right master key derives, so that a wrong one is refused before it writes anything.
create table installation (
  only_one boolean primary key default true check (only_one),
  key_check text not null,
  created_at timestamptz not null default now()
);

create table audit_events (
  tenant_id uuid not null,
  occurred_at timestamptz not null default clock_timestamp(),
  event_id uuid not null,
  kind text not null,
  outcome text not null default 'done' check (outcome in ('done', 'refused')),
  actor jsonb not null,
  object_kind text,
  object_id uuid,
  connection_id uuid,
  reason text,
  request_id text,
  detail jsonb,
  transaction_id xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, occurred_at, event_id)
) partition by range (occurred_at);
create table audit_events_rest partition of audit_events default;
create index audit_events_object on audit_events (tenant_id, object_id, occurred_at);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger audit_events_append_only before update or delete on audit_events for each row execute function refuse_change();
create trigger audit_events_no_truncate before truncate on audit_events for each statement execute function refuse_change();
create trigger suspensions_no_delete before delete on suspensions for each row execute function refuse_change();
create trigger suspensions_no_truncate before truncate on suspensions for each statement execute function refuse_change();

-- A suspension that was lifted, or moved to another person, would be a door in the wall.
create function guard_suspension() returns trigger language plpgsql as $$
begin
  if old.lifted_at is not null or new.tenant_id <> old.tenant_id or new.subject_id <> old.subject_id
     or new.suspended_at <> old.suspended_at then
    raise exception 'a suspension is only ever lifted' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger suspensions_only_lifted before update on suspensions for each row execute function guard_suspension();

-- Jobs are enqueued in the transaction of the change. The queue's own schema belongs to the owner; the server may only add.
create function enqueue_job(task text, payload jsonb, job_key text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform graphile_worker.add_job(task, payload::json, job_key := job_key, max_attempts := 25);
end $$;
revoke execute on function enqueue_job (text, jsonb, text) from public;

-- The server works as this role, whose rights are part of the design: the audit trail can be added to and read, nothing else,
-- and rows about people end but are never removed.
do $$
begin
  if not exists (select from pg_roles where rolname = 'drawbridge_app') then
    create role drawbridge_app nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;
do $$
declare
  -- From 16 on a role's maker is its member without being able to work as it.
  needed text := case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end;
begin
  begin
    execute format('grant drawbridge_app to %I', current_user);
  exception when insufficient_privilege then
    if not pg_has_role(current_user, 'drawbridge_app', needed) then
      raise exception 'the role drawbridge_app was made by somebody else; a superuser has to run: grant drawbridge_app to %',
        quote_ident(current_user);
    end if;
  end;
  execute format('grant usage on schema %I to drawbridge_app', current_schema());
end $$;
grant select, insert on all tables in schema public to drawbridge_app;
grant usage on sequence config_versions to drawbridge_app;
grant update on tenants, connections, scim_credentials, roles, subjects, users, identities, passwords, sign_in_days, directory_users,
  directory_groups, directory_counters, local_groups, local_group_members, mapping_rules, rule_bindings, role_grants,
  access_requests, invitations, preferences, guests, mapping_pointers, login_flows, sign_in_handles, mail_windows, clients, oidc_artifacts,
  signing_keys to drawbridge_app;
grant update (lifted_grant_id, lifted_source, lifted_at) on suspensions to drawbridge_app;
grant delete on allowed_domains, domain_owners, connection_domains, email_directory, group_members, asserted_groups, passwords,
  rule_bindings, preferences, login_flows, sign_in_handles, seen_assertions, oidc_artifacts to drawbridge_app;
grant execute on function enqueue_job (text, jsonb, text) to drawbridge_app;
