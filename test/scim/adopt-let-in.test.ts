// Whom an administrator let in with a name that somebody suspended had is linked by it, and by nothing else of theirs (T121).

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Person } from '../../src/core/ids.ts';
import { bulk, statuses } from '../support/bulk.ts';
import { type HeirsStage, heirsStage } from '../support/heirs-stage.ts';
import { personOf } from '../support/people.ts';
import { userBody } from '../support/scim.ts';

let stage: HeirsStage;
beforeAll(async () => {
  stage = await heirsStage('adopted');
});
afterAll(() => stage?.close());

/** A newcomer under the name of somebody who was suspended and left, let in; `theirs`: what else the one who left was known by. */
async function heir(): Promise<{ readonly name: string; readonly person: Person; readonly theirs: string }> {
  const { okta, fresh } = stage;
  const [name, theirs] = [fresh(), fresh()];
  const emails = [{ value: `${name}@acme.example`, primary: true }, { value: `${theirs}@acme.example` }];
  const left = await stage.pushed(okta, name, { emails });
  await stage.suspended(left.person);
  await okta.delete(`/Users/${left.id}`);
  const { person } = await stage.pushed(okta, name, { externalId: fresh() });
  expect(await stage.stateOf(person)).toBe('suspended');
  await stage.letIn(person);
  return { name, person, theirs };
}

test('T121 an account that was let in with the address is linked by it, and stays active', async () => {
  const { name, person } = await heir();
  const linked = await stage.entra.post('/Users', userBody(name, { externalId: stage.fresh() }));
  expect([linked.status, await personOf(stage.world, linked.body.id)]).toEqual([201, person]);
  expect(await stage.stateOf(person)).toBe('active');
});

test('T121 in a bulk as well', async () => {
  const { name, person } = await heir();
  const users = [name, stage.fresh()].map((one) => userBody(one, { externalId: stage.fresh() }));
  const answer = await bulk(
    stage.entra,
    users.map((data, at) => ({ method: 'POST', path: '/Users', bulkId: `b${at}`, data })),
  );
  expect(statuses(answer)).toEqual(['201', '201']);
  expect(await stage.stateOf(person)).toBe('active');
});

test('T121 the failing twin: with another key of the suspended person beside it nobody is linked', async () => {
  const { name, person, theirs } = await heir();
  const emails = [{ value: `${name}@acme.example`, primary: true }, { value: `${theirs}@acme.example` }];
  const refused = await stage.entra.post('/Users', userBody(name, { externalId: stage.fresh(), emails }));
  expect([refused.status, refused.body.scimType]).toEqual([409, 'uniqueness']);
  expect(await stage.stateOf(person)).toBe('active');
});

test('T121 nor where the account was let in before the other one with the address was suspended', async () => {
  const { name, person } = await heir();
  const later = await stage.pushed(stage.okta, stage.fresh(), {
    emails: [{ value: `${stage.fresh()}@acme.example`, primary: true }, { value: `${name}@acme.example` }],
  });
  await stage.letIn(later.person);
  await stage.suspended(later.person);
  const refused = await stage.entra.post('/Users', userBody(name, { externalId: stage.fresh() }));
  expect([refused.status, refused.body.scimType]).toEqual([409, 'uniqueness']);
  expect(await stage.stateOf(person)).toBe('active');
});
