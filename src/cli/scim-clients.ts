import { createScimClient } from '../operations/create-scim-client.ts';
import { endScimClient } from '../operations/end-scim-client.ts';
import { listScimClients } from '../operations/find-scim-client.ts';
import { accepted, type Command, required, tenantOf } from './command.ts';
import { credentialJson, newCredential, newCredentialOptions, untilCell } from './scim-credential.ts';
import { table } from './table.ts';
import { minute as time } from './time.ts';

export const scimClientCreate: Command = {
  usage: 'scim-client create --tenant T --connection C [--expires 90d | --days N]',
  summary:
    'OAuth client credentials for the directory, for identity providers that ask for a token by themselves (default: 365 days)',
  options: newCredentialOptions,
  async run(world, values) {
    const { tenant, connection, until, url, expiresAt } = await newCredential(world, values);
    const { clientId, secret } = accepted(await createScimClient(world.context, tenant, connection, until));
    const tokenEndpoint = `${world.settings.publicUrl}/oidc/token`;
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
        found.map((one) => [one.prefix, one.connectionKey, time(one.createdAt), time(one.lastUsedAt), untilCell(one)]),
      ),
      json: found.map((one) => ({ clientId: one.prefix, ...credentialJson(one) })),
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
