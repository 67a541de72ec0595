import { describe, expect, test } from 'vitest';
import {
  directoryProfileFacts,
  makesByFilter,
  type RecognisedProfile,
  recogniseProfile,
} from '../../src/core/directory-profiles.ts';
import { directoryProfiles } from '../../src/core/directory-settings.ts';
import { quirks } from '../../src/scim/quirks.ts';

const seen = (userAgents: readonly string[], signs: readonly string[] = []) => ({ userAgents, signs });
const by = (profile: RecognisedProfile['profile'], ground: RecognisedProfile['by']) => ({ profile, by: ground });

describe('whose requests they are', () => {
  test.each([
    ['Okta SCIM Client 1.0.0', 'okta'],
    ['OneLogin SCIM Client', 'onelogin'],
    ['JumpCloud-SCIM/1.0', 'jumpcloud'],
    ['PingOne Provisioning', 'ping'],
    ['PingFederate/12', 'ping'],
    ['SailPoint IdentityNow', 'sailpoint'],
    ['Google-Workspace-Provisioning', 'google'],
    ['AzureAD-SCIM', 'entra'],
    ['curl/8.5.0', 'generic'],
    ['not-okta/1', 'generic'],
  ] as const)('a user agent that names the product decides: %s', (agent, profile) => {
    expect(recogniseProfile(null, seen([agent]))).toEqual(
      by(profile, profile === 'generic' ? 'nothing' : 'user_agent'),
    );
  });

  test('forms decide where no user agent does', () => {
    expect(recogniseProfile(null, seen([], ['capitalised_ops']))).toEqual(by('entra-legacy', 'shape'));
    expect(recogniseProfile(null, seen([], ['foreign_schema']))).toEqual(by('entra', 'shape'));
    expect(recogniseProfile(null, seen([], ['compliance_flag']))).toEqual(by('entra', 'shape'));
    expect(recogniseProfile(null, seen([], ['repeated_read_only']))).toEqual(by('okta', 'shape'));
    expect(recogniseProfile(null, seen([], ['standard_ops', 'empty_values']))).toEqual(by('generic', 'nothing'));
  });

  test('forms never decide against a user agent: JumpCloud sends some of Entra ID’s', () => {
    const jumpcloud = by('jumpcloud', 'user_agent');
    expect(recogniseProfile(jumpcloud, seen([], ['capitalised_ops', 'remove_values']))).toEqual(jumpcloud);
    expect(recogniseProfile(null, seen(['JumpCloud'], ['capitalised_ops']))).toEqual(jumpcloud);
  });

  test('Entra ID’s way follows its last operations, with the flag and without', () => {
    const flagged = recogniseProfile(by('entra-legacy', 'shape'), seen([], ['standard_ops']));
    expect(flagged).toEqual(by('entra', 'shape'));
    expect(recogniseProfile(flagged, seen([], ['capitalised_ops', 'standard_ops']))).toEqual(
      by('entra-legacy', 'shape'),
    );
    const named = recogniseProfile(by('entra-legacy', 'shape'), seen(['Microsoft-SCIM']));
    expect(named).toEqual(by('entra-legacy', 'user_agent'));
    expect(recogniseProfile(named, seen(['Microsoft-SCIM']))).toEqual(named);
  });

  test('what was thought before stays without evidence, and goes with a new name', () => {
    const okta = by('okta', 'user_agent');
    expect(recogniseProfile(okta, seen(['curl/8.5.0']))).toEqual(okta);
    expect(recogniseProfile(okta, seen([], ['capitalised_ops']))).toEqual(okta);
    expect(recogniseProfile(okta, seen(['OneLogin']))).toEqual(by('onelogin', 'user_agent'));
  });
});

test('the table names every profile, and every quirk in it is one that there is', () => {
  expect(Object.keys(directoryProfileFacts).sort()).toEqual([...directoryProfiles].sort());
  const keys = new Set(quirks.map(({ key }) => key));
  const requestSigns = ['compliance_flag', 'groups_without_members', 'standard_ops'];
  for (const { signs, sends } of Object.values(directoryProfileFacts)) {
    expect(sends.filter((key) => !keys.has(key))).toEqual([]);
    expect(signs.filter((key) => !keys.has(key) && !requestSigns.includes(key))).toEqual([]);
  }
});

test('RFC 7644 §3.5.2.3 only who counts on it, and who was not said to be anybody, has values made by filters', () => {
  expect(directoryProfiles.filter(makesByFilter)).toEqual(['entra', 'entra-legacy']);
  expect(makesByFilter(null)).toBe(true);
});
