// How a directory user is written, in whatever statement: one list of columns for who is made, and one for who changes.

import type { Change } from '../core/change.ts';
import { userNameKey } from '../core/profile.ts';

type Resource = Extract<Change, { kind: 'create_directory_user' }>['resource'];

/** SQL of what a directory pushed. */
type Pushed = {
  readonly externalId: string;
  readonly userName: string;
  readonly userNameKey: string;
  readonly email: string;
  readonly active: string;
  readonly attributes: string;
};

/** As parameters, numbered from `first` on: those of {@link pushedValues}. */
export function pushedParams(first: number): Pushed {
  const param = (at: number) => `$${first + at}`;
  return {
    externalId: param(0),
    userName: param(1),
    userNameKey: param(2),
    email: param(3),
    active: param(4),
    attributes: param(5),
  };
}

export function pushedValues({ externalId, userName, email, active, json }: Resource): readonly unknown[] {
  return [externalId, userName, userNameKey(userName), email, active, json];
}

/** As columns of the recordset `a`, of rows as {@link pushedRow} makes them. */
export const PUSHED: Pushed = {
  externalId: 'a.external_id',
  userName: 'a.user_name',
  userNameKey: 'a.user_name_key',
  email: 'a.email',
  active: 'a.active',
  attributes: 'a.attributes',
};
export const PUSHED_COLUMNS =
  'external_id text, user_name text, user_name_key text, email text, active boolean, attributes jsonb';

export function pushedRow({ externalId, userName, email, active, attributes }: Resource): object {
  const named = { external_id: externalId, user_name: userName, user_name_key: userNameKey(userName) };
  return { ...named, email, active, attributes };
}

/** SQL of who somebody is, and whether their groups wait for them. */
type Made = {
  readonly id: string;
  readonly connectionId: string;
  readonly userId: string;
  readonly withheld: string;
};

/** Makes directory users of the tenant `$1`, one for each row of `from`. */
export const makeUsers = (made: Made, pushed: Pushed, from = ''): string => `
insert into directory_users (tenant_id, directory_user_id, connection_id, user_id, external_id, user_name, user_name_key, email, active,
  attributes, withheld)
select $1, ${made.id}, ${made.connectionId}, ${made.userId}, ${pushed.externalId}, ${pushed.userName}, ${pushed.userNameKey},
  ${pushed.email}, ${pushed.active}, ${pushed.attributes}, ${made.withheld} ${from}`;

/** Changes the directory users `d`. Who is inactive withholds nothing; who withheld before does so until then. */
export const changeUsers = (pushed: Pushed, withheld: string): string => `
update directory_users d set external_id = ${pushed.externalId}, user_name = ${pushed.userName}, user_name_key = ${pushed.userNameKey},
  email = ${pushed.email}, active = ${pushed.active}, attributes = ${pushed.attributes},
  withheld = ${pushed.active} and (d.withheld or ${withheld}), version = d.version + 1, last_modified_at = clock_timestamp()`;
