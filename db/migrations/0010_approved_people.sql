-- compatible
-- Some of what crosses a guard's line cannot be done on resume, for the push says more than is recorded of it: a group that leaves its
-- rule by another externalId, and a push that takes something from one person. Whom it would touch is recorded, so that the plan names
-- them; and whom an administrator approved is not counted once more when the identity provider sends it again.
alter table directory_guard_acts drop constraint directory_guard_acts_act_check;
alter table directory_guard_acts add constraint directory_guard_acts_act_check
  check (act in ('deactivate_user', 'remove_user', 'leave_group', 'remove_group', 'unmap_group', 'touch_user'));
alter table directory_guard_people add column approved boolean not null default false;
