-- compatible
-- Who left a directory is looked for by externalId and by userName. Each index says what only its own look-up asks for, so that the
-- other one cannot take it: right after a directory removed thousands, the planner knows of none of them, and either would do.
drop index directory_users_former;
create index directory_users_former on directory_users (tenant_id, connection_id, external_id)
  where ended_at is not null and external_id is not null;
drop index directory_users_former_user_name;
create index directory_users_former_user_name on directory_users (tenant_id, connection_id, user_name_key)
  where ended_at is not null and ended_by = 'directory';
