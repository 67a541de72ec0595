// Users and groups that recorded requests speak of and that were there before them: put into the scratch tenant first.

import {
  resourcesAsTheyAre,
  type SourceGroup,
  type SourceNames,
  type SourceUser,
} from '../operations/replay-source.ts';
import type { CliWorld } from './command.ts';
import { renamed } from './replay-ids.ts';
import type { Source } from './replay-survey.ts';
import { member, refusalOf, type ScimAnswer, type ScimClient } from './scim-http.ts';

export type Scene = {
  /** The scratch tenant's id of each real one. */
  readonly ids: Map<string, string>;
  /** Real ids that have none yet, or got none: what names them cannot be played. */
  readonly missing: Set<string>;
  readonly put: { users: number; groups: number };
  /** What could not be put there, and why. */
  readonly refused: string[];
};

const TOGETHER = 500;

/**
 * Puts users and groups of the real directory into the scratch tenant as they are now, or were when they ended; groups with those of
 * their members that are there.
 */
export async function putThere(
  { context }: CliWorld,
  source: Source,
  client: ScimClient,
  names: SourceNames,
  scene: Scene,
): Promise<void> {
  const { tenant, connection } = source;
  const groups: SourceGroup[] = [];
  for (const part of parts(names)) {
    const found = await resourcesAsTheyAre(context, tenant, connection, part, []);
    await putUsers(
      client,
      found.users.filter(({ id }) => !scene.ids.has(id)),
      scene,
    );
    groups.push(...found.groups.filter(({ id }) => !scene.ids.has(id)));
  }
  for (let at = 0; at < groups.length; at += TOGETHER) {
    const ids = groups.slice(at, at + TOGETHER).map(({ id }) => id);
    const asked = { ids, userNames: [], externalIds: [], groupNames: [] };
    // Once everybody is there, so that nobody is left out of a group.
    const found = await resourcesAsTheyAre(context, tenant, connection, asked, [...scene.ids.keys()]);
    for (const group of found.groups) await putGroup(client, group, scene);
  }
}

function* parts({ ids, ...names }: SourceNames): Generator<SourceNames> {
  yield { ids: [], ...names };
  const none = { userNames: [], externalIds: [], groupNames: [] };
  for (let at = 0; at < ids.length; at += TOGETHER) yield { ids: ids.slice(at, at + TOGETHER), ...none };
}

async function putUsers(client: ScimClient, users: readonly SourceUser[], scene: Scene): Promise<void> {
  const sent = new Map<string, string>();
  for (const user of users) {
    const text = renamed(userText(user), scene.ids);
    const id = await put(client, 'POST', '/Users', text, scene, `the user ${String(user.attributes.userName)}`);
    if (id === null) scene.missing.add(user.id);
    else {
      scene.ids.set(user.id, id);
      scene.missing.delete(user.id);
      scene.put.users += 1;
      sent.set(user.id, text);
    }
  }
  // A manager may have come after those whom they manage.
  for (const user of users) {
    const id = scene.ids.get(user.id);
    const text = renamed(userText(user), scene.ids);
    if (id === undefined || text === sent.get(user.id)) continue;
    await put(client, 'PUT', `/Users/${id}`, text, scene, `the manager of ${String(user.attributes.userName)}`);
  }
}

function userText({ attributes }: SourceUser): string {
  const urns = Object.keys(attributes).filter((name) => name.startsWith('urn:'));
  return JSON.stringify({ schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', ...urns], ...attributes });
}

async function putGroup(client: ScimClient, group: SourceGroup, scene: Scene): Promise<void> {
  const { externalId, displayName, attributes } = group;
  const members = group.members.flatMap((id) => {
    const value = scene.ids.get(id);
    return value === undefined ? [] : [{ value }];
  });
  const schemas = ['urn:ietf:params:scim:schemas:core:2.0:Group', ...Object.keys(attributes)];
  const names = { displayName, ...(externalId === null ? {} : { externalId }) };
  const text = JSON.stringify({ schemas, ...names, ...attributes, members });
  const id = await put(client, 'POST', '/Groups', text, scene, `the group ${displayName}`);
  if (id === null) scene.missing.add(group.id);
  else {
    scene.ids.set(group.id, id);
    scene.missing.delete(group.id);
    scene.put.groups += 1;
  }
}

/** The id of what was made; null where it was refused. */
async function put(
  client: ScimClient,
  method: string,
  target: string,
  body: string,
  scene: Scene,
  what: string,
): Promise<string | null> {
  const headers = { 'Content-Type': 'application/scim+json' };
  const answer = await client.ask({ method, target, headers, body });
  const id = idOf(answer);
  if (id === null) scene.refused.push(`${what}: ${answer.status} ${refusalOf(answer).detail ?? ''}`.trimEnd());
  return id;
}

/** The id of the resource that an answer holds. */
export function idOf(answer: Pick<ScimAnswer, 'status' | 'json'>): string | null {
  const id = answer.status < 300 ? member(answer.json, 'id') : undefined;
  return typeof id === 'string' ? id : null;
}
