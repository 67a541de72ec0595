// Whose requests a directory's are. Known for the administrator's sake: every form that any of them sends is read for all of them, so a
// profile changes no answer and no check, but for the one form that the standard forbids (see `makesByFilter`).

import type { DirectoryProfile } from './directory-settings.ts';

export type ProfileFacts = {
  readonly name: string;
  /** Of its requests. Only Okta's is documented by its maker; the others are taken at their word where they name the product. */
  readonly userAgent: RegExp | null;
  /** Forms that tell it from all others: keys of quirks, or {@link RequestSign}. */
  readonly signs: readonly string[];
  /** Keys of the quirks that it is known to send. */
  readonly sends: readonly string[];
  /** For the administrator, in sentences. */
  readonly advice: readonly string[];
};

/** What tells one sender from another in requests that need no reading otherwise. */
export type RequestSign =
  /** `?aadOptscim062020` in the address. */
  | 'compliance_flag'
  /** Groups asked for by name with `excludedAttributes=members`. */
  | 'groups_without_members'
  /** Operations of a PATCH as the standard spells them. */
  | 'standard_ops';

const entraSends = [
  // In app roles, with and without the flag.
  'boolean_strings',
  'foreign_schema',
  'empty_values',
  'path_keys',
  'created_by_filter',
  'plain_values',
  'list_of_one',
  'misspelled_urn',
  'name_case',
  'unqualified_extension',
  'remove_values',
  'unknown_attribute',
] as const;

export const directoryProfileFacts: Readonly<Record<DirectoryProfile, ProfileFacts>> = {
  okta: {
    name: 'Okta',
    userAgent: /^okta\b/i,
    signs: ['repeated_read_only'],
    sends: ['empty_values', 'bare_element', 'repeated_read_only', 'ignored_password', 'unknown_attribute'],
    advice: [
      'Switch off Sync Password: passwords that a directory sends are passed over.',
      'Users are never deleted by Okta: it deactivates them.',
    ],
  },
  entra: {
    name: 'Entra ID',
    userAgent: /\b(?:azure|aad|entra|microsoft)/i,
    signs: ['compliance_flag', 'foreign_schema', 'misspelled_urn', 'groups_without_members'],
    sends: [...entraSends],
    advice: [
      'Provisioning on demand passes over ?aadOptscim062020 and sends the older forms.',
      'A person who leaves is deactivated first and deleted 30 days later.',
    ],
  },
  'entra-legacy': {
    name: 'Entra ID without the compliance flag',
    userAgent: null,
    signs: ['capitalised_ops'],
    sends: ['capitalised_ops', ...entraSends],
    advice: [
      'Put ?aadOptscim062020 at the end of the tenant URL in Entra ID: it then sends what the standard says.',
      'A person who leaves is deactivated first and deleted 30 days later.',
    ],
  },
  onelogin: {
    name: 'OneLogin',
    userAgent: /\bonelogin\b/i,
    signs: [],
    sends: ['missing_schemas'],
    advice: ['Its connection test looks for a user who cannot exist: an empty list is the right answer.'],
  },
  jumpcloud: {
    name: 'JumpCloud',
    userAgent: /\bjumpcloud\b/i,
    signs: [],
    sends: ['remove_values'],
    advice: ['Its activation makes a test user and a test group and removes them again.'],
  },
  ping: {
    name: 'Ping Identity',
    userAgent: /\bping(?:one|federate|identity)/i,
    signs: [],
    sends: [],
    advice: [],
  },
  google: {
    name: 'Google Workspace',
    userAgent: /\bgoogle\b/i,
    signs: [],
    sends: [],
    advice: ['Many of its applications push no groups: give roles by hand or from the groups of the sign-in.'],
  },
  sailpoint: {
    name: 'SailPoint',
    userAgent: /\b(?:sailpoint|identitynow|identityiq)\b/i,
    signs: [],
    sends: [],
    advice: ['It reads everybody page by page at each aggregation.'],
  },
  generic: {
    name: 'another client',
    userAgent: null,
    signs: [],
    sends: ['missing_schemas', 'bare_element'],
    advice: [],
  },
};

/** A profile and what it was recognised by, the strongest first. */
export type RecognisedProfile = {
  readonly profile: DirectoryProfile;
  readonly by: 'user_agent' | 'shape' | 'nothing';
};

const profiles = Object.entries(directoryProfileFacts) as readonly (readonly [DirectoryProfile, ProfileFacts])[];

/**
 * Whose requests these are, given what was thought before.
 *
 * A user agent that names a product decides, and the latest such one. Forms decide where none does, and never against one: JumpCloud
 * removes members as Entra ID does. Which of Entra ID's two ways a directory speaks follows its last operations. Without any evidence
 * what was thought before stays, `generic` at first.
 */
export function recogniseProfile(
  before: RecognisedProfile | null,
  seen: { readonly userAgents: readonly string[]; readonly signs: readonly string[] },
): RecognisedProfile {
  const named = profiles.find(([, facts]) =>
    seen.userAgents.some((agent) => facts.userAgent?.test(agent) ?? false),
  )?.[0];
  const shown = (['entra-legacy', 'entra', 'okta'] as const).find((profile) =>
    directoryProfileFacts[profile].signs.some((sign) => seen.signs.includes(sign)),
  );
  const ground = groundOf(before, named);
  if (isEntra(ground.profile)) {
    if (shown === 'entra-legacy') return { ...ground, profile: 'entra-legacy' };
    const standard = seen.signs.includes('compliance_flag') || seen.signs.includes('standard_ops');
    return standard ? { ...ground, profile: 'entra' } : ground;
  }
  return shown === undefined || ground.by === 'user_agent' ? ground : { profile: shown, by: 'shape' };
}

function groundOf(before: RecognisedProfile | null, named: DirectoryProfile | undefined): RecognisedProfile {
  if (named === undefined) return before ?? { profile: 'generic', by: 'nothing' };
  // The name does not say which of its two ways.
  const profile = before !== null && isEntra(named) && isEntra(before.profile) ? before.profile : named;
  return { profile, by: 'user_agent' };
}

/**
 * Whether a PATCH replace whose value filter matches nothing makes the value, as Entra ID counts on, or is refused, as RFC 7644 §3.5.2.3
 * has it: refused where the file says that it is somebody else who asks. What was only recognised changes no answer.
 */
export function makesByFilter(profile: DirectoryProfile | null): boolean {
  return profile === null || directoryProfileFacts[profile].sends.includes('created_by_filter');
}

function isEntra(profile: DirectoryProfile): boolean {
  return profile === 'entra' || profile === 'entra-legacy';
}
