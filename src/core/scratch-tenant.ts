// A tenant that is made for playing a directory's requests again: what it has of the real one, and which tenant may be taken for it.

import type { RoleConfig, RuleConfig, RuleMatch, TenantConfig } from './config.ts';
import type { TenantInForce } from './config-change.ts';
import { type Refusal, refused } from './errors.ts';
import type { TenantSlug } from './ids.ts';
import { type ConnectionSettings, defaultTenantSettings, roleLabel, type TenantSettings } from './tenant.ts';

export type ScratchConfig = {
  readonly settings: TenantSettings;
  readonly roles: readonly RoleConfig[];
  readonly connection: ConnectionSettings;
  readonly rules: readonly RuleConfig[];
  /** Rules that speak of other connections or of the tenant's own groups: nothing is played that could meet them. */
  readonly rulesLeftOut: number;
};

/** A source of a scratch tenant: a tenant's file, or a tenant in force as its file would say it. */
export type ScratchSource = Pick<TenantConfig, 'settings' | 'roles' | 'connections' | 'rules'>;

/** Groups of the real directory by their ids, as rules may name them. */
export type NamedGroups = ReadonlyMap<string, { readonly externalId: string | null; readonly displayName: string }>;

/**
 * What a scratch tenant has: the roles, one connection's directory, and the rules that speak of it. Nobody signs in by the connection,
 * it owns no domain, is not held, and neither guarded nor limited, since a day is played in minutes. Of the tenant's settings only those
 * that decide what groups give.
 *
 * Null where the source has no such connection with SCIM.
 */
export function scratchConfig(source: ScratchSource, key: string, groups: NamedGroups): ScratchConfig | null {
  const connection = source.connections.find((one) => one.key === key && one.scim);
  if (connection === undefined) return null;
  const { authorization, initialAccess } = source.settings;
  const rules = source.rules.filter(({ match }) => match.kind !== 'local' && match.connection === key);
  return {
    // The default role is for people who sign in; nobody does.
    settings: { ...defaultTenantSettings, linking: 'off', authorization, initialAccess },
    roles: source.roles,
    connection: {
      key,
      displayName: connection.displayName,
      enabled: true,
      scim: true,
      scimHeld: false,
      directory: {
        ...connection.directory,
        guard: null,
        requestsPerSecond: null,
        requestLog: { days: 1, bodyHours: 0 },
      },
      issuer: null,
      domains: [],
      protocol: null,
    },
    rules: rules.map((rule) => ({ ...rule, match: renamed(rule.match, groups) })),
    rulesLeftOut: source.rules.length - rules.length,
  };
}

/** A group has another id in the scratch tenant: a rule that names the real one goes by what the directory knows the group by. */
function renamed(match: RuleMatch, groups: NamedGroups): RuleMatch {
  const group = match.kind === 'id' ? groups.get(match.value) : undefined;
  if (match.kind !== 'id' || group === undefined) return match;
  const { connection } = match;
  return group.externalId === null
    ? { kind: 'name', connection, value: group.displayName }
    : { kind: 'id', connection, value: group.externalId };
}

/** A tenant in force as its file would say it. */
export function sourceInForce({ settings, roles, connections, rules }: TenantInForce): ScratchSource {
  const labels = new Map(roles.map((role) => [role.roleId, roleLabel(role)]));
  const keys = new Map(connections.map((connection) => [connection.connectionId, connection.key]));
  return {
    settings,
    roles: roles
      .filter((role) => role.managedBy !== 'built_in')
      .map(({ workspace, name, rights }) => ({ workspace, name, rights })),
    connections,
    rules: rules.flatMap(({ key, roleId, match }): RuleConfig[] => {
      const role = labels.get(roleId);
      if (role === undefined) return [];
      if (match.kind === 'local') return [{ key, role, match }];
      const { connectionId, ...rest } = match;
      const connection = keys.get(connectionId);
      return connection === undefined ? [] : [{ key, role, match: { ...rest, connection } }];
    }),
  };
}

/** What is known of a tenant that somebody names as scratch. */
export type ScratchFacts = {
  /** The audit trail says so, which nobody can write afterwards. */
  readonly madeByReplay: boolean;
  /** Not taken over by a file, and not ended. */
  readonly own: boolean;
  /** Something is or was there that no replay makes: a sign-in, a grant, a suspension, a guest, a domain, an application … */
  readonly touched: boolean;
};

/** Whether a replay may write into an existing tenant; null if it may. Never into one that was made for anything else. */
export function refuseAsScratch(slug: TenantSlug, facts: ScratchFacts): Refusal | null {
  if (!facts.madeByReplay || !facts.own) {
    return refused(
      'forbidden',
      `${slug} was not made by replay, or is managed by a file now. Replay writes into a tenant of its own alone: name one that does not exist.`,
    );
  }
  return facts.touched
    ? refused(
        'forbidden',
        `${slug} was made by replay, and somebody has given it something since that no replay makes. Name another one.`,
      )
    : null;
}
