// Rounds of the race for a guest: suspended in one tenant, the person loses what was issued for that tenant, at once, and nothing else.

import type { GuestId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { operator } from '../support/world.ts';
import type { Ask } from './http.ts';
import { type Lane, together, type Violation } from './race.ts';
import { type Code, claimsOf, codeIn, codeRequest, refreshRequest, type Tokens } from './visitor.ts';

const forLabs = { prompt: 'none', acr_values: 'tenant:acme-labs' };

/** One round. The person is mapped into acme-labs with a role there, at its beginning and at its end. */
export async function guestRound(lane: Lane, guestId: GuestId): Promise<readonly Violation[]> {
  const { flow, random, home } = lane;
  const { browser } = lane.inside;
  const { app } = home;
  const port = () => flow.servers[random(flow.servers.length)]?.port ?? 0;
  const violations: Violation[] = [];
  let acknowledged = Number.POSITIVE_INFINITY;

  const redeem = async (ask: Ask): Promise<Tokens | null> => {
    const answer = await home.ask(port(), '/oidc/token', ask);
    if (answer.status >= 500) throw new Error(`${answer.status} ${answer.text}`);
    return answer.status === 200 ? (JSON.parse(answer.text) as Tokens) : null;
  };
  const authorize = async (more: Record<string, string>): Promise<Code | null> => {
    const { answer, verifier } = await browser.authorize(port(), more);
    const code = codeIn(app, answer);
    return code === null ? null : { code, verifier };
  };
  const keepOn = async (act: (late: boolean) => Promise<unknown>) => {
    for (let turn = 0, after = 0; turn < 12 && after < 2; turn += 1) {
      const late = performance.now() > acknowledged;
      if (late) after += 1;
      await act(late);
    }
  };

  const begun = await authorize(forLabs);
  let labs = begun === null ? null : await redeem(codeRequest(app, begun));
  if (labs === null || claimsOf(labs.id_token).tenant_id !== 'acme-labs') throw new Error('no tokens for the guest');
  const tenant = await flow.tenant('acme-labs');
  const guest = { subjectId: guestId, kind: 'guest', person: lane.person } as const;
  const codes: Code[] = [];
  const acts = [
    keepOn(async (late) => {
      const next = await redeem(refreshRequest(app, labs?.refresh_token ?? ''));
      if (next !== null && late) violations.push({ kind: 'issued_after', what: 'refresh for the guest' });
      labs = next ?? labs;
    }),
    keepOn(async (late) => {
      const code = await authorize(forLabs);
      if (code !== null && late) violations.push({ kind: 'issued_after', what: 'a code for the guest' });
      if (code !== null) codes.push(code);
    }),
    keepOn(async (late) => {
      const code = codes.shift();
      const tokens = code === undefined ? null : await redeem(codeRequest(app, code));
      if (tokens !== null && late) violations.push({ kind: 'issued_after', what: 'tokens for the guest' });
    }),
    // At home nothing has happened.
    keepOn(async () => {
      const tokens = await redeem(refreshRequest(app, lane.inside.tokens.refresh_token));
      if (tokens === null) violations.push({ kind: 'not_back', what: 'a refresh at home' });
      else lane.inside = { browser, tokens };
    }),
  ];
  const suspendThem = async () => {
    await new Promise((resolve) => setTimeout(resolve, random(40)));
    const outcome = await suspend(flow.world.context(), tenant, guest, null);
    acknowledged = performance.now();
    if (outcome.kind !== 'suspended') throw new Error(outcome.message);
  };
  await together([...acts, suspendThem()]);

  const lives = async (kind: Violation['kind']) => {
    if ((await redeem(refreshRequest(app, labs?.refresh_token ?? ''))) !== null)
      violations.push({ kind, what: 'the refresh token of the guest' });
    for (const code of codes)
      if ((await redeem(codeRequest(app, code))) !== null) violations.push({ kind, what: 'a code of the guest' });
  };
  await lives('lived_on');
  if ((await authorize({ prompt: 'none' })) === null) violations.push({ kind: 'not_back', what: 'a code at home' });
  await assignRole(flow.world.context(), tenant, guest, 'Research: Scientist', operator);
  await lives('lives_again');
  if ((await authorize(forLabs)) === null) violations.push({ kind: 'not_back', what: 'a code for the guest' });
  return violations;
}
