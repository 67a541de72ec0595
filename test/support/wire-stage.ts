// What tests of the wire itself begin with: a server whose log is kept and whose world a test may break, and requests that are sent
// just as they are given.

import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { type Acme, acme } from './acme.ts';
import { type DirectoryClient, directory, newScimToken, type ScimServer, scimServer } from './scim.ts';
import { errorUrn } from './urns.ts';
import { type TestWorld, testWorld } from './world.ts';

export type Raw = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };
type ContextFor = (caller: Context['caller']) => Context;

export type WireStage = {
  readonly world: TestWorld;
  readonly tenants: Acme;
  readonly server: ScimServer;
  readonly okta: DirectoryClient;
  /** What the server has logged since it began. */
  readonly logged: { level: string; facts: Record<string, unknown> }[];
  /** Stands in for the world while a test breaks it; null: no more. */
  breakWorld(contextFor: ContextFor | null): void;
  /** A name that nobody has. */
  fresh(): string;
  /** Of somebody who sent nothing yet. */
  newAddress(): string;
  /** A token of a directory that has no other, but the one that all tests send. */
  newToken(tenant: TenantRef, connection: string): Promise<string>;
  /** Sends exactly what it is given: no path is tidied, no header added. */
  raw(
    method: string,
    path: string,
    headers: Readonly<Record<string, string | string[]>>,
    body?: string | Buffer,
    agent?: Agent,
  ): Promise<Raw>;
  close(): Promise<void>;
};

export const prefixOf = (token: string) => token.split('_')[1] ?? '';
export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

export function expectScimError(
  answer: { readonly status: number; readonly text: string },
  status: number,
  scimType?: string,
): void {
  const body = JSON.parse(answer.text);
  expect({ status: answer.status, body }).toMatchObject({
    status,
    body: { schemas: [errorUrn], status: String(status), ...(scimType === undefined ? {} : { scimType }) },
  });
  expect(typeof body.detail).toBe('string');
}

export async function wireStage(): Promise<WireStage> {
  const world = await testWorld();
  const tenants = await acme(world);
  const logged: WireStage['logged'] = [];
  const level = (name: string) => (facts: object) =>
    void logged.push({ level: name, facts: facts as Record<string, unknown> });
  const log = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  let broken: ContextFor | null = null;
  const server = await scimServer(world, {
    log,
    contextFor: (caller) => broken?.(caller) ?? { ...world.context(caller.actor), caller },
  });
  const okta = await directory(world, server, tenants.acme, 'okta');
  let serial = 0;
  return {
    world,
    tenants,
    server,
    okta,
    logged,
    breakWorld(contextFor) {
      broken = contextFor;
    },
    fresh: () => `http${++serial}`,
    newAddress: () => `203.0.113.${++serial}`,
    async newToken(tenant, connection) {
      const others = `update scim_credentials s set ended_at = now() from connections c
        where c.connection_id = s.connection_id and c.tenant_id = $1 and c.key = $2 and s.ended_at is null and s.prefix <> $3`;
      await world.sql(others, [tenant.tenantId, connection, prefixOf(okta.token)]);
      return newScimToken(world, tenant, connection);
    },
    raw(method, path, headers, body, agent) {
      const { hostname, port } = new URL(server.url);
      return new Promise((resolve, reject) => {
        const sent = httpRequest({ hostname, port, method, path, headers, ...(agent ? { agent } : {}) }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
        });
        sent.on('error', reject);
        sent.end(body);
      });
    },
    async close() {
      await server.close();
      await world.close();
    },
  };
}
