import { expect, test } from 'vitest';
import type { Instant } from '../../../src/core/ids.ts';
import { SignInError } from '../../../src/upstream/connector.ts';
import { nameIdOf } from '../../../src/upstream/saml-assertion.ts';
import { checkSamlResponse, type SamlChecks, samlChecks } from '../../../src/upstream/saml-checks.ts';
import { signingKey } from '../../../src/upstream/saml-signature.ts';
import { leafText } from '../../../src/upstream/saml-xml.ts';
import { type HostileCase, hostileCases } from './hostile-corpus.ts';
import { flow, now, samlConnection, urls } from './support.ts';

/** What becomes of a case under these checks: `accepted as …`, or the name of what refused it. */
function outcome(hostile: HostileCase, checks: SamlChecks): string {
  const { saml, issuer } = samlConnection(hostile.settings);
  const { requestId, freshSince } = hostile.secrets ?? flow.secrets;
  const expected = {
    flowId: flow.id,
    requestId: requestId ?? null,
    allowUnsolicited: saml.insecureAllowUnsolicited,
    issuer: issuer ?? '',
    audience: urls.entityId,
    acs: urls.callback,
    keys: saml.certificates.map(signingKey),
    allowSha1: saml.insecureAllowSha1,
    clockSkew: 60_000,
    now,
    authenticatedSince: freshSince === undefined ? null : (Number(freshSince) as Instant),
  };
  const answer = { query: new URLSearchParams(hostile.query), form: hostile.form };
  try {
    return `accepted as ${leafText(nameIdOf(checkSamlResponse(answer, expected, checks).assertion))}`;
  } catch (error) {
    if (error instanceof SignInError) return error.detail.split(':')[0] ?? '';
    throw error;
  }
}

const without = (list: keyof SamlChecks, name: string): SamlChecks =>
  ({ ...samlChecks, [list]: samlChecks[list].filter((check) => check.name !== name) }) as SamlChecks;

/** Checks behind which another one stands; every other check is all there is between some case and a sign-in. */
const backedUp: Readonly<Record<string, readonly string[]>> = {
  // Nothing is read but what was signed: the check is there to say so in words.
  somethingIsSigned: ['no assertion in signed bytes'],
  oneAuthentication: ['authenticatedInThePast'],
};

const checks = (Object.keys(samlChecks) as (keyof SamlChecks)[]).flatMap((list) =>
  samlChecks[list].map(({ name }) => ({ list, name })),
);

test('every check has a name of its own, so that a refusal says which it was', () => {
  expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length);
  expect(checks.map(({ name }) => name)).not.toContain('');
});

test.for(checks)('without $name a hostile response gets further', ({ list, name }) => {
  const stopped = hostileCases.filter(({ refusedBy }) => refusedBy.split(':')[0] === name);
  expect(stopped).not.toHaveLength(0);
  const outcomes = stopped.map((hostile) => outcome(hostile, without(list, name)));
  const others = backedUp[name];
  if (others === undefined) expect(outcomes).toContainEqual(expect.stringMatching(/^accepted/));
  else expect([...new Set(outcomes)].toSorted()).toEqual(others.toSorted());
});

test('T1 whichever single check is missing, only a missing digest makes a forged assertion somebody else', () => {
  const wrapped = hostileCases.filter(({ name }) => /^T[123] /.test(name));
  const forgers = checks.filter(({ list, name }) =>
    wrapped.some((hostile) => outcome(hostile, without(list, name)) === 'accepted as mallory@evil.example'),
  );
  expect(forgers.map(({ name }) => name)).toEqual(['digestIsOfTheParent']);
});
