-- compatible
-- A user whom a push through a held directory made active: `active` is what was pushed and is answered, and counts for nothing until an
-- administrator activates the directory. Cleared by that, and when the user becomes inactive. Looked at in a held directory alone.
alter table directory_users add column withheld boolean not null default false;
