// What a tenant's file says: one tenant's wanted configuration, with names where the database has ids.

import { schemaFaults } from './directory-schemas.ts';
import type { TenantSlug } from './ids.ts';
import { groupNameKey } from './profile.ts';
import {
  builtInRoles,
  type ConnectionSettings,
  findRole,
  isNoAccess,
  type Right,
  roleLabel,
  type TenantSettings,
} from './tenant.ts';

export type RoleConfig = { readonly workspace: string; readonly name: string; readonly rights: readonly Right[] };

export type RuleMatch =
  | { readonly kind: 'id'; readonly connection: string; readonly value: string }
  | { readonly kind: 'name'; readonly connection: string; readonly value: string }
  | { readonly kind: 'prefix'; readonly connection: string; readonly value: string; readonly allowNewGroups: boolean }
  | { readonly kind: 'local'; readonly value: string };

/** `key` is the rule's own name in its file, or {@link ruleKey}. `role` is a label as the file writes it. */
export type RuleConfig = { readonly key: string; readonly match: RuleMatch; readonly role: string };

export type TenantConfig = {
  readonly slug: TenantSlug;
  readonly parent: TenantSlug;
  readonly displayName: string;
  /** False closes the tenant: nobody gets in, nothing is lost. */
  readonly active: boolean;
  readonly settings: TenantSettings;
  readonly allowedDomains: readonly string[];
  readonly roles: readonly RoleConfig[];
  readonly connections: readonly ConnectionSettings[];
  readonly rules: readonly RuleConfig[];
};

/** The name of a rule that has none of its own: the same for as long as it says the same. */
export function ruleKey(match: RuleMatch, role: string): string {
  const group = match.kind === 'local' ? `local:${match.value}` : `${match.connection}:${match.kind}:${match.value}`;
  return `${group} -> ${role}`;
}

/** Something that a file says and that cannot hold. `path` is the place in the file; the two phrases complete a sentence. */
export type ConfigFault = {
  readonly tenant: TenantSlug;
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly expected: string;
};

/**
 * What is wrong with the files as a whole, beyond the form of each value: names that lead nowhere, a domain with two owners,
 * parents in a circle, rules of one name, JIT without a connection to sign in by (R9), prefix rules that do not allow new groups.
 * Empty if all of it can hold together. Does not look at what is in force: a parent or a domain may still turn out to be taken.
 */
export function configFaults(tenants: readonly TenantConfig[]): readonly ConfigFault[] {
  return [...tenants.flatMap(tenantFaults), ...circularParents(tenants), ...sharedDomains(tenants)];
}

type Fault = Omit<ConfigFault, 'tenant'>;

function tenantFaults(tenant: TenantConfig): readonly ConfigFault[] {
  const checks = [roleFaults, settingsFaults, connectionFaults, ruleFaults];
  return checks.flatMap((check) => check(tenant)).map((fault) => ({ tenant: tenant.slug, ...fault }));
}

/** Every role that a file may name: its own and those that every tenant has. */
function namedRoles(tenant: TenantConfig): readonly RoleConfig[] {
  return [...builtInRoles, ...tenant.roles];
}

/** The label that a text in a file stands for: that of the role which {@link findRole} finds. */
export function resolveRole(text: string, roles: readonly RoleConfig[]): string | null {
  const found = findRole(text, roles);
  return found === null ? null : roleLabel(found);
}

function unknownRole(text: string, tenant: TenantConfig): Pick<Fault, 'found' | 'expected'> | null {
  if (isNoAccess(text)) {
    return {
      found: `"${text}", which is a state and no role`,
      expected: 'a role, or no rule at all: who holds no role has no access',
    };
  }
  if (resolveRole(text, namedRoles(tenant)) !== null) return null;
  const known = namedRoles(tenant).map((role) => `"${roleLabel(role)}"`);
  return { found: `"${text}", which is no role of this tenant`, expected: `one of ${known.join(', ')}` };
}

function roleFaults(tenant: TenantConfig): readonly Fault[] {
  const labels = namedRoles(tenant).map((role) => roleLabel(role).toLowerCase());
  return tenant.roles.flatMap((role): Fault[] => {
    const path = ['workspaces', role.workspace, 'roles', role.name];
    if (builtInRoles.some((builtIn) => builtIn.workspace.toLowerCase() === role.workspace.toLowerCase())) {
      return [
        { path, found: 'in a workspace that every tenant has built in', expected: 'a workspace of another name' },
      ];
    }
    const label = roleLabel(role).toLowerCase();
    if (labels.indexOf(label) === labels.lastIndexOf(label)) return [];
    return [{ path, found: 'there twice, apart from upper and lower case', expected: 'each role once' }];
  });
}

function settingsFaults(tenant: TenantConfig): readonly Fault[] {
  const { settings, connections } = tenant;
  const faults: Fault[] = [];
  const canSignIn = connections.some(
    (connection) => connection.enabled && (connection.protocol === 'oidc' || connection.protocol === 'saml'),
  );
  if (settings.provisioningMode === 'jit' && !canSignIn) {
    faults.push({
      path: ['provisioning', 'mode'],
      found: 'jit, and no connection is there to sign in by',
      expected: 'an enabled connection with oidc or saml, or invite_only',
    });
  }
  if (settings.defaultRole !== null) {
    const unknown = unknownRole(settings.defaultRole, tenant);
    if (unknown !== null) faults.push({ path: ['provisioning', 'defaultRole'], ...unknown });
  } else if (settings.initialAccess === 'default_role') {
    faults.push({
      path: ['provisioning', 'defaultRole'],
      found: 'missing',
      expected: 'the role that initialAccess: default_role gives',
    });
  }
  return faults;
}

function connectionFaults(tenant: TenantConfig): readonly Fault[] {
  return tenant.connections.flatMap((connection): Fault[] => {
    const faults: Fault[] = [];
    const path = ['connections', connection.key];
    if (connection.protocol === null && !connection.scim) {
      faults.push({ path, found: 'a connection that does nothing', expected: 'oidc, saml or scim: true' });
    }
    if (connection.scimHeld && !connection.scim) {
      faults.push({ path: [...path, 'scimHeld'], found: 'true without a directory', expected: 'scim: true beside it' });
    }
    const twice = connection.domains.findIndex((domain, index) => connection.domains.indexOf(domain) !== index);
    if (twice !== -1)
      faults.push({ path: [...path, 'domains', twice], found: 'there twice', expected: 'each domain once' });
    const inSchemas = schemaFaults(connection.directory.schemas);
    return [
      ...faults,
      ...inSchemas.map((fault) => ({ ...fault, path: [...path, 'directory', 'schemas', ...fault.path] })),
    ];
  });
}

function ruleFaults(tenant: TenantConfig): readonly Fault[] {
  const keys = new Map<string, number>();
  return tenant.rules.flatMap((rule, index): Fault[] => {
    const faults: Fault[] = [];
    const path = ['rules', index];
    const { match } = rule;
    const unknown = unknownRole(rule.role, tenant);
    if (unknown !== null) faults.push({ path: [...path, 'role'], ...unknown });
    if (match.kind !== 'local' && !tenant.connections.some((connection) => connection.key === match.connection)) {
      const known = tenant.connections.map((connection) => connection.key);
      faults.push({
        path: [...path, 'connection'],
        found: `"${match.connection}", which is no connection of this tenant`,
        expected: known.length === 0 ? 'a connection, and this tenant has none' : `one of ${known.join(', ')}`,
      });
    }
    if (match.kind === 'prefix' && !match.allowNewGroups) {
      faults.push({
        path: [...path, 'group'],
        found: 'a prefix, which whoever may name a group in the directory can take',
        expected: 'allowNewGroups: true beside it, or a rule by id or name',
      });
    }
    const key = groupNameKey(rule.key);
    const first = keys.get(key);
    if (first === undefined) keys.set(key, index);
    else
      faults.push({ path, found: `the same as rules[${first}]`, expected: 'each rule once, under a name of its own' });
    return faults;
  });
}

function circularParents(tenants: readonly TenantConfig[]): readonly ConfigFault[] {
  const parents = new Map(tenants.map((tenant) => [tenant.slug, tenant.parent]));
  const returns = (slug: TenantSlug): boolean => {
    const seen = new Set<TenantSlug>();
    let at = parents.get(slug);
    while (at !== undefined && at !== slug && !seen.has(at)) {
      seen.add(at);
      at = parents.get(at);
    }
    return at === slug;
  };
  return tenants
    .filter((tenant) => returns(tenant.slug))
    .map((tenant) => ({
      tenant: tenant.slug,
      path: ['parent'],
      found: `"${tenant.parent}", whose own parents lead back here`,
      expected: 'a tenant further up',
    }));
}

function sharedDomains(tenants: readonly TenantConfig[]): readonly ConfigFault[] {
  const owners = new Map<string, TenantSlug>();
  return tenants.flatMap((tenant) =>
    tenant.connections.flatMap((connection) =>
      connection.domains.flatMap((domain, index): ConfigFault[] => {
        const owner = owners.get(domain) ?? tenant.slug;
        owners.set(domain, owner);
        if (owner === tenant.slug) return [];
        const path = ['connections', connection.key, 'domains', index];
        return [
          {
            tenant: tenant.slug,
            path,
            found: `"${domain}", which ${owner} owns already`,
            expected: 'a domain of this tenant alone',
          },
        ];
      }),
    ),
  );
}
