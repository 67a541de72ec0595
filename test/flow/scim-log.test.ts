import { afterEach, beforeEach, expect, test } from 'vitest';
import { userBody } from '../support/scim.ts';
import { type Directory, newDirectory } from './scim.ts';
import { type Flow, startFlow } from './servers.ts';

let flow: Flow;
let directory: Directory;
beforeEach(async () => {
  flow = await startFlow({ servers: 2 });
  directory = await newDirectory(flow, 'acme', 'okta');
});
afterEach(() => flow?.close());

test('two servers note the requests of one directory, and what they have not written yet they write when they are told to stop', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const client = directory.at(flow.servers[index % 2]?.port ?? 0);
      return index % 3 === 0 ? client.post('/Users', userBody(`drained${index}`)) : client.get('/Users?count=1');
    }),
  );
  // At once: most of it is in memory still.
  const codes = await Promise.all(flow.servers.map((server) => server.stop('SIGTERM')));
  expect(codes).toEqual([0, 0]);
  const rows = await flow.world.sql<{ id: string }>(`select request_id as id from scim_requests`);
  expect(rows.map(({ id }) => id).sort()).toEqual(answers.map((answer) => answer.headers.get('x-request-id')).sort());
  const [sum] = await flow.world.sql(
    `select sum(requests)::int as n, sum(not_kept)::int as missing from scim_request_counts`,
  );
  expect(sum).toEqual({ n: 60, missing: 0 });
});
