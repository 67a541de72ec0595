import { expect, test } from 'vitest';
import type { SignInError } from '../../../src/upstream/connector.ts';
import { samlConnector } from '../../../src/upstream/saml.ts';
import { cpuTime } from '../../support/cpu-time.ts';
import { type HostileCase, hostileCases } from './hostile-corpus.ts';
import { flow, samlConnection, urls, world } from './support.ts';

const saml = samlConnector(world);

async function refusal(hostile: HostileCase): Promise<SignInError> {
  const answer = { query: new URLSearchParams(hostile.query), form: hostile.form };
  const secrets = hostile.secrets ?? flow.secrets;
  return saml.finish(samlConnection(hostile.settings), urls, { id: flow.id, secrets }, answer).then(
    ({ assertion }) => expect.unreachable(`accepted as ${assertion.subject}`),
    (error) => error,
  );
}

test.for(hostileCases)('$name is refused', async (hostile) => {
  const worked = cpuTime();
  const error = await refusal(hostile);
  expect(worked()).toBeLessThan(1000);
  expect(error).toMatchObject({ name: 'SignInError', code: hostile.code ?? 'assertion_rejected' });
  expect(error.detail).toMatch(new RegExp(`^${RegExp.escape(hostile.refusedBy)}`));
  // The page shows the message only.
  expect(error.message).toBe(error.code);
});
