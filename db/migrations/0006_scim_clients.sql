-- compatible
-- A directory's OAuth client is a credential like its tokens, so that whatever ends a credential ends it: every statement of a
-- directory asks for that row. Its `prefix` is its client id, whose dots no token has: a client's secret never opens SCIM by itself.
alter table scim_credentials add column kind text not null default 'token' check (kind in ('token', 'client'));
alter table scim_credentials add constraint scim_credentials_client_id check ((kind = 'client') = (prefix like 'scim.%'));
