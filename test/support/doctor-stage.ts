// What tests of the doctor begin with: a directory with somebody in a group, and servers in front of it that answer otherwise.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliError, type CommandResult } from '../../src/cli/command.ts';
import type { Context } from '../../src/context.ts';
import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { contextOf } from '../../src/world.ts';
import { type Acme, acme } from './acme.ts';
import { callCommand } from './command-line.ts';
import { setDirectory } from './directory-settings.ts';
import { directory, newScimToken, publicUrl, type ScimServer, scimServer, userBody } from './scim.ts';
import { silent, type TestWorld, testWorld } from './world.ts';

export type Json = {
  ok: boolean;
  calls: {
    verdict: string;
    idp: string;
    method: string;
    target: string;
    name: string;
    status: number;
    why: string | null;
    expected: { what: string; says: string }[];
  }[];
  notes: string[];
  putAway: { leftBehind: string[] };
};
export const wrong = (json: unknown) => (json as Json).calls.filter(({ verdict }) => verdict === 'wrong');

export type Change = (
  request: { method: string; url: string },
  count: number,
) => { status?: number; answer?: [number, string, string] } | null;
export type Front = { readonly url: string; close(): Promise<void> };

async function listening(http: Server): Promise<Front> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

/** A server in front of the real one that changes some of the answers, or gives its own. */
export async function proxy(change: Change, upstream: string): Promise<Front> {
  let count = 0;
  const http = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    count += 1;
    const changed = change({ method, url }, count) ?? {};
    if (changed.answer !== undefined) {
      const [status, type, text] = changed.answer;
      response.writeHead(status, { 'content-type': type }).end(text);
      return;
    }
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks).toString() };
    const sent = {
      authorization: String(headers.authorization),
      'user-agent': String(headers['user-agent']),
      'content-type': String(headers['content-type'] ?? ''),
    };
    const answer = await fetch(`${upstream}${url}`, { method, headers: sent, ...body });
    const text = await answer.text();
    const given = Object.fromEntries(
      ['content-type', 'location', 'etag'].flatMap((name) => {
        const value = answer.headers.get(name);
        return value === null ? [] : [[name, value]];
      }),
    );
    response.writeHead(changed.status ?? answer.status, given).end(text);
  });
  return listening(http);
}

type FrontRequest = { readonly method: string; readonly url: string; readonly headers: Record<string, string> };
/** A server of one's own in front; null: it says nothing and hangs up. */
export async function proxyWith(
  answer: (request: FrontRequest, body: string | null) => Promise<[number, string, string] | null>,
): Promise<Front> {
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = {
      authorization: String(request.headers.authorization),
      'content-type': String(request.headers['content-type'] ?? ''),
    };
    const { method = '', url = '' } = request;
    const given = await answer({ method, url, headers }, chunks.length === 0 ? null : Buffer.concat(chunks).toString());
    if (given === null) request.socket.destroy();
    else response.writeHead(given[0], { 'content-type': given[1] }).end(given[2]);
  });
  return listening(http);
}

export type DoctorStage = {
  readonly world: TestWorld;
  readonly tenants: Acme;
  readonly server: ScimServer;
  readonly log: RequestLog;
  /** A user of okta. */
  readonly ann: string;
  /** The doctor at acme's okta. */
  doctor(...args: string[]): Promise<Told>;
  /** The doctor there, by a proxy. */
  through(change: Change, ...args: string[]): Promise<Told>;
  /** What is open in the tenant, by kinds of rows: a visit leaves it as it was. */
  open(): Promise<object | undefined>;
  /** Of the directory. */
  settings(given: object): Promise<unknown>;
  close(): Promise<void>;
};
type Told = CommandResult & { readonly error: string; readonly exitCode: number };

export async function doctorStage(): Promise<DoctorStage> {
  const world = await testWorld();
  const tenants = await acme(world);
  const log = requestLog({ write: requestKeeper(world.context()), log: silent });
  const { database, secrets } = world;
  const contextFor = (caller: Context['caller']) => contextOf({ database, secrets, log: silent }, caller);
  const server = await scimServer(world, { requestLog: log, contextFor });
  const okta = await directory(world, server, tenants.acme, 'okta');
  await newScimToken(world, tenants.acme, 'okta');
  const agent = { 'User-Agent': 'Okta SCIM Client 1.0.0' };
  const ann = (await okta.call('POST', '/Users', userBody('ann'), agent)).body.id;
  await okta.call('POST', '/Groups', { displayName: 'Staff', members: [{ value: ann }] }, agent);
  async function doctor(...args: string[]) {
    try {
      const which = ['--tenant', 'acme', '--directory', 'okta'];
      const told = await callCommand(world, { publicUrl }, ['scim', 'doctor', ...which, ...args]);
      return { error: '', exitCode: 0, ...told };
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return { error: error.message, exitCode: 1, text: '', json: null };
    }
  }
  async function open() {
    const [row] = await world.sql(
      `select
       (select count(*) from users where tenant_id = $1 and ended_at is null) as users,
       (select count(*) from directory_users where tenant_id = $1 and ended_at is null) as directory_users,
       (select count(*) from directory_groups where tenant_id = $1 and ended_at is null) as groups,
       (select count(*) from scim_credentials where tenant_id = $1 and ended_at is null) as credentials,
       (select count(*) from email_directory where tenant_id = $1) as addresses,
       (select count(*) from directory_guard_people where tenant_id = $1) as counted,
       (select count(*) from directory_guard_acts where tenant_id = $1) as acts,
       (select count(*) from rule_bindings where tenant_id = $1) as bindings,
       (select count(*) from role_grants where tenant_id = $1) as grants,
       (select json_agg(d order by d.directory_user_id) from directory_users d where tenant_id = $1 and user_name not like '%@doctor.invalid')::text as others,
       (select json_agg(g order by g.group_id) from directory_groups g where tenant_id = $1 and display_name not like '% doctor%')::text as other_groups`,
      [tenants.acme.tenantId],
    );
    return row;
  }
  return {
    world,
    tenants,
    server,
    log,
    ann,
    doctor,
    async through(change, ...args) {
      const front = await proxy(change, server.url);
      try {
        return await doctor('--url', front.url, ...args);
      } finally {
        await front.close();
      }
    },
    open,
    settings: (given) => setDirectory(world, tenants.okta, given),
    async close() {
      await server.close();
      await log.close();
      await world.close();
    },
  };
}
