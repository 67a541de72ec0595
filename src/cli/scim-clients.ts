import type { Instant } from '../core/ids.ts';
import { createScimClient } from '../operations/create-scim-client.ts';
import { endScimClient } from '../operations/end-scim-client.ts';
import { listScimClients } from '../operations/find-scim-client.ts';
import { accepted, type Command, required, tenantOf } from './command.ts';
import { lifeOf } from './duration.ts';
import { table } from './table.ts';
import { minute as time } from './time.ts';

export const scimClientCreate: Command = {
  usage: 'scim-client create --tenant T --connection C [--expires 90d | --days N]',
  summary:
    'OAuth client credentials for the directory, for identity providers that ask for a token by themselves (default: 365 days)',
  options: {
    tenant: { type: 'string' },
    connection: { type: 'string' },
    days: { type: 'string' },
    expires: { type: 'string' },
  },
  async run(world, values) {
    const { context, settings } = world;
    const tenant = await tenantOf(world, values);
    const connection = required(values, 'connection');
    const until = (context.now() + lifeOf(values)) as Instant;
    const { clientId, secret } = accepted(await createScimClient(context, tenant, connection, until));
    const url = `${settings.publicUrl}/scim/v2/${tenant.slug}/${connection}`;
    const tokenEndpoint = `${settings.publicUrl}/oidc/token`;
    const expiresAt = new Date(until).toISOString();
    return {
      text: [
        `scim url        ${url}`,
        `token endpoint  ${tokenEndpoint}`,
        `client_id       ${clientId}`,
        `client_secret   ${secret}`,
      ].join('\n'),
      json: { url, tokenEndpoint, clientId, clientSecret: secret, expiresAt },
    };
  },
};

export const scimClientList: Command = {
  usage: 'scim-client list --tenant T',
  summary: 'OAuth clients of directories: when made, last used, and until when',
  options: { tenant: { type: 'string' } },
  async run(world, values) {
    const found = await listScimClients(world.context, await tenantOf(world, values));
    return {
      text: table(
        ['CLIENT ID', 'CONNECTION', 'MADE', 'LAST USED', 'UNTIL'],
        found.map((one) => [
          one.prefix,
          one.connectionKey,
          time(one.createdAt),
          time(one.lastUsedAt),
          one.live ? time(one.expiresAt) : `${time(one.expiresAt)} (expired)`,
        ]),
      ),
      json: found.map((one) => ({
        clientId: one.prefix,
        connection: one.connectionKey,
        live: one.live,
        createdAt: iso(one.createdAt),
        lastUsedAt: iso(one.lastUsedAt),
        expiresAt: iso(one.expiresAt),
      })),
    };
  },
};

export const scimClientEnd: Command = {
  usage: 'scim-client end --tenant T --client-id ID',
  summary: 'end an OAuth client; the next request with a token of it is refused',
  options: { tenant: { type: 'string' }, 'client-id': { type: 'string' } },
  async run(world, values) {
    const clientId = required(values, 'client-id');
    accepted(await endScimClient(world.context, await tenantOf(world, values), clientId));
    return { text: `${clientId} is ended.`, json: { clientId, ended: true } };
  },
};

function iso(at: Instant | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
