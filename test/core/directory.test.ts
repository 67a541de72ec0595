import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bar, directoriesBar } from '../../src/core/access.ts';
import type { Change, PushedUser } from '../../src/core/change.ts';
import {
  type DirectoryFacts,
  isFormer,
  isProtected,
  knownBy,
  type Means,
  type PersonFacts,
  type StoredUser,
} from '../../src/core/directory.ts';
import { type CreateFacts, decideCreate } from '../../src/core/directory-create.ts';
import { changesKeys, decideEnd, decideUpdate, type UpdateFacts } from '../../src/core/directory-update.ts';
import type { ConnectionId, DirectoryUserId, KeyHash, SuspensionId, TenantSlug, UserId } from '../../src/core/ids.ts';
import { type Email, parseEmail } from '../../src/core/profile.ts';

const okta = 'c-okta' as ConnectionId;
const entra = 'c-entra' as ConnectionId;
const directory: DirectoryFacts = {
  tenant: 'acme' as TenantSlug,
  connectionId: okta,
  connectionKey: 'okta',
  domains: ['acme.example'],
  held: false,
};

let serial = 0;
const means: Means = {
  newId: <Id extends string>() => `id-${++serial}` as Id,
  keyHash: (text) => `hash(${text})` as KeyHash,
};
const hashes = (texts: readonly string[]) => texts.map((text) => means.keyHash(text));

function pushed(name: string, more: { [key: string]: unknown } = {}): PushedUser {
  const attributes = {
    userName: name,
    externalId: `ext-${name}`,
    active: true,
    emails: [{ primary: true, value: `${name}@acme.example` }],
    ...more,
  };
  const emails = attributes.emails as { value: string }[];
  const email = emails[0] === undefined ? null : parseEmail(emails[0].value);
  const { userName, active } = attributes;
  const none = { givenName: null, familyName: null, department: null, locale: null, timeZone: null };
  const displayName = typeof more.displayName === 'string' ? more.displayName : null;
  return {
    userName,
    externalId: attributes.externalId as string | null,
    active,
    email,
    profile: { userName, email, displayName, ...none },
    attributes,
    json: JSON.stringify(attributes),
  };
}

function person(name: string, more: Partial<PersonFacts> = {}): PersonFacts {
  const { profile } = pushed(name);
  return {
    userId: `u-${name}` as UserId,
    profile,
    emailVerified: true,
    hasPassword: false,
    mappedAcrossTenants: false,
    administers: false,
    lastOwner: false,
    suspension: null,
    madeHere: false,
    directoryUsers: [],
    ...more,
  };
}

const here = (more: object = {}) => ({
  directoryUserId: 'd-1' as DirectoryUserId,
  connectionId: okta,
  active: true,
  ended: false,
  ...more,
});

function createFacts(more: Partial<CreateFacts> = {}): CreateFacts {
  return {
    directory,
    userNameTaken: false,
    externalIdTaken: false,
    byExternalId: null,
    byEmail: null,
    holderFromElsewhere: false,
    suspended: [],
    ...more,
  };
}

const stored = (user: PushedUser): StoredUser => ({ ...user, directoryUserId: 'd-1' as DirectoryUserId, version: 7 });
const kinds = (changes: readonly Change[]) => changes.map((change) => change.kind);
const suspension = 's-1' as SuspensionId;

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

test('T123 a person is known by every address, also as userName, without its plus-tag and in one spelling', () => {
  const user = pushed('Ann.B+x@ACME.example', {
    emails: [{ value: 'ann@acme.example' }, { value: 'Second@Bücher.example' }, { value: 'no address' }, 'x'],
  });
  expect(knownBy(user, 'okta')).toEqual([
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
  const creations = fc.record({
    directory: fc.constant(directory),
    userNameTaken: fc.constant(false),
    externalIdTaken: fc.constant(false),
    byExternalId: fc.option(left),
    byEmail: fc.option(people),
    holderFromElsewhere: fc.boolean(),
    suspended: met,
  });
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
        expect(held).toEqual(inherits ? hashes(knownBy(user, 'okta')) : []);
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
        expect(held).toEqual(expect.arrayContaining(hashes(knownBy(next, 'okta'))));
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
        const now = knownBy(next, 'okta');
        const gone = knownBy(facts.stored, 'okta').filter((key) => !now.includes(key));
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

describe('T117 what a held directory says of people', () => {
  const word = (more: object = {}) => ({ active: fc.boolean(), ended: fc.boolean(), ...more });
  const words = fc.array(
    fc.record({
      ...word(),
      held: fc.boolean(),
      withheld: fc.boolean(),
      connectionId: fc.constantFrom(okta, entra),
      directoryUserId: fc.constantFrom('d-1', 'd-2', 'd-3', 'd-4') as fc.Arbitrary<DirectoryUserId>,
    }),
    { maxLength: 4 },
  );
  const heldHere = { ...directory, held: true };
  /** Their words, with those of the directory at hand as it is: held. */
  const known = (given: PersonFacts['directoryUsers']) =>
    given.map((one) => (one.connectionId === okta ? { ...one, held: true } : { ...one, held: one.held ?? false }));
  const switchOn = (given: PersonFacts['directoryUsers'], change: { readonly withheld: boolean }) =>
    given.map((one) =>
      one.directoryUserId === 'd-1'
        ? { ...one, active: true, withheld: one.withheld === true || change.withheld }
        : one,
    );

  test('lets in nobody whom directories bar: switched on, created again, or adopted', () => {
    fc.assert(
      fc.property(words, (given) => {
        const others = known(given).filter((one) => one.directoryUserId !== 'd-1');
        const off = [...others, here({ active: false, held: true })] as PersonFacts['directoryUsers'];
        const user = pushed('ann');
        const facts: UpdateFacts = {
          directory: heldHere,
          person: person('ann', { directoryUsers: off }),
          stored: stored({ ...user, active: false, attributes: { ...user.attributes, active: false } }),
          addressFree: true,
          suspended: [],
        };
        const update = decideUpdate(user, facts, means).changes.find(({ kind }) => kind === 'update_directory_user');
        if (update?.kind !== 'update_directory_user') throw new Error('nothing is written');
        if (directoriesBar(off)) expect(directoriesBar(switchOn(off, update))).toBe(true);
        const met = person('ann', { directoryUsers: others });
        for (const by of [{ byExternalId: met }, { byEmail: met }]) {
          const { changes, outcome } = decideCreate(user, createFacts({ directory: heldHere, ...by }), means);
          const made = changes.find(({ kind }) => kind === 'create_directory_user');
          if (made?.kind !== 'create_directory_user' || outcome.kind === 'refused' || outcome.as === 'new') continue;
          const after = [...others, here({ held: true, withheld: made.withheld })];
          if (directoriesBar(others)) expect(directoriesBar(after)).toBe(true);
          else if (outcome.as === 'adopted') expect(directoriesBar(after)).toBe(false);
        }
      }),
    );
  });

  test('the failing twin: one that counts lets them in', () => {
    const off = [here({ active: false })];
    const facts = { person: person('ann', { directoryUsers: off }), addressFree: true, suspended: [] };
    const inactive = stored({ ...pushed('ann'), active: false });
    const [update] = decideUpdate(pushed('ann'), { ...facts, directory, stored: inactive }, means).changes;
    expect(update).toMatchObject({ kind: 'update_directory_user', withheld: false });
    const left = person('ann', { directoryUsers: [here({ ended: true })] });
    const [made] = decideCreate(pushed('ann'), createFacts({ byExternalId: left }), means).changes;
    expect(made).toMatchObject({ kind: 'create_directory_user', withheld: false });
  });

  test('somebody new waits for nothing, nor whom it pushes as inactive, nor whom an administrator had taken out of it', () => {
    const made = (user: PushedUser, more: Partial<CreateFacts>) =>
      decideCreate(user, createFacts({ directory: heldHere, ...more }), means).changes.find(
        ({ kind }) => kind === 'create_directory_user',
      );
    const left = person('ann', { directoryUsers: [here({ ended: true, held: true })] });
    expect(made(pushed('ann'), {})).toMatchObject({ withheld: false });
    expect(made(pushed('ann', { active: false }), { byExternalId: left })).toMatchObject({ withheld: false });
    expect(made(pushed('ann'), { byExternalId: person('ann') })).toMatchObject({ withheld: false });
    expect(made(pushed('ann'), { byExternalId: left })).toMatchObject({ withheld: true });
    // Whom it had removed itself waits, though another directory has them.
    const elsewhere = here({ connectionId: entra, directoryUserId: 'd-2' as DirectoryUserId });
    const both = person('ann', { directoryUsers: [...left.directoryUsers, elsewhere] });
    expect(made(pushed('ann'), { byExternalId: both })).toMatchObject({ withheld: true });
    expect(made(pushed('ann'), { byEmail: person('ann', { directoryUsers: [elsewhere] }) })).toMatchObject({
      withheld: false,
    });
  });
});
