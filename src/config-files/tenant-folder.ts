// Reads a configuration folder's tenants: all of them whole, or a list of what is wrong and where.

import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import {
  type ConfigFault,
  configFaults,
  type RuleMatch,
  resolveRole,
  ruleKey,
  type TenantConfig,
} from '../core/config.ts';
import type { TenantSlug } from '../core/ids.ts';
import { builtInRoles, type ConnectionSettings, type SamlSettings } from '../core/tenant.ts';
import { directoryOf } from './directory-fields.ts';
import { type ConfigPath, type ConfigProblem, problemAt, problemsOf, quote } from './problem.ts';
import { parseCertificate, type TenantFile, tenantFile } from './tenant-file.ts';
import { readYamlText, type YamlText } from './yaml-text.ts';

/** What an IdP's SAML metadata says of itself. */
export type IdpMetadata = {
  readonly issuer: string;
  readonly signOnUrl: string;
  readonly certificates: readonly string[];
};

export type FolderOptions = {
  /** Parses the file that `saml.metadataFile` names; throws on anything it would not sign in by. Without it such files are refused. */
  readonly readIdpMetadata?: (xml: string) => IdpMetadata;
};

export type TenantFolder =
  | {
      readonly kind: 'read';
      readonly tenants: readonly TenantConfig[];
      /** A fault that was found later, against what is in force, as a problem at its place in the files. */
      readonly locate: (fault: ConfigFault) => ConfigProblem;
    }
  | { readonly kind: 'refused'; readonly problems: readonly ConfigProblem[] };

/**
 * Reads `<folder>/tenants/*.yaml`, one tenant a file, named for it. No such folder, or an empty one, is no tenant.
 *
 * Everything is read and checked before anything is returned, so a caller has a whole version or none. Refused: files that are
 * not in the folder (links out of it), are changing under the reader, are no UTF-8 or no YAML of the expected form, and files
 * that contradict one another. Problems come sorted by file and line. Reads no secret; `{ env }` and `{ file }` stay references.
 */
export async function readTenantFolder(folder: string, options: FolderOptions = {}): Promise<TenantFolder> {
  const problems: ConfigProblem[] = [];
  const sources = new Map<TenantSlug, YamlText>();
  const tenants: TenantConfig[] = [];
  for (const name of await fileNames(folder, problems)) {
    const file = `tenants/${name}`;
    const content = await readInside(folder, file);
    if (content.kind === 'refused') {
      problems.push({ file, line: 1, column: 1, path: '', ...content });
      continue;
    }
    const read = readYamlText(file, content.text);
    if (read.kind === 'refused') {
      problems.push(read.problem);
      continue;
    }
    const parsed = tenantFile.safeParse(read.yaml.value);
    if (!parsed.success) {
      problems.push(...problemsOf(parsed.error, read.yaml));
      continue;
    }
    if (`${parsed.data.tenant}.yaml` !== name) {
      problems.push(
        problemAt(
          read.yaml,
          ['tenant'],
          quote(parsed.data.tenant),
          `${quote(name.replace(/\.yaml$/, ''))}, as the file is named`,
        ),
      );
      continue;
    }
    const tenant = await toTenantConfig(folder, parsed.data, read.yaml, options, problems);
    tenants.push(tenant);
    sources.set(tenant.slug, read.yaml);
  }
  const locate = (fault: ConfigFault): ConfigProblem => {
    const source = sources.get(fault.tenant);
    if (source !== undefined) return problemAt(source, fault.path, fault.found, fault.expected);
    return {
      file: `tenants/${fault.tenant}.yaml`,
      line: 1,
      column: 1,
      path: '',
      found: fault.found,
      expected: fault.expected,
    };
  };
  if (problems.length === 0) problems.push(...configFaults(tenants).map(locate));
  if (problems.length === 0) return { kind: 'read', tenants, locate };
  return {
    kind: 'refused',
    problems: problems.sort((a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column),
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

async function fileNames(folder: string, problems: ConfigProblem[]): Promise<readonly string[]> {
  const refuse = (name: string, found: string, expected: string) => {
    problems.push({ file: `tenants/${name}`, line: 1, column: 1, path: '', found, expected });
  };
  let names: string[];
  try {
    names = await readdir(join(folder, 'tenants'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    refuse('', 'a folder that cannot be read', 'a folder that this user may read');
    return [];
  }
  // A file that is silently not read would be a tenant that silently keeps what it had.
  for (const name of names.filter((one) => /\.ya?ml$/i.test(one) && !one.startsWith('.') && !one.endsWith('.yaml'))) {
    refuse(name, 'a file that would not be read', 'a name that ends in .yaml');
  }
  return names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort(compare);
}

type Content =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refused'; readonly found: string; readonly expected: string };

/** The text of a file that lies in the folder, wherever links lead on the way (mounted configuration is full of them). */
async function readInside(folder: string, file: string): Promise<Content> {
  const refuse = (found: string, expected: string): Content => ({ kind: 'refused', found, expected });
  let real: string;
  try {
    real = await realpath(join(folder, file));
    const inside = relative(await realpath(folder), real);
    if (inside.startsWith(`..${sep}`) || inside === '..')
      return refuse('a link that leads out of the configuration folder', 'a file in it');
    if (!(await stat(real)).isFile()) return refuse('something that is no file', 'a file');
  } catch {
    return refuse(
      'a file that cannot be read',
      'a file that this user may read, by its path from the configuration folder',
    );
  }
  const handle = await open(real, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const before = await handle.stat();
    if (before.size > 1 << 20) return refuse('more than 1 MB', 'a smaller file');
    const bytes = await handle.readFile();
    const after = await handle.stat();
    if (before.mtimeMs !== after.mtimeMs || bytes.length !== after.size)
      return refuse('a file that is being written', 'a file at rest; try again');
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return refuse('text that is not UTF-8', 'UTF-8');
  } finally {
    await handle.close();
  }
}

async function toTenantConfig(
  folder: string,
  file: TenantFile,
  source: YamlText,
  options: FolderOptions,
  problems: ConfigProblem[],
): Promise<TenantConfig> {
  const connections: ConnectionSettings[] = [];
  for (const [key, connection] of Object.entries(file.connections)) {
    const { name, enabled, scim, scimHeld, directory, domains, oidc, saml } = connection;
    const common = {
      key,
      displayName: name ?? key,
      enabled,
      scim,
      scimHeld,
      directory: directoryOf(directory),
      domains,
    };
    if (oidc !== undefined) {
      const { issuer, ...settings } = oidc;
      connections.push({ ...common, issuer, protocol: 'oidc', oidc: settings });
    } else if (saml !== undefined) {
      const path = ['connections', key, 'saml'];
      const idp = await idpOf(folder, saml, source, path, options, problems);
      const {
        metadataFile: _metadata,
        issuer: _issuer,
        signOnUrl: _url,
        certificates: _certificates,
        ...settings
      } = saml;
      const samlSettings: SamlSettings = { ...settings, signOnUrl: idp.signOnUrl, certificates: idp.certificates };
      connections.push({ ...common, issuer: idp.issuer, protocol: 'saml', saml: samlSettings });
    } else {
      connections.push({ ...common, issuer: null, protocol: null });
    }
  }
  const roles = Object.entries(file.workspaces).flatMap(([workspace, { roles: named }]) =>
    Object.entries(named).map(([name, { rights }]) => ({ workspace, name, rights: [...new Set(rights)] })),
  );
  // Role names as the roles write them, so that what follows compares labels and nothing else.
  const label = (text: string) => resolveRole(text, [...builtInRoles, ...roles]) ?? text;
  const { defaultRole } = file.provisioning;
  return {
    slug: file.tenant as TenantSlug,
    parent: file.parent as TenantSlug,
    displayName: file.name,
    active: file.active,
    settings: {
      provisioningMode: file.provisioning.mode,
      initialAccess: file.provisioning.initialAccess,
      defaultRole: defaultRole === null ? null : label(defaultRole),
      authorization: file.authorization,
      registrationAllowed: file.registration.allow,
      linking: file.linking,
      domainScope: file.provisioning.domainScope,
      passwordSignIn: file.auth.password,
      adminContact: file.adminContact,
      mappingRevocation: file.mapping.revocation,
    },
    allowedDomains: [...new Set(file.allowedDomains)],
    roles,
    connections,
    rules: file.rules.map((rule) => {
      const match = matchOf(rule);
      const role = label(rule.role);
      return { key: rule.name ?? ruleKey(match, role), match, role };
    }),
  };
}

function matchOf({ group, connection = '' }: TenantFile['rules'][number]): RuleMatch {
  if ('local' in group) return { kind: 'local', value: group.local };
  if ('id' in group) return { kind: 'id', connection, value: group.id };
  if ('name' in group) return { kind: 'name', connection, value: group.name };
  return { kind: 'prefix', connection, value: group.prefix, allowNewGroups: group.allowNewGroups };
}

type SamlFile = NonNullable<TenantFile['connections'][string]['saml']>;

async function idpOf(
  folder: string,
  saml: SamlFile,
  source: YamlText,
  path: ConfigPath,
  options: FolderOptions,
  problems: ConfigProblem[],
): Promise<IdpMetadata> {
  const nothing = { issuer: '', signOnUrl: '', certificates: [] };
  if (saml.metadataFile !== undefined) {
    const at = [...path, 'metadataFile'];
    const content = await readInside(folder, saml.metadataFile);
    if (content.kind === 'refused') {
      problems.push(problemAt(source, at, content.found, content.expected));
      return nothing;
    }
    try {
      if (options.readIdpMetadata === undefined) throw new Error('metadata cannot be read here');
      return options.readIdpMetadata(content.text);
    } catch {
      problems.push(
        problemAt(
          source,
          at,
          'a file that is no usable metadata of an IdP',
          'SAML 2.0 metadata with a sign-on address and a signing certificate',
        ),
      );
      return nothing;
    }
  }
  const certificates: string[] = [];
  for (const [index, given] of (saml.certificates ?? []).entries()) {
    if (typeof given === 'string') {
      certificates.push(given);
      continue;
    }
    const content = await readInside(folder, given.file);
    const certificate = content.kind === 'text' ? parseCertificate(content.text) : null;
    if (certificate !== null) certificates.push(certificate);
    else {
      const { found, expected } =
        content.kind === 'refused'
          ? content
          : {
              found: 'a file that holds no usable certificate',
              expected: 'one X.509 certificate, RSA of 2048 bits or more, or EC',
            };
      problems.push(problemAt(source, [...path, 'certificates', index], found, expected));
    }
  }
  return { issuer: saml.issuer ?? '', signOnUrl: saml.signOnUrl ?? '', certificates };
}
