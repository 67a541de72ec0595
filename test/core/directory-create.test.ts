import { describe, expect, test } from 'vitest';
import { decideCreate } from '../../src/core/directory-create.ts';
import type { DirectoryUserId, UserId } from '../../src/core/ids.ts';
import { createFacts, directory, here, kinds, means, person, pushed, suspension } from '../support/directory-facts.ts';

describe('a user pushed for the first time', () => {
  test('is somebody new, whose address is proved only in a domain that the connection owns', () => {
    const decision = decideCreate(pushed('ann'), createFacts(), means);
    expect(kinds(decision.changes)).toEqual(['create_user', 'create_directory_user']);
    expect(decision.changes[0]).toMatchObject({ origin: 'scim', approval: 'approved', emailVerified: true });
    const foreign = pushed('ann', { emails: [{ value: 'ann@globex.example' }] });
    expect(decideCreate(foreign, createFacts(), means).changes[0]).toMatchObject({ emailVerified: false });
  });

  test('T63 I12 is refused where the directory has the userName or the externalId', () => {
    const taken = decideCreate(pushed('ann'), createFacts({ userNameTaken: true }), means);
    expect(taken).toMatchObject({ outcome: { code: 'user_name_taken' }, changes: [] });
    const known = decideCreate(pushed('ann'), createFacts({ externalIdTaken: true }), means);
    expect(known).toMatchObject({ outcome: { code: 'external_id_taken' }, changes: [] });
  });

  test('T118 C3 is the same person again where they left under this externalId, whatever else they held', () => {
    const left = person('ann', { suspension, directoryUsers: [here({ ended: true })], madeHere: true });
    const decision = decideCreate(pushed('ann'), createFacts({ byExternalId: left, byEmail: left }), means);
    expect(decision.outcome).toMatchObject({ kind: 'created', userId: left.userId, as: 'returned' });
    expect(kinds(decision.changes)).toEqual(['create_directory_user', 'hold_keys']);
  });

  test('is not the person of an externalId who has another user here by now', () => {
    const moved = person('ann', {
      directoryUsers: [here({ ended: true }), here({ directoryUserId: 'd-2' as DirectoryUserId })],
    });
    const decision = decideCreate(pushed('new'), createFacts({ byExternalId: moved }), means);
    expect(decision.outcome).toMatchObject({ as: 'new' });
  });

  test('C3 is a fresh user where only the address is that of somebody who left, who gives it up and leaves its key behind', () => {
    const left = person('ann', { directoryUsers: [here({ ended: true })] });
    const decision = decideCreate(pushed('ann', { externalId: 'other' }), createFacts({ byEmail: left }), means);
    expect(decision.outcome).toMatchObject({ as: 'new' });
    expect(kinds(decision.changes)).toEqual(['hold_keys', 'give_up_email', 'create_user', 'create_directory_user']);
    expect(decision.changes[1]).toMatchObject({ userId: left.userId });
  });

  test('T118 I3 begins suspended where the one who left was', () => {
    const left = person('ann', { suspension, directoryUsers: [here({ ended: true })] });
    const decision = decideCreate(pushed('ann', { externalId: 'other' }), createFacts({ byEmail: left }), means);
    expect(decision.changes.find((change) => change.kind === 'suspend')).toMatchObject({ inheritedFrom: suspension });
    expect(decision.events.map((event) => event.kind)).toContain('user.suspension_inherited');
  });

  describe('with the address of a person of the tenant', () => {
    const alone = { byEmail: person('ann') };

    test('is adopted: linked, and nothing of theirs is touched', () => {
      const decision = decideCreate(pushed('ann'), createFacts(alone), means);
      expect(decision.outcome).toMatchObject({ kind: 'created', as: 'adopted', userId: 'u-ann' });
      expect(kinds(decision.changes)).toEqual(['create_directory_user']);
      expect(decision.events.map((event) => event.kind)).toEqual(['user.adopted']);
    });

    test('T29 T31 loses what was set up under an address that nobody had proved', () => {
      const squatted = person('ann', { emailVerified: false, hasPassword: true });
      const decision = decideCreate(pushed('ann'), createFacts({ byEmail: squatted }), means);
      const expected = ['create_directory_user', 'end_password', 'end_identities', 'end_invitations', 'end_sessions'];
      expect(kinds(decision.changes)).toEqual([...expected, 'update_profile']);
    });

    test.each([
      ['T27 T38 the connection does not own the domain', { domains: [] }, {}, 'email_taken'],
      ['they have another user on this connection', {}, { directoryUsers: [here()] }, 'email_taken'],
      ['they are mapped into other tenants', {}, { mappedAcrossTenants: true }, 'email_taken'],
      ['T105 they administer the tenant', {}, { administers: true }, 'protected_user'],
    ] as const)('is refused where %s', (_, owned, more, code) => {
      const facts = createFacts({ directory: { ...directory, ...owned }, byEmail: person('ann', more) });
      const { outcome, changes } = decideCreate(pushed('ann'), facts, means);
      expect(outcome).toMatchObject({ kind: 'refused', code });
      expect(changes).toEqual([]);
    });

    test('T121 is refused where the pushed keys are those of somebody else who is suspended', () => {
      const met = [{ subjectId: 'u-other' as UserId, suspensionId: suspension }];
      expect(decideCreate(pushed('ann'), createFacts({ ...alone, suspended: met }), means).outcome).toMatchObject({
        code: 'email_taken',
      });
      const own = [{ subjectId: 'u-ann' as UserId, suspensionId: suspension }];
      const theirs = createFacts({ byEmail: person('ann', { suspension }), suspended: own });
      expect(decideCreate(pushed('ann'), theirs, means).outcome).toMatchObject({ as: 'adopted' });
    });

    test('D12 is refused where adopting them as inactive would bar the last owner', () => {
      const owner = person('ann', { lastOwner: true });
      const decision = decideCreate(pushed('ann', { active: false }), createFacts({ byEmail: owner }), means);
      expect(decision.outcome).toMatchObject({ code: 'last_owner' });
    });
  });
});
