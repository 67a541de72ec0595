// SCIM's own clients at the token endpoint: made, asked for tokens, and these shown at SCIM.

import * as client from 'openid-client';
import type { Instant } from '../../src/core/ids.ts';
import { createScimClient } from '../../src/operations/create-scim-client.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { directoryClient, type ScimServer } from '../support/scim.ts';
import type { Stage } from './support.ts';

export type Made = { readonly clientId: string; readonly secret: string };
export type ScimClients = ReturnType<typeof scimClients>;

export const GRANT = { grant_type: 'client_credentials' };

export const credentials = ({ clientId, secret }: Made, more: Record<string, string> = {}) => ({
  client_id: clientId,
  client_secret: secret,
  ...more,
});

export function scimClients(here: Stage, scim: ScimServer) {
  async function made(tenant: TenantRef, connection: string, expiresAt: Instant | null = null): Promise<Made> {
    await here.world.sql(`update scim_credentials set ended_at = now() where tenant_id = $1 and kind = 'client'`, [
      tenant.tenantId,
    ]);
    const outcome = await createScimClient(here.world.context(), tenant, connection, expiresAt);
    if (outcome.kind === 'refused') throw new Error(outcome.message);
    return outcome;
  }
  const discovered = (
    { clientId, secret }: Made,
    auth: (secret: string) => client.ClientAuth = client.ClientSecretPost,
  ) =>
    client.discovery(new URL(here.server.issuer), clientId, undefined, auth(secret), {
      execute: [client.allowInsecureRequests],
    });
  async function issued(one: Made, parameters: Record<string, string> = {}) {
    return client.clientCredentialsGrant(await discovered(one), parameters);
  }
  const baseUrl = (tenant: string, connection: string) => `${here.server.origin}/scim/v2/${tenant}/${connection}`;
  const atScim = async (token: string, tenant = 'acme', connection = 'okta') => {
    const { status, headers, text } = await directoryClient(scim, tenant, connection, token).get('/Users');
    return { status, challenge: headers.get('www-authenticate'), text };
  };
  const opens = async (...args: Parameters<typeof atScim>) => (await atScim(...args)).status;

  let addresses = 0;
  /** A request as it is on the wire, each from an address of its own unless one is given. */
  async function post(
    path: string,
    form: Record<string, string>,
    headers: Record<string, string> = {},
    at = here.server,
  ) {
    addresses += 1;
    const response = await fetch(`${at.address}/oidc${path}`, {
      method: 'POST',
      headers: { 'x-forwarded-for': `10.1.${addresses >> 8}.${addresses & 255}`, ...headers },
      body: new URLSearchParams(form),
      redirect: 'manual',
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: text.startsWith('{') ? JSON.parse(text) : null,
    };
  }

  return { made, discovered, issued, baseUrl, atScim, opens, post };
}
