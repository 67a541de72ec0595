// Recorded requests, sent once more in their order, and what was answered then and now.

import type { RecordedRequest } from '../operations/replay-source.ts';
import { CliError, type CliWorld } from './command.ts';
import { idsIn, renamed } from './replay-ids.ts';
import { sendable, targetOf } from './replay-recorded.ts';
import { idOf, putThere, type Scene } from './replay-scene.ts';
import { type Creation, jsonOf, MOST_REQUESTS, pagesOf, type Source, type Survey, textOf } from './replay-survey.ts';
import { member, refusalOf, type ScimAnswer, type ScimClient } from './scim-http.ts';

export type Answered = {
  /** Null: nobody was there to be answered. */
  readonly status: number | null;
  readonly scimType: string | null;
  readonly detail: string | null;
};

export type Verdict = 'different' | 'not_played' | 'uncompared' | 'same' | 'left_out';

export type Played = {
  readonly at: number;
  readonly requestId: string;
  readonly method: string;
  /** As it was recorded, with its query. */
  readonly target: string;
  readonly recorded: Answered;
  readonly replayed: Answered | null;
  readonly verdict: Verdict;
  readonly why: string | null;
};

/** Plays every request of the survey, until `signal` is aborted. */
export async function play(
  world: CliWorld,
  source: Source,
  client: ScimClient,
  { creations }: Survey,
  scene: Scene,
  signal: AbortSignal,
): Promise<readonly Played[]> {
  const played: Played[] = [];
  for await (const page of pagesOf(world.context, source)) {
    for (const request of page) {
      if (signal.aborted || played.length >= MOST_REQUESTS) return played;
      const made = creations.get(request.requestId) ?? [];
      const outcome = await playOne(client, request, made, scene);
      if (outcome.verdict === 'not_played' && made.length > 0) {
        // Its body is gone, and what it made is there still: those who come after it speak of that.
        const ids = made.map(({ id }) => id);
        await putThere(world, source, client, { ids, userNames: [], externalIds: [], groupNames: [] }, scene);
      }
      played.push(outcome);
    }
  }
  return played;
}

async function playOne(
  client: ScimClient,
  request: RecordedRequest,
  made: readonly Creation[],
  scene: Scene,
): Promise<Played> {
  const { at, requestId, method, path, query } = request;
  const recorded = { status: request.status, scimType: request.scimType, detail: request.kept?.refusal ?? null };
  const target = query === null ? path : `${path}?${query}`;
  const common = { at, requestId, method, target, recorded };
  const asked = sendable(request);
  if (asked.kind !== 'send') {
    const verdict = asked.kind === 'left_out' ? 'left_out' : 'not_played';
    return { ...common, replayed: null, verdict, why: asked.why };
  }
  if (idsIn(textOf(request)).some((id) => scene.missing.has(id)))
    return { ...common, replayed: null, verdict: 'not_played', why: 'it names a user or group that is not there' };
  const to = (text: string) => renamed(text, scene.ids);
  const answer = await client.ask({
    method,
    target: targetOf(
      to(asked.path),
      asked.query.map(([name, value]) => [name, to(value)]),
    ),
    headers: asked.headers,
    body: asked.body === null ? null : to(asked.body),
  });
  if (answer.status === 401)
    throw new CliError('The scratch tenant is not this replay’s any more: another one has taken it.');
  learn(asked.body, answer, made, scene);
  const replayed = { status: answer.status, ...refusalOf(answer) };
  const same = recorded.status === replayed.status && recorded.scimType === replayed.scimType;
  const verdict = recorded.status === null ? 'uncompared' : same ? 'same' : 'different';
  return { ...common, replayed, verdict, why: null };
}

/** Which id here stands for what the request made there. */
function learn(body: string | null, answer: ScimAnswer, made: readonly Creation[], scene: Scene): void {
  const [only] = made;
  if (only === undefined) return;
  const know = (creation: Creation, id: string) => {
    scene.ids.set(creation.id, id);
    scene.missing.delete(creation.id);
  };
  const operations = member(answer.json, 'Operations');
  if (!Array.isArray(operations)) {
    const id = idOf(answer);
    if (id !== null) know(only, id);
    return;
  }
  const sent = member(jsonOf(body), 'Operations');
  const left = [...made];
  for (const [index, operation] of operations.entries()) {
    const location = member(operation, 'location');
    const asked = Array.isArray(sent) ? operationAsked(sent, operation, index) : undefined;
    const id = typeof location === 'string' ? idsIn(location).at(-1) : undefined;
    if (id === undefined || member(asked, 'method') !== 'POST') continue;
    const data = member(asked, 'data');
    const found = left.findIndex((creation) => isMadeBy(creation, data));
    const [creation] = found === -1 ? [] : left.splice(found, 1);
    if (creation !== undefined) know(creation, id);
  }
}

function operationAsked(sent: readonly unknown[], answered: unknown, index: number): unknown {
  const bulkId = member(answered, 'bulkId');
  return bulkId === undefined ? sent[index] : sent.find((one) => member(one, 'bulkId') === bulkId);
}

/** By the names that it has now: one that was renamed since is not found, and nothing else is taken for it. */
function isMadeBy({ kind, externalId, name }: Creation, data: unknown): boolean {
  if (externalId !== null && member(data, 'externalId') === externalId) return true;
  const sent = member(data, kind === 'Users' ? 'userName' : 'displayName');
  return typeof sent === 'string' && sent.toLowerCase() === name.toLowerCase();
}
