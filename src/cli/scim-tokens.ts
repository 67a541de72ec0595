import { type CredentialId, isUuid } from '../core/ids.ts';
import { createScimCredential } from '../operations/create-scim-credential.ts';
import { endScimCredential } from '../operations/end-scim-credential.ts';
import { listScimCredentials } from '../operations/list-scim-credentials.ts';
import { accepted, CliError, type Command, required, tenantOf } from './command.ts';
import { credentialJson, newCredential, newCredentialOptions, untilCell } from './scim-credential.ts';
import { table } from './table.ts';
import { minute as time } from './time.ts';

export const scimTokenCreate: Command = {
  usage: 'scim-token create --tenant T --connection C [--expires 90d | --days N]',
  summary: 'a bearer token for the directory, printed alone and never again (default: 365 days)',
  options: newCredentialOptions,
  async run(world, values) {
    const { tenant, connection, until, url, expiresAt } = await newCredential(world, values);
    const { credentialId, token } = accepted(await createScimCredential(world.context, tenant, connection, until));
    return { text: token, json: { id: credentialId, token, url, expiresAt } };
  },
};

export const scimTokenList: Command = {
  usage: 'scim-token list --tenant T',
  summary: 'tokens that are not ended: when made, when and from where last used, and until when',
  options: { tenant: { type: 'string' } },
  async run(world, values) {
    const found = await listScimCredentials(world.context, await tenantOf(world, values));
    return {
      text: table(
        ['ID', 'CONNECTION', 'PREFIX', 'MADE', 'LAST USED', 'FROM', 'UNTIL'],
        found.map((one) => [
          one.credentialId,
          one.connectionKey,
          one.prefix,
          time(one.createdAt),
          time(one.lastUsedAt),
          one.lastUsedFrom ?? '-',
          untilCell(one),
        ]),
      ),
      json: found.map((one) => ({
        id: one.credentialId,
        prefix: one.prefix,
        ...credentialJson(one),
        lastUsedFrom: one.lastUsedFrom,
      })),
    };
  },
};

export const scimTokenEnd: Command = {
  usage: 'scim-token end --tenant T --id ID',
  summary: 'end a token; its next request is refused',
  options: { tenant: { type: 'string' }, id: { type: 'string' } },
  async run(world, values) {
    const id = required(values, 'id');
    if (!isUuid(id)) throw new CliError('--id is the id of a token, as `scim-token list` shows it.');
    accepted(await endScimCredential(world.context, await tenantOf(world, values), id as CredentialId));
    return { text: `Token ${id} is ended.`, json: { id, ended: true } };
  },
};
