import { type CredentialId, type Instant, isUuid } from '../core/ids.ts';
import { createScimCredential } from '../operations/create-scim-credential.ts';
import { endScimCredential } from '../operations/end-scim-credential.ts';
import { listScimCredentials } from '../operations/list-scim-credentials.ts';
import { accepted, CliError, type Command, required, tenantOf } from './command.ts';
import { lifeOf } from './duration.ts';
import { table } from './table.ts';
import { minute as time } from './time.ts';

export const scimTokenCreate: Command = {
  usage: 'scim-token create --tenant T --connection C [--expires 90d | --days N]',
  summary: 'a bearer token for the directory, printed alone and never again (default: 365 days)',
  options: {
    tenant: { type: 'string' },
    connection: { type: 'string' },
    days: { type: 'string' },
    expires: { type: 'string' },
  },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const expiresAt = (world.context.now() + lifeOf(values)) as Instant;
    const created = accepted(
      await createScimCredential(world.context, tenant, required(values, 'connection'), expiresAt),
    );
    const url = `${world.settings.publicUrl}/scim/v2/${tenant.slug}/${required(values, 'connection')}`;
    return {
      text: created.token,
      json: { id: created.credentialId, token: created.token, url, expiresAt: new Date(expiresAt).toISOString() },
    };
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
          one.live ? time(one.expiresAt) : `${time(one.expiresAt)} (expired)`,
        ]),
      ),
      json: found.map((one) => ({
        id: one.credentialId,
        connection: one.connectionKey,
        prefix: one.prefix,
        live: one.live,
        createdAt: iso(one.createdAt),
        lastUsedAt: iso(one.lastUsedAt),
        lastUsedFrom: one.lastUsedFrom,
        expiresAt: iso(one.expiresAt),
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

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
