// What tests of names that somebody suspended has or had begin with: people whom two directories push, and the person behind each.

import { expect } from 'vitest';
import type { AccessState } from '../../src/core/access.ts';
import type { Person } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { assertionByNameId, enter } from './entering.ts';
import { accessState, personOf } from './people.ts';
import { type DirectoryClient, userBody } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';
import { operator } from './world.ts';

export const address = (name: string) => `${name}@acme.example`;
export const set = (path: string, value: unknown) => ({ op: 'replace', path, value });
export const second = (name: string) => ({
  op: 'add',
  path: 'emails',
  value: [{ type: 'other', value: address(name) }],
});

export type Heir = { readonly id: string; readonly person: Person };

export type HeirsStage = ScimStage & {
  /** A name that nobody has. */
  fresh(): string;
  /** A new user of the directory. */
  pushed(client: DirectoryClient, name: string, more?: object): Promise<Heir>;
  suspended(person: Person): ReturnType<typeof suspend>;
  /** By an administrator's role. */
  letIn(person: Person): Promise<void>;
  /** By entra, one after the other. */
  patch(id: string, ...changes: readonly object[]): Promise<void>;
  /** By SAML, through entra: who they are then, or why they are refused. */
  comesIn(nameId: string, email: string | null): Promise<Person | string>;
  /** Of the person at home. */
  stateOf(person: Person): Promise<AccessState | undefined>;
};

/** `prefix`: of the names. */
export async function heirsStage(prefix: string): Promise<HeirsStage> {
  const stage = await scimStage();
  const { world, tenants, entra } = stage;
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
    async letIn(person) {
      const subject = { subjectId: person.userId, kind: 'user', person } as const;
      const outcome = await assignRole(world.context(), tenants.acme, subject, 'Analytics: Viewer', operator);
      expect(outcome).toMatchObject({ kind: 'assigned' });
    },
    async patch(id, ...changes) {
      for (const change of changes) expect((await entra.patch(`/Users/${id}`, change)).status).toBe(200);
    },
    async comesIn(nameId, email) {
      const assertion = assertionByNameId(tenants.entra, nameId, email);
      const entered = await enter(world, tenants.acme.tenantId, assertion);
      return entered.kind === 'signed_in' ? entered.person : entered.reason;
    },
    stateOf: (person) => accessState(world, person),
  };
}
