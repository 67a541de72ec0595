// What tests of groups begin with: users by the dozen and by the thousand, and what is known of a group afterwards.

import { type Body, userBody } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';

export type GroupsStage = ScimStage & {
  /** A name that nobody has. */
  fresh(name?: string): string;
  /** A new user of okta. */
  user(): Promise<Body>;
  /** So many of them. */
  users(count: number): Promise<readonly Body[]>;
  /** A new group of okta. */
  group(more?: object): Promise<Body>;
  /** Ids of the members, sorted. */
  membersOf(id: string): Promise<readonly string[]>;
  versionOf(id: string): Promise<string>;
  /** What the audit trail has of a group, in its order. */
  events(
    id: string,
  ): Promise<{ readonly kind: string; readonly reason: string | null; readonly detail: Record<string, unknown> }[]>;
};

export const refs = (list: readonly Body[]) => list.map(({ id }) => ({ value: id }));

export async function groupsStage(): Promise<GroupsStage> {
  const stage = await scimStage();
  const { world, okta } = stage;
  let serial = 0;
  const fresh = (name = 'group') => `${name}${++serial}`;
  const user = async (): Promise<Body> => (await okta.post('/Users', userBody(fresh('member')))).body;
  return {
    ...stage,
    fresh,
    user,
    users: (count) => Promise.all(Array.from({ length: count }, user)),
    async group(more = {}) {
      const answer = await okta.post('/Groups', { displayName: fresh(), ...more });
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.body;
    },
    membersOf: async (id) =>
      ((await okta.get(`/Groups/${id}`)).body.members ?? []).map((member: Body) => member.value).sort(),
    versionOf: async (id) => (await okta.get(`/Groups/${id}?excludedAttributes=members`)).body.meta.version,
    events: (id) =>
      world.sql('select kind, reason, detail from audit_events where object_id = $1 order by occurred_at, event_id', [
        id,
      ]),
  };
}
