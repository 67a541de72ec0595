import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bar } from '../../src/core/access.ts';
import type { Change } from '../../src/core/change.ts';
import { isFormer, isProtected, knownBy } from '../../src/core/directory.ts';
import { decideCreate } from '../../src/core/directory-create.ts';
import { changesKeys, decideEnd, decideUpdate, type UpdateFacts } from '../../src/core/directory-update.ts';
import type { DirectoryUserId, UserId } from '../../src/core/ids.ts';
import type { Email } from '../../src/core/profile.ts';
import {
  directory,
  entra,
  hashes,
  here,
  kinds,
  means,
  okta,
  person,
  pushed,
  stored,
  suspension,
} from '../support/directory-facts.ts';

test('T123 a person is known by every address, also as userName, without its plus-tag and in one spelling', () => {
  const user = pushed('Ann.B+x@ACME.example', {
    emails: [{ value: 'ann@acme.example' }, { value: 'Second@Bücher.example' }, { value: 'no address' }, 'x'],
  });
  expect(knownBy(user, directory)).toEqual([
    '["email","ann@acme.example"]',
    '["email","ann.b@acme.example"]',
    '["email","second@xn--bcher-kva.example"]',
    '["externalId","okta","ext-Ann.B+x@ACME.example"]',
  ]);
});

describe('whatever is pushed, about whomever', () => {
  const names = fc.constantFrom('ann', 'bob', 'ann@acme.example');
  const addresses = fc.constantFrom('ann@acme.example', 'ann+1@acme.example', 'bob@acme.example', 'x@globex.example');
  const push = fc
    .record({
      name: names,
      emails: fc.array(addresses, { maxLength: 2 }),
      externalId: fc.option(names),
      active: fc.boolean(),
    })
    .chain((one) => fc.constant(pushed(one.name, { ...one, emails: one.emails.map((value) => ({ value })) })));
  const people = fc
    .record({
      emailVerified: fc.boolean(),
      hasPassword: fc.boolean(),
      mappedAcrossTenants: fc.boolean(),
      administers: fc.boolean(),
      lastOwner: fc.boolean(),
      madeHere: fc.boolean(),
      suspension: fc.option(fc.constant(suspension)),
      directoryUsers: fc.array(
        fc.record({
          directoryUserId: fc.constantFrom('d-1', 'd-2', 'd-3') as fc.Arbitrary<DirectoryUserId>,
          connectionId: fc.constantFrom(okta, entra),
          active: fc.boolean(),
          ended: fc.boolean(),
        }),
        { maxLength: 3 },
      ),
    })
    .map((facts) => person('ann', facts));
  const left = people.map((one) => ({ ...one, userId: 'u-left' as UserId }));
  const met = fc.array(fc.constant({ subjectId: 'u-gone' as UserId, suspensionId: suspension }), { maxLength: 1 });
  const creations = fc
    .record({
      directory: fc.constant(directory),
      userNameTaken: fc.constant(false),
      externalIdTaken: fc.constant(false),
      byExternalId: fc.option(left),
      byEmail: fc.option(people),
      holderFromElsewhere: fc.boolean(),
      suspended: met,
    })
    .map((facts) => ({ ...facts, suspendedBehind: facts.suspended }));
  /** A person whose user here is the stored one. */
  const updates = fc.record({ was: push, next: push, who: people, addressFree: fc.boolean(), met }).map((one) => {
    const others = one.who.directoryUsers.filter((user) => user.directoryUserId !== 'd-1');
    const directoryUsers = [here({ active: one.was.active }), ...others];
    const { next, addressFree, met: suspended } = one;
    const who = { ...one.who, directoryUsers };
    return { next, facts: { directory, addressFree, suspended, stored: stored(one.was), person: who } };
  });
  const inherits = (facts: UpdateFacts) => facts.suspended.length > 0 && facts.person.suspension === null;

  /** Everything that a directory can ever cause. */
  const expressible = new Set<Change['kind']>([
    'create_user',
    'create_directory_user',
    'update_directory_user',
    'end_directory_user',
    'update_profile',
    'give_up_email',
    'hold_keys',
    'suspend',
    'end_sessions',
    'end_password',
    'end_identities',
    'end_invitations',
    'send_mail',
  ]);

  test('R22 T117 T126 no push can give a role, end a suspension or touch an administrator’s switch', () => {
    fc.assert(
      fc.property(push, creations, updates, (user, facts, { next, facts: update }) => {
        for (const decision of [
          decideCreate(user, facts, means),
          decideUpdate(next, update, means),
          decideEnd(update),
        ]) {
          for (const change of decision.changes) expect(expressible).toContain(change.kind);
          if (decision.outcome.kind === 'refused') expect(decision.changes).toEqual([]);
          if (decision.changes.length > 0) expect(decision.events.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  test('I3 whoever comes new and meets a suspended person’s keys begins suspended and is remembered by all of theirs', () => {
    fc.assert(
      fc.property(push, creations, (user, facts) => {
        const { outcome, changes } = decideCreate(user, facts, means);
        if (outcome.kind === 'refused' || outcome.as !== 'new') return;
        const inherits =
          facts.suspended.length > 0 ||
          (facts.byEmail !== null && isFormer(facts.byEmail) && facts.byEmail.suspension !== null);
        expect(changes.some((change) => change.kind === 'suspend')).toBe(inherits);
        const held = changes.flatMap((change) =>
          change.kind === 'hold_keys' && change.subjectId === outcome.userId ? change.hashes : [],
        );
        expect(held).toEqual(inherits ? hashes(knownBy(user, directory)) : []);
      }),
    );
  });

  test('I3 T121 T122 whoever is given a suspended person’s keys is suspended, remembered by all of theirs, and out', () => {
    fc.assert(
      fc.property(updates, ({ next, facts }) => {
        const { outcome, changes } = decideUpdate(next, facts, means);
        if (outcome.kind === 'refused' || !outcome.changed) return;
        expect(changes.some((change) => change.kind === 'suspend')).toBe(inherits(facts));
        if (!inherits(facts)) return;
        expect(kinds(changes)).toContain('end_sessions');
        const held = changes.flatMap((change) => (change.kind === 'hold_keys' ? change.hashes : []));
        expect(held).toEqual(expect.arrayContaining(hashes(knownBy(next, directory))));
      }),
    );
  });

  test('D12 no push suspends the last owner', () => {
    fc.assert(
      fc.property(push, creations, updates, (user, facts, { next, facts: update }) => {
        const suspended = (changes: readonly Change[]) =>
          changes.flatMap((change) => (change.kind === 'suspend' ? [change.subjectId] : []));
        const created = suspended(decideCreate(user, facts, means).changes);
        for (const one of [facts.byEmail, facts.byExternalId])
          if (one?.lastOwner) expect(created).not.toContain(one.userId);
        if (update.person.lastOwner) expect(suspended(decideUpdate(next, update, means).changes)).toEqual([]);
      }),
    );
  });

  test('T121 T122 a key that is given up is remembered, and every key of a suspended person', () => {
    fc.assert(
      fc.property(updates, ({ next, facts }) => {
        const { outcome, changes } = decideUpdate(next, facts, means);
        if (outcome.kind === 'refused' || !outcome.changed) return;
        const held = changes.flatMap((change) => (change.kind === 'hold_keys' ? change.hashes : []));
        const now = knownBy(next, directory);
        const gone = knownBy(facts.stored, directory).filter((key) => !now.includes(key));
        expect(held).toEqual(expect.arrayContaining(hashes(gone)));
        if (facts.person.suspension !== null) expect(held).toEqual(expect.arrayContaining(hashes(now)));
      }),
    );
  });

  test('T105 an administrator whom the directory did not make is never changed, and every try is audited', () => {
    fc.assert(
      fc.property(push, creations, updates, (user, facts, { next, facts: update }) => {
        if (isProtected(update.person)) {
          const decision = decideUpdate(next, update, means);
          expect(decision.changes).toEqual([]);
          if (decision.outcome.kind === 'refused') expect(decision.events).toMatchObject([{ outcome: 'refused' }]);
          expect(decideEnd(update)).toMatchObject({
            outcome: { code: 'protected_user' },
            events: [{ outcome: 'refused' }],
          });
        }
        const created = decideCreate(user, facts, means);
        if (created.outcome.kind === 'refused') return;
        const touched = created.changes.flatMap((change) => ('userId' in change ? [change.userId] : []));
        for (const one of [facts.byEmail, facts.byExternalId]) {
          if (one !== null && isProtected(one)) expect(touched).not.toContain(one.userId);
        }
      }),
    );
  });

  test('T62 sessions end exactly where a push bars somebody who was not barred by their directories', () => {
    fc.assert(
      fc.property(updates, ({ next, facts }) => {
        const { outcome, changes } = decideUpdate(next, facts, means);
        if (outcome.kind === 'refused' || !outcome.changed) return;
        const barredWith = (active: boolean) =>
          bar({
            adminDeactivated: false,
            approval: 'approved',
            suspension: null,
            directory: facts.person.directoryUsers.map((one) =>
              one.directoryUserId === 'd-1' ? { ...one, active } : one,
            ),
          });
        const bars = barredWith(facts.stored.active) === null && barredWith(next.active) !== null;
        expect(changes.some((change) => change.kind === 'end_sessions')).toBe(bars || inherits(facts));
      }),
    );
  });

  test('I6 pushing the same twice changes nothing the second time', () => {
    fc.assert(
      fc.property(updates, ({ next, facts }) => {
        const again = decideUpdate(next, { ...facts, stored: stored(next) }, means);
        expect(again).toMatchObject({ outcome: { changed: false }, changes: [], events: [] });
        expect(changesKeys(stored(next), next)).toBe(false);
      }),
    );
  });

  test('T40 an address moves only to where nobody could lose a way in by it', () => {
    fc.assert(
      fc.property(updates, ({ next, facts }) => {
        const { changes } = decideUpdate(next, facts, means);
        const moved = changes.find((change) => change.kind === 'update_profile' && change.profile.email !== undefined);
        if (moved === undefined) return;
        const { madeHere, hasPassword, mappedAcrossTenants } = facts.person;
        expect({ madeHere, hasPassword, mappedAcrossTenants }).toEqual({
          madeHere: true,
          hasPassword: false,
          mappedAcrossTenants: false,
        });
        expect(moved).toMatchObject({
          emailVerified: (next.email as Email | null)?.endsWith('@acme.example') ?? false,
        });
      }),
    );
  });
});
