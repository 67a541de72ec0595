// A directory's side of the wire: the real router over HTTP, and a client that sends what identity providers send.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { clientAddress } from '../../src/client-address.ts';
import type { Context, Log } from '../../src/context.ts';
import { createScimCredential } from '../../src/operations/create-scim-credential.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import type { RequestLog } from '../../src/scim/request-log.ts';
import { scimRouter } from '../../src/scim/router.ts';
import { patchUrn, userSchemaUrn } from './urns.ts';
import { silent, type TestWorld } from './world.ts';

export const publicUrl = 'https://id.example';

export type ScimServer = { readonly url: string; close(): Promise<void> };

export async function scimServer(
  world: TestWorld,
  options: {
    readonly log?: Log;
    readonly contextFor?: (caller: Context['caller']) => Context;
    readonly requestLog?: RequestLog;
  } = {},
): Promise<ScimServer> {
  const contextFor = options.contextFor ?? ((caller: Context['caller']) => world.context(caller.actor));
  const { log = silent, requestLog } = options;
  const scim = scimRouter({
    contextFor,
    publicUrl,
    log,
    addressOf: (request) => clientAddress(request, Number.POSITIVE_INFINITY),
    ...(requestLog === undefined ? {} : { requestLog }),
  });
  const server: Server = createServer((request, response) => {
    if (!scim(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** biome-ignore lint/suspicious/noExplicitAny: answers are looked into as they come. */
export type Body = any;
export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: Body };

export type DirectoryClient = {
  readonly token: string;
  /** Address of the directory as the server itself gives it. */
  readonly base: string;
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
  put(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  patch(path: string, ...operations: readonly object[]): Promise<Answer>;
  delete(path: string): Promise<Answer>;
};

export async function newScimToken(world: TestWorld, tenant: TenantRef, connection: string): Promise<string> {
  const made = await createScimCredential(world.context(), tenant, connection, null);
  if (made.kind === 'refused') throw new Error(made.message);
  return made.token;
}

export function directoryClient(
  server: ScimServer,
  tenant: string,
  connection: string,
  token: string,
): DirectoryClient {
  const at = `/scim/v2/${tenant}/${connection}`;
  const call: DirectoryClient['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${server.url}${at}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/scim+json; charset=utf-8' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }),
    } as RequestInit);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: text === '' ? null : JSON.parse(text) };
  };
  return {
    token,
    base: `${publicUrl}${at}`,
    call,
    get: (path, headers) => call('GET', path, undefined, headers),
    post: (path, body) => call('POST', path, body),
    put: (path, body, headers) => call('PUT', path, body, headers),
    patch: (path, ...operations) => call('PATCH', path, { schemas: [patchUrn], Operations: operations }),
    delete: (path) => call('DELETE', path),
  };
}

/** The same directory by another server. */
export function through(server: ScimServer, client: DirectoryClient): DirectoryClient {
  const [tenant = '', connection = ''] = client.base.split('/').slice(-2);
  return directoryClient(server, tenant, connection, client.token);
}

export async function directory(
  world: TestWorld,
  server: ScimServer,
  tenant: TenantRef,
  connection: string,
): Promise<DirectoryClient> {
  return directoryClient(server, tenant.slug, connection, await newScimToken(world, tenant, connection));
}

/** A user as most identity providers would push them. */
export function userBody(name: string, more: object = {}): Body {
  return {
    schemas: [userSchemaUrn],
    userName: `${name}@acme.example`,
    externalId: `ext-${name}`,
    name: { givenName: name, familyName: 'Example' },
    emails: [{ primary: true, type: 'work', value: `${name}@acme.example` }],
    displayName: `${name} Example`,
    active: true,
    ...more,
  };
}
