import type { ClientSettings, Resource } from '../core/client.ts';
import { createClient } from '../operations/create-client.ts';
import { clientsOfTenant } from '../operations/find-client.ts';
import { setClientEnabled } from '../operations/set-client-enabled.ts';
import { accepted, CliError, type Command, many, optional, required, tenantOf } from './command.ts';
import { table } from './table.ts';

const KINDS = ['web', 'browser', 'native'] as const;

export const clientCreate: Command = {
  usage:
    'client create --tenant T --name NAME --redirect-uri URI… [--kind web|browser|native] [--client-id ID] [--post-logout-uri URI]… ' +
    '[--resource URI[=scope,scope]]… [--default-resource URI] [--id-token-alg ES256|RS256] [--no-refresh]',
  summary: 'register an application of a tenant; its secret is printed once',
  options: {
    tenant: { type: 'string' },
    name: { type: 'string' },
    kind: { type: 'string' },
    'client-id': { type: 'string' },
    'redirect-uri': { type: 'string', multiple: true },
    'post-logout-uri': { type: 'string', multiple: true },
    resource: { type: 'string', multiple: true },
    'default-resource': { type: 'string' },
    'id-token-alg': { type: 'string' },
    'no-refresh': { type: 'boolean' },
  },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const kind = KINDS.find((one) => one === (optional(values, 'kind') ?? 'web'));
    if (kind === undefined) throw new CliError(`--kind is one of ${KINDS.join(', ')}.`);
    const signingAlgorithm = optional(values, 'id-token-alg') ?? 'ES256';
    if (signingAlgorithm !== 'ES256' && signingAlgorithm !== 'RS256')
      throw new CliError('--id-token-alg is ES256 or RS256.');
    const settings: ClientSettings = {
      name: required(values, 'name'),
      kind,
      redirectUris: many(values, 'redirect-uri'),
      postLogoutRedirectUris: many(values, 'post-logout-uri'),
      resources: many(values, 'resource').map(resourceOf),
      defaultResource: optional(values, 'default-resource'),
      refreshTokens: values['no-refresh'] !== true,
      signingAlgorithm,
      publicKeys: null,
    };
    const created = accepted(await createClient(world.context, tenant, optional(values, 'client-id'), settings));
    const secret = created.secret === null ? [] : [`client_secret  ${created.secret}`];
    return {
      text: [`issuer         ${world.settings.publicUrl}/oidc`, `client_id      ${created.clientId}`, ...secret].join(
        '\n',
      ),
      json: { issuer: `${world.settings.publicUrl}/oidc`, clientId: created.clientId, clientSecret: created.secret },
    };
  },
};

export const clientList: Command = {
  usage: 'client list --tenant T',
  summary: 'applications of a tenant',
  options: { tenant: { type: 'string' } },
  async run(world, values) {
    const found = await clientsOfTenant(world.context, await tenantOf(world, values));
    const rows = found.map((one) => [
      one.clientId,
      one.settings.name,
      one.settings.kind,
      one.enabled ? 'on' : 'off',
      one.settings.redirectUris.join(' '),
    ]);
    const json = found.map(({ clientId, enabled, settings }) => ({ clientId, enabled, ...settings }));
    return { text: table(['CLIENT ID', 'NAME', 'KIND', 'STATE', 'REDIRECT URIS'], rows), json };
  },
};

export const clientDisable = switchCommand('disable', false);
export const clientEnable = switchCommand('enable', true);

function switchCommand(name: string, enabled: boolean): Command {
  return {
    usage: `client ${name} --tenant T --client-id ID`,
    summary: enabled ? 'switch an application on again' : 'switch an application off; what it was issued is gone',
    options: { tenant: { type: 'string' }, 'client-id': { type: 'string' } },
    async run(world, values) {
      const clientId = required(values, 'client-id');
      accepted(await setClientEnabled(world.context, await tenantOf(world, values), clientId, enabled));
      return { text: `${clientId} is ${enabled ? 'on' : 'off'}.`, json: { clientId, enabled } };
    },
  };
}

/** `https://api.example` or `https://api.example=read,write`. */
function resourceOf(text: string): Resource {
  const at = text.lastIndexOf('=');
  if (at < 0) return { identifier: text, scopes: [] };
  return {
    identifier: text.slice(0, at),
    scopes: text
      .slice(at + 1)
      .split(',')
      .filter((scope) => scope !== ''),
  };
}
