import { afterAll, beforeAll, expect, test } from 'vitest';
import { begun } from '../support/begun.ts';
import { userBody } from '../support/scim.ts';
import { groupSchemaUrn } from '../support/urns.ts';
import { type Answer, send } from './http.ts';
import { type Directory, newDirectory } from './scim.ts';
import { type Flow, startFlow } from './servers.ts';
import {
  type Application,
  codeIn,
  codeRequest,
  newApplication,
  refreshRequest,
  type Tokens,
  type Visitor,
  visitor,
} from './visitor.ts';

const login = { email: 'ann@acme.example', login: 'ann', password: 'horse' };
let flow: Flow;
let port: number;
let directory: Directory;
let app: Application;
let ann: Visitor;
let tries = 0;
beforeAll(async () => {
  const oidc = { sub: 'ext-ann', claims: { email: login.email, email_verified: true } };
  flow = await startFlow({ people: [{ ...login, oidc }] });
  port = flow.servers[0]?.port ?? 0;
  directory = await newDirectory(flow, 'acme', 'okta');
  const pushed = await directory.at(port).post('/Users', userBody('ann'));
  const members = [{ value: pushed.body.id }];
  await directory.at(port).post('/Groups', { schemas: [groupSchemaUrn], displayName: 'Acme Viewers', members });
  app = await newApplication(flow, 'acme');
  ann = visitor(flow, app, login);
});
afterAll(() => flow?.close());

/** What an answer comes to: well, asked to try again, or something that it must not be. */
function kindOf(answer: Answer, well: (answer: Answer) => boolean): string {
  if (well(answer)) return 'well';
  // To the application it is said in the words of OAuth.
  if (answer.headers.location?.startsWith(`${app.redirectUri}?error=temporarily_unavailable&`)) return 'try again';
  if (answer.status === 503 && Number(answer.headers['retry-after']) > 0) return 'try again';
  return `${answer.status} ${answer.headers.location ?? ''} ${answer.text.slice(0, 300)}`;
}

test('FT2 while connections to the database are cut again and again, requests succeed or are asked to try again, and all is well after', async () => {
  let over = false;
  // In a browser that has no session yet, as often as this is tried.
  ann = ann.again();
  const seen = {
    directory: new Map<string, number>(),
    token: new Map<string, number>(),
    authorization: new Map<string, number>(),
    page: new Map<string, number>(),
  };
  const note = (where: keyof typeof seen, kind: string) => seen[where].set(kind, (seen[where].get(kind) ?? 0) + 1);
  const code = await ann.signIn(port);
  let tokens = JSON.parse((await send(port, '/oidc/token', codeRequest(app, code))).text) as Tokens;
  const acknowledged: string[] = [];
  tries += 1;

  const pushing = Array.from({ length: 3 }, async (_, worker) => {
    for (let turn = 0; !over; turn += 1) {
      const headers = { authorization: `Bearer ${directory.token}`, 'content-type': 'application/scim+json' };
      const name = `try${tries}-w${worker}-${turn}`;
      const answer = await send(port, '/scim/v2/acme/okta/Users', {
        method: 'POST',
        headers,
        body: JSON.stringify(userBody(name)),
      });
      note(
        'directory',
        kindOf(answer, ({ status }) => status === 201),
      );
      if (answer.status === 201) acknowledged.push(JSON.parse(answer.text).id);
    }
  });
  const refreshing = (async () => {
    while (!over) {
      const answer = await send(port, '/oidc/token', refreshRequest(app, tokens.refresh_token));
      note(
        'token',
        kindOf(answer, ({ status }) => status === 200),
      );
      if (answer.status === 200) tokens = JSON.parse(answer.text) as Tokens;
    }
  })();
  const authorizing = (async () => {
    while (!over)
      note(
        'authorization',
        kindOf((await ann.authorize(port, { prompt: 'none' })).answer, (one) => codeIn(app, one) !== null),
      );
  })();
  const looking = (async () => {
    while (!over)
      note(
        'page',
        kindOf(await ann.ask(port, '/t/acme/saml/entra/metadata'), ({ status }) => status === 200),
      );
  })();

  const workers = begun(Promise.all([...pushing, refreshing, authorizing, looking]));

  const well = () => Object.values(seen).map((kinds) => kinds.get('well') ?? 0);
  try {
    for (let cut = 0; cut < 20; cut += 1) {
      // Everybody gets on in between, however busy this machine is.
      const before = well();
      const onwards = () => well().every((count, index) => count > (before[index] ?? 0));
      await expect.poll(onwards, { timeout: 5_000, interval: 10 }).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, (cut * 7) % 40));
      await flow.world.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name in ('drawbridge', 'graphile_worker') and pid <> pg_backend_pid()`,
      );
    }
  } finally {
    over = true;
    // What failed them is why nobody got on.
    await workers;
  }
  for (const [where, kinds] of Object.entries(seen)) {
    expect(
      [...kinds.keys()].filter((kind) => kind !== 'well' && kind !== 'try again'),
      where,
    ).toEqual([]);
    expect(kinds.get('well') ?? 0, where).toBeGreaterThanOrEqual(20);
  }

  await expect.poll(async () => (await send(port, '/readyz')).status, { timeout: 2_000 }).toBe(200);
  const rows = await flow.world.sql(`select 1 from directory_users where directory_user_id = any ($1::uuid[])`, [
    acknowledged,
  ]);
  expect(rows).toHaveLength(acknowledged.length);
  const answer = await send(port, '/oidc/token', refreshRequest(app, tokens.refresh_token));
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  expect((await ann.again().signIn(port)).code).toBeTruthy();
});

test('T66 a refresh token that was spent for an answer nobody got is good again; one whose answer was given is not', async () => {
  const { sql } = flow.world;
  const redeemed = await send(port, '/oidc/token', codeRequest(app, await ann.again().signIn(port)));
  const first = JSON.parse(redeemed.text) as Tokens;
  // The database goes away between the rotation and the access token.
  await sql(
    `create function go_away() returns trigger language plpgsql as $$ begin raise exception 'away' using errcode = '57P01'; end $$`,
  );
  await sql(
    `create trigger go_away before insert on oidc_artifacts for each row when (new.model = 'AccessToken') execute function go_away()`,
  );
  const failed = await send(port, '/oidc/token', refreshRequest(app, first.refresh_token)).finally(() =>
    sql(`drop function go_away cascade`),
  );
  expect([failed.status, failed.headers['retry-after'], JSON.parse(failed.text).error]).toEqual([
    503,
    '2',
    'temporarily_unavailable',
  ]);

  const again = await send(port, '/oidc/token', refreshRequest(app, first.refresh_token));
  expect([again.status, again.text]).toEqual([200, expect.any(String)]);
  const second = JSON.parse(again.text) as Tokens;
  // I14: what was answered is spent, and whoever brings it back ends the family.
  expect((await send(port, '/oidc/token', refreshRequest(app, first.refresh_token))).status).toBe(400);
  expect((await send(port, '/oidc/token', refreshRequest(app, second.refresh_token))).status).toBe(400);
});
