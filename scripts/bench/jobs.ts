// The jobs of the table: what is asked of the server, and what PostgreSQL alone does for the same rows.

import type { Part } from './options.ts';
import type { Limit } from './pgbench.ts';
import { addMember, type BulkOperation, bulk, byUserName, setTitle, user } from './scim-messages.ts';
import { userPrefix } from './seed.ts';
import type { Traffic } from './traffic.ts';

/** What a job needs to know of the directory that it runs on. */
export type Filled = {
  readonly users: number;
  /** Group ids by size. */
  readonly groups: ReadonlyMap<number, string>;
  readonly bulkOperations: number;
};

export type Job = {
  readonly name: string;
  readonly part: Part;
  traffic(filled: Filled, from: number): Traffic;
  limit(
    filled: Filled,
    from: number,
  ): Omit<Limit, 'variables'> & { readonly variables: Record<string, string | number> };
  /** Least share of the limit; null: told without a bar. */
  readonly bar: number | null;
  /** Things done by one request. */
  perRequest(filled: Filled): number;
  /** Adds users that have to go before the next job. */
  readonly creates: boolean;
  /** The group whose new members have to go. */
  readonly groupSize: number | null;
};

/** Groups whose members are added to, where the directory has room for as many again. */
export const GROUP_SIZES = [10, 1_000, 100_000];

const once = { perRequest: () => 1, creates: false, groupSize: null } as const;
const drawn = { from: 1, body: null, method: 'GET', status: 200 } as const;

const created = (from: number, body: string, path: string, status: number): Traffic => ({
  method: 'POST',
  path,
  body,
  pool: 1,
  from,
  status,
});

const create: Job = {
  ...once,
  name: 'create user',
  part: 'create',
  traffic: (_filled, from) => created(from, JSON.stringify(user('pushed{n}', 'd0.example')), '/Users', 201),
  limit: (_filled, from) => ({ script: 'create', variables: { base: from } }),
  bar: 0.3,
  creates: true,
};

const get: Job = {
  ...once,
  name: 'get by userName filter',
  part: 'get',
  traffic: ({ users }) => ({ ...drawn, path: byUserName('bench{r}@d0.example'), pool: users }),
  limit: ({ users }) => ({ script: 'get', variables: { pool: users } }),
  bar: 0.22,
};

const getById: Job = {
  ...once,
  name: 'get by id',
  part: 'get-id',
  traffic: ({ users }) => ({ ...drawn, path: `/Users/${userPrefix}{rx}`, pool: users }),
  limit: ({ users }) => ({ script: 'get-id', variables: { pool: users } }),
  bar: null,
};

const list: Job = {
  ...once,
  name: 'list 100',
  part: 'list',
  traffic: () => ({ ...drawn, path: '/Users?startIndex=1&count=100', pool: 1 }),
  limit: () => ({ script: 'list', variables: {} }),
  bar: 0.25,
};

const patch: Job = {
  ...once,
  name: 'patch user',
  part: 'patch',
  traffic: ({ users }, from) => ({
    method: 'PATCH',
    path: `/Users/${userPrefix}{rx}`,
    body: JSON.stringify(setTitle('T{n}')),
    pool: users,
    from,
    status: 200,
  }),
  limit: ({ users }) => ({ script: 'patch-user', variables: { pool: users } }),
  bar: null,
};

/** Every addition is of somebody who is not yet a member: the users behind the first `size`, in turn. */
const memberAdd = (size: number): Job => ({
  ...once,
  name: `add 1 member to ${size >= 1000 ? `${size / 1000} k` : size}`,
  part: 'member',
  traffic: ({ groups }, _from) => ({
    method: 'PATCH',
    path: `/Groups/${groups.get(size)}`,
    body: JSON.stringify(addMember(`${userPrefix}{nx}`)),
    pool: 1,
    from: size + 1,
    status: 204,
  }),
  limit: ({ groups, users }) => ({
    script: 'member-add',
    variables: { base: size - 7, group: groups.get(size) ?? '' },
    transactions: Math.min(users - size - 16, 12_000),
  }),
  bar: 0.7,
  groupSize: size,
});

const bulkCreate: Job = {
  ...once,
  name: 'bulk create',
  part: 'bulk',
  traffic: ({ bulkOperations }, from) => {
    const operation: BulkOperation = {
      method: 'POST',
      path: '/Users',
      bulkId: 'b{n}',
      data: user('bulk{n}', 'd0.example'),
    };
    const text = JSON.stringify(operation);
    const body = JSON.stringify(bulk([operation])).replace(text, () => `{<${text}>}`);
    // Sixteen of a thousand users each would all be under way still when a round ends.
    return { ...created(from, body, '/Bulk', 200), repeat: bulkOperations, connections: 4 };
  },
  limit: (_filled, from) => ({ script: 'create', variables: { base: from } }),
  bar: 1,
  perRequest: ({ bulkOperations }) => bulkOperations,
  creates: true,
};

/** In this order: what leaves the tables alone comes first. Bulk only where the server advertises it. */
export function jobsFor(filled: Filled): readonly Job[] {
  return [
    get,
    getById,
    list,
    ...GROUP_SIZES.filter((size) => filled.groups.has(size)).map(memberAdd),
    patch,
    create,
    ...(filled.bulkOperations > 0 ? [bulkCreate] : []),
  ];
}
