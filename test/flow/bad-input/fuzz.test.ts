import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Answer, send, strangeAddress } from '../http.ts';
import { randomOf } from '../random.ts';
import { faultOf, leakIn, snapshot } from '../refusal.ts';
import { type Fuzzed, fuzz } from './fuzz.ts';
import { type Stage, startStage } from './stage.ts';

// The same requests each time, so that whatever is found is found again. More with FUZZ_REQUESTS, others with FUZZ_SEED.
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 2_000);
const SEED = Number(process.env.FUZZ_SEED ?? 60);

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage?.flow.close());

/** What is wrong with an answer to a request that may have been good by chance; null for nothing. */
function judge({ path, ask }: Fuzzed, answer: Answer): string | null {
  const leak = leakIn(answer);
  if (leak !== null) return leak;
  const isScim = path.startsWith('/scim/v2');
  if (answer.status >= 500 && !(isScim && answer.status === 501)) return answer.text.slice(0, 300);
  if (isScim && answer.text !== '' && answer.status >= 400) return faultOf('scim', answer);
  if (/^\/oidc\/(token|userinfo|request|jwks)\b/.test(path) && answer.status >= 400 && ask.method !== 'HEAD')
    return faultOf('oauth', answer);
  return null;
}

test(`T60 of ${REQUESTS} requests without sense none breaks the server, tells of its insides, or reaches a customer whose token they do not hold`, {
  timeout: 120_000,
}, async () => {
  const { flow, port, ids, tokens, app } = stage;
  const acme = await flow.tenant('acme');
  const before = await snapshot(flow, acme.tenantId);
  const known = { ids: Object.values(ids), token: tokens.globex, clientId: app.clientId };
  const requests = fuzz(randomOf(SEED), known, REQUESTS);
  const found: unknown[] = [];
  const statuses = new Map<number, number>();
  let next = 0;
  const sender = async () => {
    for (let one = requests[next++]; one !== undefined; one = requests[next++]) {
      const { path, ask } = one;
      const headers = { ...ask.headers, 'x-forwarded-for': strangeAddress() };
      try {
        const answer = await send(port, path, { ...ask, headers });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        const fault = judge(one, answer);
        if (fault !== null) found.push({ ...one, status: answer.status, fault });
      } catch (error) {
        found.push({ ...one, error });
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
  expect(found).toEqual([]);
  // Enough of it got past the first door.
  expect([...statuses.keys()].sort()).toEqual(expect.arrayContaining([200, 201, 303, 400, 401, 404, 405, 415]));
  expect(await snapshot(flow, acme.tenantId)).toEqual(before);
  expect((await send(port, '/readyz')).status).toBe(200);
  expect(stage.failures()).toEqual([]);
});
