-- compatible
-- The guard of a directory. Whatever takes access from people locks this row first, so that parallel requests of one directory are
-- counted one after the other. It is paused from `paused_at` until an administrator resumes it or discards what it asked for.
create table directory_guards (
  tenant_id uuid not null,
  connection_id uuid not null,
  paused_at timestamptz,
  crossed text check (crossed in ('people', 'percent')),
  -- How many people it had touched, the request that was refused included.
  people integer,
  -- More was asked for than is recorded.
  overflowed boolean not null default false,
  primary key (tenant_id, connection_id),
  foreign key (tenant_id, connection_id) references connections (tenant_id, connection_id),
  check ((paused_at is null) = (crossed is null))
);

-- Whom a directory deactivated or stripped lately. Never many more than its line allows.
create table directory_guard_people (
  tenant_id uuid not null,
  connection_id uuid not null,
  user_id uuid not null,
  touched_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, connection_id, user_id),
  foreign key (tenant_id, connection_id) references directory_guards (tenant_id, connection_id),
  foreign key (tenant_id, user_id) references users (tenant_id, user_id)
);

-- What a paused directory asked for and was refused. `object_id` is a directory user, or a group; `member_id` the directory user that
-- leaves the group, and zero for every other act.
create table directory_guard_acts (
  tenant_id uuid not null,
  connection_id uuid not null,
  act text not null check (act in ('deactivate_user', 'remove_user', 'leave_group', 'remove_group')),
  object_id uuid not null,
  member_id uuid not null default '00000000-0000-0000-0000-000000000000',
  asked_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, connection_id, act, object_id, member_id),
  foreign key (tenant_id, connection_id) references directory_guards (tenant_id, connection_id)
);

-- Which rules give rights is asked with every push that meets a person.
create index mapping_rules_by_role on mapping_rules (tenant_id, role_id) where ended_at is null;

grant select, insert on directory_guards, directory_guard_people, directory_guard_acts to drawbridge_app;
grant update on directory_guards, directory_guard_people to drawbridge_app;
grant delete on directory_guard_people, directory_guard_acts to drawbridge_app;
