import { describe, expect, test } from 'vitest';
import type { PushedUser } from '../../src/core/change.ts';
import type { PersonFacts } from '../../src/core/directory.ts';
import { changesKeys, decideEnd, decideUpdate } from '../../src/core/directory-update.ts';
import type { DirectoryUserId } from '../../src/core/ids.ts';
import {
  directory,
  entra,
  hashes,
  here,
  kinds,
  means,
  person,
  pushed,
  stored,
  suspension,
} from '../support/directory-facts.ts';

describe('a push of a user whom the directory has', () => {
  const facts = (was: PushedUser, more: Partial<PersonFacts> = {}, addressFree = true) => ({
    directory,
    person: person('ann', { madeHere: true, directoryUsers: [here({ active: was.active })], ...more }),
    stored: stored(was),
    addressFree,
    suspended: [],
  });

  test('I6 writes nothing where it says what is stored, in whatever order', () => {
    const was = pushed('ann', { name: { givenName: 'A', familyName: 'B' } });
    const again = { ...was, attributes: { name: { familyName: 'B', givenName: 'A' }, ...pushed('ann').attributes } };
    expect(decideUpdate(again, facts(was), means)).toEqual({
      outcome: { kind: 'updated', changed: false },
      changes: [],
      events: [],
    });
  });

  test('T62 active false ends sessions only where no other directory has the person active', () => {
    const off = pushed('ann', { active: false });
    expect(kinds(decideUpdate(off, facts(pushed('ann')), means).changes)).toContain('end_sessions');
    const elsewhere = { connectionId: entra, directoryUserId: 'd-2' as DirectoryUserId, active: true, ended: false };
    const both = facts(pushed('ann'), { directoryUsers: [here(), elsewhere] });
    expect(kinds(decideUpdate(off, both, means).changes)).not.toContain('end_sessions');
  });

  test('C7 T117 T133 active true sets the directory’s own switch and nothing else, of a suspended person too', () => {
    const decision = decideUpdate(pushed('ann'), facts(pushed('ann', { active: false }), { suspension }), means);
    expect(kinds(decision.changes)).toEqual(['update_directory_user', 'hold_keys']);
    expect(decision.events.map((event) => event.kind)).toEqual(['user.updated', 'user.directory_activated']);
  });

  test('the profile follows the directory that made the person, and no other', () => {
    const next = pushed('ann', { displayName: 'Ann B' });
    const made = decideUpdate(next, facts(pushed('ann')), means);
    expect(made.changes[1]).toEqual({ kind: 'update_profile', userId: 'u-ann', profile: { displayName: 'Ann B' } });
    const adopted = decideUpdate(next, facts(pushed('ann'), { madeHere: false }), means);
    expect(kinds(adopted.changes)).toEqual(['update_directory_user']);
  });

  describe('with another address', () => {
    const next = pushed('ann', { emails: [{ value: 'ann.b@acme.example' }] });

    test('moves it, proved by the domain, and remembers the old one', () => {
      const decision = decideUpdate(next, facts(pushed('ann')), means);
      expect(decision.changes[1]).toMatchObject({ profile: { email: 'ann.b@acme.example' }, emailVerified: true });
      expect(decision.changes[2]).toEqual({
        kind: 'hold_keys',
        subjectId: 'u-ann',
        hashes: hashes([JSON.stringify(['email', 'ann@acme.example'])]),
      });
      expect(changesKeys(stored(pushed('ann')), next)).toBe(true);
    });

    test.each([
      ['has a password', { hasPassword: true }, true, true],
      ['is mapped into other tenants', { mappedAcrossTenants: true }, true, true],
      ['was made by somebody else', { madeHere: false }, true, true],
      ['would take it from another', {}, false, false],
    ] as const)('T40 keeps the person’s own where they %s, and tells whom it concerns there', (_, more, free, told) => {
      const decision = decideUpdate(next, facts(pushed('ann'), more, free), means);
      expect(decision.changes.some((change) => change.kind === 'update_profile' && 'email' in change.profile)).toBe(
        false,
      );
      expect(decision.events.map((event) => event.kind)).toContain('user.email_kept');
      const mail = { template: 'address_kept', to: 'ann@acme.example', tenant: 'acme', connection: 'okta' };
      expect(decision.changes.filter((change) => change.kind === 'send_mail')).toEqual(
        told ? [{ kind: 'send_mail', mail }] : [],
      );
    });

    test('the failing twin: whose address moves is told nothing at it', () => {
      expect(kinds(decideUpdate(next, facts(pushed('ann')), means).changes)).not.toContain('send_mail');
    });
  });

  test('D12 the last owner is neither deactivated nor removed by a directory, even by the one that made them', () => {
    const owner = facts(pushed('ann'), { administers: true, lastOwner: true });
    expect(decideUpdate(pushed('ann', { active: false }), owner, means).outcome).toMatchObject({ code: 'last_owner' });
    expect(decideEnd(owner).outcome).toMatchObject({ code: 'last_owner' });
    expect(decideUpdate(pushed('ann', { displayName: 'X' }), owner, means).outcome).toMatchObject({ changed: true });
  });
});
