-- compatible
-- What administrators decide about a directory, as config/tenants/*.yaml has it under `directory`; {} is every default.
alter table connections add column directory jsonb not null default '{}';
