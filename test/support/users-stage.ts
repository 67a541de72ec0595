// What tests of users begin with: directories that push them, the people behind them, and what is recorded of both.

import { expect } from 'vitest';
import type { AccessState } from '../../src/core/access.ts';
import { accessState, personOf } from './people.ts';
import type { Answer, Body, DirectoryClient } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';

export type UsersStage = ScimStage & {
  /** A name that nobody has. */
  fresh(name?: string): string;
  /** Of the person behind a user. */
  stateOf(id: string): Promise<AccessState | undefined>;
  /** What the audit trail has of a person, in its order. */
  events(userId: string): Promise<readonly string[]>;
  profileOf(userId: string): Promise<Record<string, unknown> | undefined>;
};

export const filter = (client: DirectoryClient, text: string) =>
  client.get(`/Users?filter=${encodeURIComponent(text)}`);

export async function made(client: DirectoryClient, body: Body): Promise<Body> {
  const answer = await client.post('/Users', body);
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
}

export function expectRefused(answer: Answer, status: number, scimType: string | null): void {
  expect([answer.status, answer.body?.scimType ?? null, answer.text]).toEqual([status, scimType, expect.any(String)]);
}

export async function usersStage(): Promise<UsersStage> {
  const stage = await scimStage();
  const { world } = stage;
  let serial = 0;
  return {
    ...stage,
    fresh: (name = 'user') => `${name}${++serial}`,
    stateOf: async (id) => accessState(world, await personOf(world, id)),
    async events(userId) {
      const rows = await world.sql<{ kind: string; outcome: string }>(
        'select kind, outcome from audit_events where object_id = $1 order by occurred_at, event_id',
        [userId],
      );
      return rows.map(({ kind, outcome }) => (outcome === 'done' ? kind : `${kind} refused`));
    },
    profileOf: async (userId) => (await world.sql('select * from users where user_id = $1', [userId]))[0],
  };
}
