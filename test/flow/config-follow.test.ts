import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cli } from '../../scripts/demo/processes.ts';
import { editTenantFile } from '../../scripts/demo-config.ts';
import { userBody } from '../support/scim.ts';
import { groupSchemaUrn } from '../support/urns.ts';
import { send } from './http.ts';
import { newDirectory } from './scim.ts';
import { type Flow, startFlow } from './servers.ts';
import {
  type Application,
  claimsOf,
  codeRequest,
  newApplication,
  refreshRequest,
  type Tokens,
  visitor,
} from './visitor.ts';

const login = { email: 'ann@acme.example', login: 'ann', password: 'horse' };
let flow: Flow;
let app: Application;
let tokens: Tokens;
beforeEach(async () => {
  const oidc = { sub: 'ext-ann', claims: { email: login.email, email_verified: true } };
  flow = await startFlow({ servers: 2, people: [{ ...login, oidc }] });
  const [one] = flow.servers.map(({ port }) => port);
  const scim = (await newDirectory(flow, 'acme', 'okta')).at(one ?? 0);
  const members = [{ value: (await scim.post('/Users', userBody('ann'))).body.id }];
  await scim.post('/Groups', { schemas: [groupSchemaUrn], displayName: 'Acme Viewers', members });
  app = await newApplication(flow, 'acme');
  const code = await visitor(flow, app, login).signIn(one ?? 0);
  tokens = JSON.parse((await send(one ?? 0, '/oidc/token', codeRequest(app, code))).text) as Tokens;
});
afterEach(() => flow?.close());

test('I17 an applied plan holds at every server within a second, always as a whole, and nobody’s session ends for it', async () => {
  const [one = 0, two = 0] = flow.servers.map(({ port }) => port);
  const { PORT: _, ...env } = await flow.envOfAnother();
  const installation = { env: { ...process.env, ...env }, publicUrl: flow.publicUrl, logFile: '' };
  // Another role by the same group, a role more by it, and another name: all of it, or nothing.
  editTenantFile(flow.configFolder, 'acme', [
    [
      'group: { name: Acme Viewers }, role: "Analytics: Viewer" }',
      'group: { name: Acme Viewers }, role: "Analytics: Editor" }\n  - { name: more, connection: okta, group: { name: Acme Viewers }, role: "Billing: Reader" }',
    ],
    ['      Clerk: {}', '      Clerk: {}\n      Reader: {}'],
  ]);
  const { digest } = await cli<{ digest: string }>(installation, 'plan');

  const seen: { readonly at: number; readonly port: number; readonly roles: string }[] = [];
  let applied = Number.POSITIVE_INFINITY;
  const hasLookedAt = (port: number, since: number) => seen.some((look) => look.port === port && look.at > since);
  const isOver = () => [one, two].every((port) => hasLookedAt(port, applied + 1_000));
  const refreshing = (async () => {
    for (let turn = 0; !isOver(); turn += 1) {
      const port = turn % 2 === 0 ? one : two;
      const at = performance.now();
      const answer = await send(port, '/oidc/token', refreshRequest(app, tokens.refresh_token));
      expect(answer.status, answer.text).toBe(200);
      tokens = JSON.parse(answer.text) as Tokens;
      seen.push({ at, port, roles: JSON.stringify(claimsOf(tokens.id_token).roles) });
    }
  })();
  const begun = vi.waitFor(() => expect([one, two].every((port) => hasLookedAt(port, 0))).toBe(true), 20_000);
  await Promise.race([refreshing, begun]);
  await cli(installation, 'apply', '--digest', digest).finally(() => {
    applied = performance.now();
  });
  await refreshing;

  const [before, after] = ['["Analytics: Viewer"]', '["Analytics: Editor","Billing: Reader"]'];
  expect(seen.filter(({ roles }) => roles !== before && roles !== after)).toEqual([]);
  expect(seen.filter(({ at, roles }) => at > applied + 1_000 && roles !== after)).toEqual([]);
  for (const port of [one, two]) {
    const roles = seen.filter((look) => look.port === port).map((look) => look.roles);
    expect(roles[0]).toBe(before);
    expect(roles.at(-1)).toBe(after);
    // Once there it never goes back.
    expect(roles.lastIndexOf(before)).toBeLessThan(roles.indexOf(after));
  }
});
