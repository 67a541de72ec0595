import type { Response } from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatSub } from '../../src/core/ids.ts';
import { holderFor, noteHolder, readAccessOnce, requestState, runRequest } from '../../src/provider/request-state.ts';
import { type Stage, stage } from './support.ts';

let here: Stage;
beforeAll(async () => {
  here = await stage();
});
afterAll(() => here?.close());

const inRequest = <T>(act: () => T) => runRequest(here.world.context(), {} as Response, '', act);

test('T130 whoever was barred since the request first read about them gets nothing in it, even if they are let in again by then', async () => {
  const person = await here.person(here.tenants.acme);
  await inRequest(async () => {
    const state = requestState();
    noteHolder(state, { person, epoch: 1, target: null }, null);
    expect((await readAccessOnce(state, person, null))?.claims).not.toBeNull();
    await here.world.sql(`update subjects set access_epoch = 2 where subject_id = $1`, [person.userId]);
    expect((await readAccessOnce(state, person, null))?.claims).toBeNull();
    // And what would be written is written under the first epoch, which the database refuses.
    expect(holderFor(state, formatSub(person), null)?.epoch).toBe(1);
    expect(holderFor(state, formatSub(person), 'acme')?.epoch).toBe(1);
  });
});

test('the same holds for the epoch of a guest in the tenant that is asked for', async () => {
  const person = await here.person(here.tenants.acme);
  await here.map(person, here.tenants.labs);
  await inRequest(async () => {
    const state = requestState();
    const first = await readAccessOnce(state, person, here.tenants.labs.slug);
    expect(first?.claims).not.toBeNull();
    const guest = `update subjects set access_epoch = access_epoch + 1 where subject_id = $1`;
    await here.world.sql(guest, [first?.epochs.target?.guestId]);
    expect((await readAccessOnce(state, person, here.tenants.labs.slug))?.claims).toBeNull();
    expect((await readAccessOnce(state, person, null))?.claims).not.toBeNull();
  });
});

test('nothing is known outside a request', () => {
  expect(() => requestState()).toThrow('outside a request');
});
