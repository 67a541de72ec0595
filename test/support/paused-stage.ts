// What tests of a paused directory begin with: okta, whose guard lets it touch one person in an hour, and a group whose members are
// editors.

import { expect } from 'vitest';
import type { EffectiveAccess } from '../../src/core/access.ts';
import type { UserId } from '../../src/core/ids.ts';
import { planResume, type ResumePlan } from '../../src/operations/plan-resume.ts';
import { readAccess } from '../../src/operations/read-access.ts';
import { resumeDirectory } from '../../src/operations/resume-directory.ts';
import type { SubjectRef } from '../../src/operations/standing.ts';
import { guardOf } from './guard-stage.ts';
import { personOf } from './people.ts';
import { type Answer, type Body, userBody } from './scim.ts';
import { editorsOf, type ScimStage, scimStage } from './scim-stage.ts';

export type Made = { readonly id: string; readonly userId: UserId; readonly name: string };

export const off = { op: 'replace', path: 'active', value: false };

export type PausedStage = ScimStage & {
  readonly editors: Body;
  /** A name that nobody has. */
  fresh(prefix: string): string;
  /** A new member of the mapped group. */
  editor(): Promise<Made>;
  deactivate(made: Made): Promise<Answer>;
  /** Takes them out of the mapped group. */
  leave(...made: readonly Made[]): Promise<Answer>;
  /** Pauses the directory by two deactivations, the second of which is recorded. */
  paused(): Promise<readonly [Made, Made]>;
  /** The plan of a directory that is paused. */
  planned(): Promise<ResumePlan>;
  resume(digest: string): ReturnType<typeof resumeDirectory>;
  subjectOf(userId: UserId): SubjectRef & { readonly kind: 'user' };
  accessOf(made: Pick<Made, 'userId'>): Promise<EffectiveAccess | undefined>;
  stateOf(made: Pick<Made, 'userId'>): Promise<EffectiveAccess['state'] | undefined>;
};

export async function pausedStage(): Promise<PausedStage> {
  const stage = await scimStage();
  const { world, tenants, okta } = stage;
  await world.sql('update connections set directory = $2 where connection_id = $1', [
    tenants.okta,
    JSON.stringify({ guard: guardOf(1) }),
  ]);
  const editors = await editorsOf(stage);
  let serial = 0;
  const fresh = (prefix: string) => `${prefix}${++serial}`;
  const subjectOf: PausedStage['subjectOf'] = (userId) => ({
    subjectId: userId,
    kind: 'user',
    person: { tenantId: tenants.acme.tenantId, userId },
  });
  const editor = async () => {
    const name = fresh('paused');
    const { id } = (await okta.post('/Users', userBody(name))).body;
    await okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: [{ value: id }] });
    const { userId } = await personOf(world, id);
    return { id, userId, name: `${name}@acme.example` };
  };
  const deactivate = (made: Made) => okta.patch(`/Users/${made.id}`, off);
  const accessOf: PausedStage['accessOf'] = async ({ userId }) =>
    (await readAccess(world.context(), { tenantId: tenants.acme.tenantId, userId }, null))?.access;
  return {
    ...stage,
    editors,
    fresh,
    editor,
    deactivate,
    leave: (...made) =>
      okta.patch(`/Groups/${editors.id}`, {
        op: 'remove',
        path: 'members',
        value: made.map((one) => ({ value: one.id })),
      }),
    async paused() {
      const [first, second] = [await editor(), await editor()] as const;
      expect((await deactivate(first)).status).toBe(200);
      expect((await deactivate(second)).status).toBe(503);
      return [first, second];
    },
    async planned() {
      const plan = await planResume(world.context(), tenants.acme, 'okta');
      if (plan.kind !== 'paused') throw new Error(plan.kind);
      return plan;
    },
    resume: (digest) => resumeDirectory(world.context(), tenants.acme, 'okta', digest),
    subjectOf,
    accessOf,
    stateOf: async (made) => (await accessOf(made))?.state,
  };
}
