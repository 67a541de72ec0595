// What tests of names that somebody suspended has or had begin with: people whom two directories push, and the person behind each.

import { expect } from 'vitest';
import type { AccessState } from '../../src/core/access.ts';
import type { Person } from '../../src/core/ids.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { accessState, personOf } from './people.ts';
import { type DirectoryClient, userBody } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';

export type Heir = { readonly id: string; readonly person: Person };

export type HeirsStage = ScimStage & {
  /** A name that nobody has. */
  fresh(): string;
  /** A new user of the directory. */
  pushed(client: DirectoryClient, name: string, more?: object): Promise<Heir>;
  suspended(person: Person): ReturnType<typeof suspend>;
  /** Of the person at home. */
  stateOf(person: Person): Promise<AccessState | undefined>;
};

/** `prefix`: of the names. */
export async function heirsStage(prefix: string): Promise<HeirsStage> {
  const stage = await scimStage();
  const { world, tenants } = stage;
  let serial = 0;
  return {
    ...stage,
    fresh: () => `${prefix}${++serial}`,
    async pushed(client, name, more = {}) {
      const { status, body, text } = await client.post('/Users', userBody(name, more));
      if (status !== 201) throw new Error(text);
      return { id: body.id, person: await personOf(world, body.id) };
    },
    async suspended(person) {
      const subject = { subjectId: person.userId, kind: 'user', person } as const;
      const outcome = await suspend(world.context(), tenants.acme, subject, 'left');
      expect(outcome).toMatchObject({ kind: 'suspended' });
      return outcome;
    },
    stateOf: (person) => accessState(world, person),
  };
}
