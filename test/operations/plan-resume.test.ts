// What an administrator sees of a paused directory: who would lose what if it went on.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { planResume } from '../../src/operations/plan-resume.ts';
import { discardPaused } from '../../src/operations/resume-directory.ts';
import type { Acme } from '../support/acme.ts';
import { forgetGuards } from '../support/guard-stage.ts';
import { off, type PausedStage, pausedStage } from '../support/paused-stage.ts';
import type { DirectoryClient } from '../support/scim.ts';
import type { TestWorld } from '../support/world.ts';

let stage: PausedStage;
let world: TestWorld;
let tenants: Acme;
let okta: DirectoryClient;
beforeAll(async () => {
  stage = await pausedStage();
  ({ world, tenants, okta } = stage);
  return stage.close;
});
beforeEach(() => forgetGuards(world));

const editor = () => stage.editor();
const paused = () => stage.paused();
const planned = () => stage.planned();
const resume = (digest: string) => stage.resume(digest);

describe('a plan of a paused directory', () => {
  test('says who would be deactivated or leave which group, and what they would lose', async () => {
    const [, second] = await paused();
    const plan = await planned();
    const none = { remove_user: 0, leave_group: 0, remove_group: 0, unmap_group: 0, touch_user: 0 };
    expect(plan.acts).toEqual({ ...none, deactivate_user: 1 });
    expect(plan.people).toMatchObject([
      {
        id: second.userId,
        name: second.name,
        fate: 'deactivated',
        deactivated: true,
        leaves: [],
        kept: null,
        before: 'active',
        after: 'deactivated',
        loses: [{ role: 'Analytics: Editor' }],
      },
    ]);
    expect(await stage.stateOf(second)).toBe('active');
  });

  test('is not there for a directory that is not paused, nor for one that is none', async () => {
    const standing = { kind: 'not_paused', held: false, enabled: true };
    expect(await planResume(world.context(), tenants.acme, 'okta')).toEqual(standing);
    expect(await planResume(world.context(), tenants.acme, 'nobody')).toMatchObject({ code: 'unknown_connection' });
    expect(await resume('x')).toMatchObject({ kind: 'refused', code: 'invalid' });
    expect(await discardPaused(world.context(), tenants.acme, 'okta')).toMatchObject({ code: 'invalid' });
  });
});

test('a plan of what a Bulk asked for names people by what comes of them, then by name, in whatever order it named them', async () => {
  const made = [await editor(), await editor(), await editor(), await editor()];
  // Made in one order, named in another.
  const prefix = stage.fresh('order-');
  const names = ['d', 'b', 'a', 'c'];
  for (const [at, { id }] of made.entries()) {
    const renamed = { op: 'replace', path: 'userName', value: `${prefix}${names[at]}` };
    expect((await okta.patch(`/Users/${id}`, renamed, { op: 'remove', path: 'emails' })).status).toBe(200);
  }
  await paused();
  const [d, b, a, c] = made.map(({ id }) => `/Users/${id}`);
  const { status } = await okta.post('/Bulk', {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
    Operations: [
      { method: 'DELETE', path: d },
      { method: 'DELETE', path: c },
      { method: 'DELETE', path: a },
      {
        method: 'PATCH',
        path: b,
        data: { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [off] },
      },
    ],
  });
  expect(status).toBe(200);
  const told = (await planned()).people.map(({ fate, name }) => [fate, name]);
  expect(told.filter(([, name]) => name?.startsWith(prefix))).toEqual([
    ['removed', `${prefix}a`],
    ['removed', `${prefix}c`],
    ['removed', `${prefix}d`],
    ['deactivated', `${prefix}b`],
  ]);
});
