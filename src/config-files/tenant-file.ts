// The form of config/tenants/<tenant>.yaml: each value by itself. How they fit together is core/config's.

import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { isReservedSlug, parseTenantSlug } from '../core/ids.ts';
import { parseDomain, parseEmail } from '../core/profile.ts';
import { defaultTenantSettings, isNoAccess, rights } from '../core/tenant.ts';
import { directoryFields } from './directory-fields.ts';
import { choice, fields, fits, flag, isLine, whole } from './fields.ts';

const slug = fits('a Tenant ID: 2 to 63 of a-z, 0-9 and single hyphens', (value) => parseTenantSlug(value) !== null);
const ownSlug = slug.refine((value) => {
  const parsed = parseTenantSlug(value);
  return parsed === null || !isReservedSlug(parsed);
}, 'a Tenant ID that is not reserved');
const title = fits('a name of at most 200 characters, on one line', (value) => isLine(value, 200));
const connectionKey = fits('a key: a-z, 0-9 and single hyphens, at most 63', (value) =>
  /^[a-z0-9](-?[a-z0-9]){0,62}$/.test(value),
);
const workspaceName = fits(
  'a name without ":", at most 100 characters',
  (value) => isLine(value, 100) && !value.includes(':'),
);
const roleName = fits(
  'a name of at most 100 characters; NO_ACCESS is a state and no role',
  (value) => isLine(value, 100) && !isNoAccess(value),
);
const roleText = fits('a role as "Workspace: Role"', (value) => isLine(value, 202));
const groupText = fits('the name or id of a group, at most 1000 characters', (value) =>
  /^[^\p{Cc}]{1,1000}$/u.test(value),
);
const claimName = fits('the name of a claim or attribute', (value) => isLine(value, 500));
const domain = fits('a domain such as example.com', (value) => parseDomain(value) !== null).transform(
  (value) => parseDomain(value) ?? value,
);
const domainPattern = fits(
  'a domain, or *.domain for all below it',
  (value) => parseDomain(value.replace(/^\*\./, '')) !== null,
).transform((value) => (value.startsWith('*.') ? `*.${parseDomain(value.slice(2))}` : (parseDomain(value) ?? value)));
const contact = fits(
  'an email address or an https address',
  (value) => parseEmail(value) !== null || isWebAddress(value),
);
const upstreamUrl = fits(
  'an https address (http only on this machine), without "#" and without a password',
  isWebAddress,
);

// What a file may name must not be the server's own: it would be sent to the tenant's IdP.
const variable = fits('the name of a variable that is none of the server’s own settings', (value) => {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(value) && !/^(DRAWBRIDGE_|DATABASE_URL|SMTP_URL|PG[A-Z]+$)/.test(value);
});
const filePath = fits('the path of a file', (value) => value !== '' && value.length <= 1000 && !/\p{Cc}/u.test(value));
const secret = z.union(
  [z.strictObject({ env: variable }), z.strictObject({ file: filePath })],
  '{ env: NAME } or { file: PATH }: a secret is never written here',
);

const oidc = fields({
  issuer: upstreamUrl,
  clientId: fits('the client id that the IdP gave', (value) => isLine(value, 500)),
  clientSecret: secret.nullable().default(null),
  scopes: z
    .array(
      fits('a scope', (value) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)),
      'a list of scopes',
    )
    .refine((scopes) => scopes.includes('openid'), 'a list of scopes with openid among them')
    .default(['openid', 'email', 'profile']),
  groupsClaim: claimName.nullable().default(null),
  directoryIdClaim: choice(['sub', 'oid']).default('sub'),
  trustsEmail: flag.default(false),
});

const certificate = z.union(
  [
    fits('a certificate', (value) => parseCertificate(value) !== null).transform(
      (value) => parseCertificate(value) ?? value,
    ),
    z.strictObject({ file: filePath }),
  ],
  'an X.509 certificate as PEM or base64 (RSA of 2048 bits or more, or EC), or { file: PATH }',
);
const saml = fields({
  metadataFile: filePath.optional(),
  issuer: fits('the entity ID of the IdP', (value) => isLine(value, 1024)).optional(),
  signOnUrl: upstreamUrl.optional(),
  certificates: z
    .array(certificate, 'a list of certificates')
    .min(1, 'at least one certificate')
    .max(10, 'at most 10 certificates')
    .optional(),
  nameIdFormat: fits('a NameID format (a URN)', (value) => /^urn:[\x21-\x7e]{1,300}$/.test(value))
    .nullable()
    .default(null),
  emailAttribute: claimName.nullable().default(null),
  groupsAttribute: claimName.nullable().default(null),
  givenNameAttribute: claimName.nullable().default(null),
  familyNameAttribute: claimName.nullable().default(null),
  trustsEmail: flag.default(false),
  insecureAllowUnsolicited: flag.default(false),
  insecureAllowSha1: flag.default(false),
  clockSkewSeconds: whole(0, 300).default(60),
}).superRefine((value, check) => {
  for (const key of ['issuer', 'signOnUrl', 'certificates'] as const) {
    if (value.metadataFile !== undefined && value[key] !== undefined) {
      check.addIssue({ code: 'custom', path: [key], message: 'nothing here, since metadataFile says it' });
    }
    if (value.metadataFile === undefined && value[key] === undefined) {
      check.addIssue({ code: 'custom', path: [key], message: 'a value here, or a metadataFile that says it' });
    }
  }
});

const connection = fields({
  name: title.optional(),
  enabled: flag.default(true),
  oidc: oidc.optional(),
  saml: saml.optional(),
  scim: flag.default(false),
  scimHeld: flag.default(false),
  directory: directoryFields.prefault({}),
  domains: z.array(domain, 'a list of domains').max(500, 'at most 500 domains').default([]),
}).superRefine((value, check) => {
  if (value.oidc !== undefined && value.saml !== undefined) {
    check.addIssue({ code: 'custom', path: ['saml'], message: 'oidc or saml, not both' });
  }
});

const groups = [
  z.strictObject({ id: groupText }),
  z.strictObject({ name: groupText }),
  z.strictObject({ prefix: groupText, allowNewGroups: flag.default(false) }),
  z.strictObject({ local: groupText }),
] as const;
const rule = fields({
  name: fits('a name for the rule, at most 200 characters', (value) => isLine(value, 200)).optional(),
  connection: connectionKey.optional(),
  group: z.union(groups, 'exactly one of { id: … }, { name: … }, { prefix: …, allowNewGroups: true }, { local: … }'),
  role: roleText,
}).superRefine((value, check) => {
  const local = 'local' in value.group;
  if (local && value.connection !== undefined) {
    check.addIssue({
      code: 'custom',
      path: ['connection'],
      message: 'no connection, since the group is the tenant’s own',
    });
  }
  if (!local && value.connection === undefined) {
    check.addIssue({ code: 'custom', path: ['connection'], message: 'the connection whose group this is' });
  }
});

const d = defaultTenantSettings;
const role = fields({ rights: z.array(choice(rights), 'a list of rights').default([]) });

/** One tenant's file. The output has every default filled in. */
export const tenantFile = fields({
  tenant: ownSlug,
  name: title,
  parent: slug.default('system'),
  active: flag.default(true),
  authorization: choice(['internal', 'hybrid', 'external']).default(d.authorization),
  linking: choice(['verified_domain', 'signed_in_only', 'off']).default(d.linking),
  provisioning: fields({
    mode: choice(['invite_only', 'jit']).default(d.provisioningMode),
    initialAccess: choice(['none', 'default_role', 'mapped_roles']).default(d.initialAccess),
    defaultRole: roleText.nullable().default(d.defaultRole),
    domainScope: choice(['owned_domains', 'allowed_domains', 'any']).default(d.domainScope),
  }).prefault({}),
  registration: fields({ allow: flag.default(d.registrationAllowed) }).prefault({}),
  auth: fields({ password: flag.default(d.passwordSignIn) }).prefault({}),
  mapping: fields({ revocation: choice(['next_refresh', 'immediate']).default(d.mappingRevocation) }).prefault({}),
  adminContact: contact.nullable().default(d.adminContact),
  allowedDomains: z.array(domainPattern, 'a list of domains').max(1000, 'at most 1000 domains').default([]),
  workspaces: z
    .record(workspaceName, fields({ roles: z.record(roleName, role, 'a mapping of roles') }), 'a mapping of workspaces')
    .default({}),
  connections: z.record(connectionKey, connection, 'a mapping of connections').default({}),
  rules: z.array(rule, 'a list of rules').default([]),
});
export type TenantFile = z.output<typeof tenantFile>;

/** JSON Schema (draft 2020-12) of the file, for editors. */
export function tenantFileJsonSchema(): object {
  return z.toJSONSchema(tenantFile, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' });
}

function isWebAddress(value: string): boolean {
  if (value.length > 1000 || !/^https?:\/\/[\x21-\x7e]+$/.test(value) || !URL.canParse(value)) return false;
  const url = new URL(value);
  if (url.hash !== '' || value.includes('#') || url.username !== '' || url.password !== '') return false;
  return (
    url.protocol === 'https:' ||
    url.hostname === 'localhost' ||
    url.hostname === '[::1]' ||
    /^127(\.\d+){3}$/.test(url.hostname)
  );
}

/** A signing certificate as PEM in one canonical form, or null. Its dates are not looked at: IdPs let theirs run out and go on. */
export function parseCertificate(text: string): string | null {
  const body = text.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s+/g, '');
  if (text.match(/-----BEGIN/g)?.length === 2 || !/^[A-Za-z0-9+/]{100,20000}={0,2}$/.test(body)) return null;
  try {
    const certificate = new X509Certificate(Buffer.from(body, 'base64'));
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
    const strong = type === 'ec' || (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048);
    return strong ? certificate.toString().trim() : null;
  } catch {
    return null;
  }
}
