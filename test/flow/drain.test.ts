import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { begun } from '../support/begun.ts';
import { userBody } from '../support/scim.ts';
import { newDirectory } from './scim.ts';
import { type Flow, type ServerProcess, startFlow, startServer } from './servers.ts';

let flow: Flow;
let token: string;
let userIds: readonly string[];
/** The server that each test ends. */
let server: ServerProcess;
beforeAll(async () => {
  flow = await startFlow();
  const directory = await newDirectory(flow, 'acme', 'okta');
  token = directory.token;
  const scim = directory.at(flow.servers[0]?.port ?? 0);
  const names = ['ann', 'ben', 'cid', 'dee', 'eve', 'fay'];
  userIds = await Promise.all(names.map(async (name) => (await scim.post('/Users', userBody(name))).body.id));
});
afterAll(() => flow?.close());
beforeEach(async () => {
  server = await startServer(await flow.envOfAnother({ DRAWBRIDGE_DRAIN_SECONDS: '4' }));
});
afterEach(() => server?.stop('SIGKILL'));

type Reply = { readonly status: number; readonly connection: string | undefined; readonly text: string };

/** One connection that is kept alive, whatever goes over it. */
function client() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return (port: number, method: string, path: string, body?: object): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' };
      const request = httpRequest({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, connection: answer.headers.connection, text }),
        );
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

const user = (index = 0) => `/scim/v2/acme/okta/Users/${userIds[index]}`;
const rename = (name: string) => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'replace', path: 'displayName', value: name }],
});
const refused = (error: NodeJS.ErrnoException) => error.code ?? error.message;

/** A request that waits at the last step, for the row that this test holds. */
async function heldBack(ask: (name: string) => Promise<Reply>, meanwhile: () => Promise<unknown>): Promise<Reply> {
  const [row] = await flow.world.sql<{ tenant_id: string }>('select tenant_id from directory_users');
  let answer: Promise<Reply> | undefined;
  await flow.world.context().transaction(row?.tenant_id as never, async (tx) => {
    await tx.run({ name: null, text: 'select 1 from directory_users for update' }, []);
    answer = begun(ask(`held back at ${Date.now()}`));
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and application_name = 'drawbridge'`;
    await expect.poll(() => flow.world.sql(waiting), { timeout: 2_500, interval: 20 }).not.toHaveLength(0);
    await meanwhile();
  });
  return answer as Promise<Reply>;
}

describe('SIGTERM', () => {
  test('FT15 lets a request under way finish, tells its client to close, and says 503 to whoever asks for traffic', async () => {
    const [mine, other] = [client(), client()];
    expect(await other(server.port, 'GET', '/readyz')).toMatchObject({ status: 200, connection: 'keep-alive' });
    const signalled = { at: 0 };
    const answer = await heldBack(
      (name) => mine(server.port, 'PATCH', user(), rename(name)),
      async () => {
        server.signal('SIGTERM');
        signalled.at = performance.now();
        // Over a connection that was there before, and over a new one, as a load balancer asks.
        const kept = async () => (await other(server.port, 'GET', '/readyz')).status;
        await expect.poll(kept, { timeout: 1_000, interval: 10 }).toBe(503);
        expect(await client()(server.port, 'GET', '/readyz')).toMatchObject({ status: 503, connection: 'close' });
        expect((await client()(server.port, 'GET', '/livez')).status).toBe(200);
      },
    );
    expect(answer).toMatchObject({ status: 200, connection: 'close' });
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalled.at).toBeLessThan(15_000);
    expect(await client()(server.port, 'GET', '/readyz').catch(refused)).toBe('ECONNREFUSED');
  });

  test('FT15 fails no request of clients who keep their connections and go where /readyz sends them', async () => {
    const beside = flow.servers[0] as ServerProcess;
    const failures: string[] = [];
    const answered = { here: 0, there: 0 };
    let target = server.port;
    let over = false;
    // What a load balancer does: ask every 200 ms, and send to whoever is ready.
    const balancer = (async () => {
      while (!over) {
        const ready = await fetch(`http://127.0.0.1:${server.port}/readyz`).then(
          (answer) => answer.ok,
          () => false,
        );
        if (!ready) target = beside.port;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })();
    const clients = Array.from({ length: 6 }, async (_, index) => {
      const ask = client();
      for (let turn = 0; !over; turn += 1) {
        const port = target;
        const write = turn % 3 === 0;
        const call = write ? ask(port, 'PATCH', user(index), rename(`name ${turn}`)) : ask(port, 'GET', user(index));
        const outcome = await call.then(({ status }) => status, refused);
        if (outcome !== 200) failures.push(`${write ? 'PATCH' : 'GET'} ${outcome}`);
        answered[port === server.port ? 'here' : 'there'] += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    const all = begun(Promise.all([balancer, ...clients]));
    try {
      await expect.poll(() => answered.here).toBeGreaterThan(30);
      expect(await server.stop()).toBe(0);
      await expect.poll(() => answered.there).toBeGreaterThan(30);
    } finally {
      over = true;
      await all;
    }
    expect(failures).toEqual([]);
  });

  test('is not held up by clients that are silent, or never finish what they began', async () => {
    const silent = connect(server.port, '127.0.0.1');
    const half = connect(server.port, '127.0.0.1');
    half.on('error', () => {});
    silent.on('error', () => {});
    half.write(
      `POST /scim/v2/acme/okta/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/scim+json\r\nContent-Length: 500\r\n\r\n{"half":`,
    );
    await client()(server.port, 'GET', '/livez');
    const began = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(9_000);
    for (const socket of [silent, half]) socket.destroy();
  });

  test('a second time ends at once, with a code that says so', async () => {
    const half = connect(server.port, '127.0.0.1');
    half.on('error', () => {});
    half.write('POST /oidc/token HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{');
    await client()(server.port, 'GET', '/livez');
    server.signal('SIGTERM');
    await expect.poll(() => server.output()).toContain('"draining"');
    await new Promise((resolve) => setTimeout(resolve, 700));
    const began = performance.now();
    server.signal('SIGTERM');
    expect(await server.exited).toBe(1);
    expect(performance.now() - began).toBeLessThan(2_800);
  });

  test('told twice at once, as `timeout` and supervisors do, it drains all the same', async () => {
    server.signal('SIGTERM');
    await expect.poll(() => server.output(), { interval: 10 }).toContain('"draining"');
    server.signal('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(server.output()).toContain('"stopped"');
  });
});

test('a person who presses Ctrl-C does not wait for load balancers', async () => {
  const began = performance.now();
  server.signal('SIGINT');
  expect(await server.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(3_500);
});
