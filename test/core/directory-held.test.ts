import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { directoriesBar } from '../../src/core/access.ts';
import type { PushedUser } from '../../src/core/change.ts';
import type { PersonFacts } from '../../src/core/directory.ts';
import { type CreateFacts, decideCreate } from '../../src/core/directory-create.ts';
import { decideUpdate, type UpdateFacts } from '../../src/core/directory-update.ts';
import type { DirectoryUserId } from '../../src/core/ids.ts';
import {
  createFacts,
  directory,
  entra,
  here,
  means,
  okta,
  person,
  pushed,
  stored,
} from '../support/directory-facts.ts';

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
