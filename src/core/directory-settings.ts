// What administrators decide about a directory, beside whether there is one.

/** Identity providers whose ways of speaking SCIM are known; `generic` speaks it as the standard says. */
export const directoryProfiles = [
  'okta',
  'entra',
  'entra-legacy',
  'onelogin',
  'jumpcloud',
  'ping',
  'google',
  'sailpoint',
  'generic',
] as const;
export type DirectoryProfile = (typeof directoryProfiles)[number];

export const extensionTypes = [
  'string',
  'boolean',
  'decimal',
  'integer',
  'dateTime',
  'reference',
  'binary',
  'complex',
] as const;

/** An attribute of a directory's own schema (RFC 7643 §2.2, §7). */
export type ExtensionAttribute = {
  readonly name: string;
  readonly type: (typeof extensionTypes)[number];
  readonly multiValued: boolean;
  readonly description: string;
  readonly required: boolean;
  readonly caseExact: boolean;
  readonly mutability: 'readWrite' | 'immutable';
  readonly returned: 'always' | 'default' | 'request';
  readonly canonicalValues: readonly string[];
  /** Of a complex attribute: at least one, and none of them complex. */
  readonly subAttributes: readonly ExtensionAttribute[];
};

/** A schema of the directory's own, beside those of the standard. */
export type ExtensionSchema = {
  readonly urn: string;
  readonly resource: 'User' | 'Group';
  readonly name: string;
  readonly description: string;
  readonly attributes: readonly ExtensionAttribute[];
};

/** Names that a resource of the standard has, in lower case: those of its core schema, and those that every resource has. */
export const standardNames: Readonly<Record<ExtensionSchema['resource'], ReadonlySet<string>>> = {
  User: new Set(
    `schemas id externalid meta username name displayname nickname profileurl title usertype preferredlanguage locale timezone active
     password emails phonenumbers ims photos addresses groups entitlements roles x509certificates`.split(/\s+/),
  ),
  Group: new Set('schemas id externalid meta displayname members'.split(' ')),
};

/**
 * When a directory is paused: as soon as more than so many people, or more than so many percent of its active users, would be
 * deactivated or stripped of a mapped group within so many minutes.
 */
export type BlastGuard = {
  readonly people: number;
  readonly percent: number;
  readonly minutes: number;
};

export type DirectorySettings = {
  /** Null: recognised from what it sends. */
  readonly profile: DirectoryProfile | null;
  readonly schemas: readonly ExtensionSchema[];
  /** More are answered with 429; null: no limit. */
  readonly requestsPerSecond: number | null;
  readonly requestLog: {
    readonly days: number;
    /** How long bodies are kept, secrets taken out; 0: never. */
    readonly bodyHours: number;
  };
  /** Null: never paused. */
  readonly guard: BlastGuard | null;
};

export const defaultDirectorySettings: DirectorySettings = {
  profile: null,
  schemas: [],
  requestsPerSecond: null,
  requestLog: { days: 30, bodyHours: 0 },
  guard: null,
};
