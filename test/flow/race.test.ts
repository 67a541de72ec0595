import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GuestId, UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest } from '../../src/operations/map-guest.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { userBody } from '../support/scim.ts';
import { groupSchemaUrn } from '../support/urns.ts';
import { operator } from '../support/world.ts';
import { guestRound } from './guest-race.ts';
import { comeIn, type Lane, type Round, restore, round, together, type Violation } from './race.ts';
import { randomOf } from './random.ts';
import { newDirectory } from './scim.ts';
import { type Flow, startFlow } from './servers.ts';
import { codeIn, newApplication, pathOf, visitor } from './visitor.ts';

// Some hundreds of rounds; more with RACE_ROUNDS. The seed fixes the delays and the choices, not what the machine makes of them.
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 160);
const SEED = Number(process.env.RACE_SEED ?? 22);
const emailAttribute = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress';
const names = ['ann', 'ben', 'cid', 'dee', 'eve', 'fay'];

let flow: Flow;
let lanes: readonly Lane[];
beforeAll(async () => {
  flow = await startFlow({
    servers: 2,
    people: names.map((name) => ({
      login: name,
      password: 'horse',
      oidc: { sub: `ext-${name}`, claims: { email: `${name}@acme.example`, email_verified: true } },
      saml: { nameId: `ext-${name}`, attributes: { [emailAttribute]: `${name}@acme.example` } },
    })),
  });
  const acme = await flow.tenant('acme');
  const app = await newApplication(flow, 'acme');
  const directory = await newDirectory(flow, 'acme', 'okta');
  const scim = directory.at(flow.servers[0]?.port ?? 0);
  const group = await scim.post('/Groups', { schemas: [groupSchemaUrn], displayName: 'Acme Viewers' });
  lanes = await Promise.all(
    names.map(async (name, index): Promise<Lane> => {
      const resource = userBody(name);
      const pushed = await scim.post('/Users', resource);
      await scim.patch(`/Groups/${group.body.id}`, { op: 'add', path: 'members', value: [{ value: pushed.body.id }] });
      const [user] = await flow.world.sql<{ user_id: UserId }>(`select user_id from users where email = $1`, [
        `${name}@acme.example`,
      ]);
      const home = visitor(flow, app, { email: `${name}@acme.example`, login: name, password: 'horse' });
      const random = randomOf(SEED + index);
      // Once by hand: from now on the provider knows every browser of theirs.
      await home.signIn(flow.servers[0]?.port ?? 0);
      return {
        flow,
        person: { tenantId: acme.tenantId, userId: user?.user_id as UserId },
        directory,
        resource,
        resourceId: pushed.body.id,
        groupId: group.body.id,
        home,
        inside: await comeIn({ flow, home, random }),
        random,
      };
    }),
  );
}, 60_000);
afterAll(() => flow?.close());
beforeEach(() => together(lanes.map(restore)));

/** Plays in all lanes at once until there were so many rounds, or until one has such a violation. */
async function play(rounds: number, until?: Violation['kind']): Promise<readonly Round[]> {
  const played: Round[] = [];
  const found = () => until !== undefined && played.some((one) => one.violations.some(({ kind }) => kind === until));
  let left = rounds;
  await together(
    lanes.map(async (lane) => {
      while (left > 0 && !found()) {
        left -= 1;
        played.push(await round(lane));
      }
    }),
  );
  return played;
}

const sum = (rounds: readonly Round[], of: 'beside' | 'after' | 'issued') =>
  rounds.reduce((all, one) => all + one[of], 0);

test(`R22 T67 T129 T130 FT13 in ${ROUNDS} races over two servers no request that starts after a suspension is issued anything, and what was issued before is dead for ever`, {
  timeout: 300_000,
}, async () => {
  const rounds = await play(ROUNDS);
  expect(rounds.flatMap(({ violations }) => violations)).toEqual([]);
  expect(rounds).toHaveLength(ROUNDS);
  // A race in which nobody ran would prove nothing.
  expect(sum(rounds, 'beside')).toBeGreaterThan(ROUNDS);
  expect(sum(rounds, 'after')).toBeGreaterThan(2 * ROUNDS);
  expect(sum(rounds, 'issued')).toBeGreaterThan(ROUNDS);
});

test('T129 a SAML response, a callback and a proven handle from before the suspension, used after it, end at the landing page', async () => {
  const [lane] = lanes;
  const [one, two] = flow.servers.map(({ port }) => port);
  if (lane === undefined || one === undefined || two === undefined) throw new Error('nobody races');
  const begin = async (connection: 'okta' | 'entra') => {
    const browser = lane.home.again();
    return { browser, started: await browser.toCallback(one, connection) };
  };
  const proven = await begin('okta');
  const handle = pathOf(await proven.browser.ask(one, proven.started.next));
  const waiting = [
    await begin('entra'),
    await begin('okta'),
    { ...proven, started: { ...proven.started, next: handle } },
  ];
  const subject = { subjectId: lane.person.userId, kind: 'user', person: lane.person } as const;
  await suspend(flow.world.context(), await flow.tenant('acme'), subject, null);
  for (const { browser, started } of waiting) {
    const answer = await browser.arrive(two, started);
    expect([answer.status, answer.headers.location, answer.text]).toEqual([
      200,
      undefined,
      expect.stringContaining('You need access'),
    ]);
    expect(answer.headers['set-cookie'] ?? []).toEqual([]);
    expect(codeIn(lane.home.app, (await browser.authorize(one, { prompt: 'none' })).answer)).toBeNull();
  }
  await assignRole(flow.world.context(), await flow.tenant('acme'), subject, 'Analytics: Editor', operator);
  lane.inside = await comeIn(lane);
});

/** Plays so many rounds for a guest in all lanes at once, or until there is such a violation. */
async function playGuests(rounds: number, until?: Violation['kind']): Promise<readonly Violation[]> {
  const labs = await flow.tenant('acme-labs');
  const found: Violation[] = [];
  let left = rounds;
  await together(
    lanes.map(async (lane) => {
      const gift = { roles: ['Research: Reader'], groups: [] };
      await mapGuest(flow.world.context(), labs, lane.person, gift, operator);
      const [guest] = await flow.world.sql<{ guest_id: GuestId }>(
        `select guest_id from guests where source_user_id = $1`,
        [lane.person.userId],
      );
      while (left > 0 && !found.some(({ kind }) => kind === until)) {
        left -= 1;
        found.push(...(await guestRound(lane, guest?.guest_id as GuestId)));
      }
    }),
  );
  return found;
}

test('D10 T130 a guest’s suspension ends what was issued for that tenant alone, at once, over two servers', {
  timeout: 120_000,
}, async () => {
  expect(await playGuests(ROUNDS / 2)).toEqual([]);
});

describe('the race finds what is planted', () => {
  const planted = async (places: readonly string[], body: string, act: () => Promise<void>) => {
    const { sql } = flow.world;
    await sql(`create function planted_fault() returns trigger language plpgsql as $$ begin ${body} end $$`);
    for (const place of places)
      await sql(`create trigger planted_fault ${place} for each row execute function planted_fault()`);
    await act().finally(() => sql(`drop function planted_fault cascade`));
  };

  test('a suspension that was acknowledged and not written', { timeout: 120_000 }, async () => {
    await planted(['before insert on suspensions'], 'return null;', async () => {
      const rounds = await play(ROUNDS, 'issued_after');
      expect(rounds.flatMap(({ violations }) => violations.map(({ kind }) => kind))).toContain('issued_after');
    });
  });

  test('T67 an epoch that is not raised: what was written beside the suspension lives when it is lifted', {
    timeout: 120_000,
  }, async () => {
    const body = 'new.access_epoch := old.access_epoch; return new;';
    await planted(['before update on subjects'], body, async () => {
      const rounds = await play(ROUNDS, 'lives_again');
      expect(rounds.flatMap(({ violations }) => violations.map(({ kind }) => kind))).toContain('lives_again');
    });
  });

  test('T67 a guest’s epoch that is not raised, and tokens of theirs that are left', { timeout: 120_000 }, async () => {
    // Either alone is made good by the other, and by the grant that is gone.
    const body = `if tg_table_name = 'oidc_artifacts' then return null; end if;
      new.access_epoch := old.access_epoch; return new;`;
    await planted(['before update on subjects', 'before delete on oidc_artifacts'], body, async () => {
      const found = await playGuests(ROUNDS, 'lives_again');
      expect(found.map(({ kind }) => kind)).toContain('lives_again');
    });
  });
});
