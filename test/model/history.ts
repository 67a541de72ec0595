// Histories and what must hold after every step of them.

import fc from 'fast-check';
import type { SignInOutcome } from '../../src/operations/sign-in.ts';
import { expectedAsGuest, expectedAtHome, mayComeIn, type Picture, picture } from './slow-model.ts';
import {
  type ConnectionKey,
  emailOf,
  type InitialAccess,
  type Name,
  type System,
  subjectOf,
  type UserRow,
} from './system.ts';

export const PERSONS = 3;

export type Step =
  | { readonly act: 'push' | 'pushFresh' | 'remove'; readonly connection: ConnectionKey; readonly person: number }
  | {
      readonly act: 'pushActive' | 'setMember';
      readonly connection: ConnectionKey;
      readonly person: number;
      readonly on: boolean;
    }
  | {
      readonly act: 'signIn';
      readonly connection: ConnectionKey;
      readonly person: number;
      readonly subject: 'known' | 'fresh' | 'foreign';
      readonly verified: boolean;
      readonly domain: 'acme.example' | 'elsewhere.example';
      readonly groups: readonly string[];
    }
  | {
      readonly act: 'rename';
      readonly connection: ConnectionKey;
      readonly person: number;
      readonly what: Name;
      readonly to: number;
    }
  | { readonly act: 'reconnect'; readonly connection: ConnectionKey }
  | { readonly act: 'setHeld'; readonly connection: ConnectionKey; readonly on: boolean }
  | { readonly act: 'setInitialAccess'; readonly access: InitialAccess }
  | {
      readonly act: 'suspend' | 'assignRole' | 'requestAccess' | 'map' | 'unmap' | 'suspendGuest' | 'assignGuest';
      readonly person: number;
    }
  | { readonly act: 'setActive'; readonly person: number; readonly on: boolean }
  | { readonly act: 'setMode'; readonly mode: 'jit' | 'invite_only' };

const person = fc.nat({ max: PERSONS - 1 });
const connection = fc.constantFrom<ConnectionKey>('okta', 'entra');
const of = <A extends Step['act']>(...acts: A[]) => fc.constantFrom(...acts);

export const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: of('push', 'push', 'pushFresh', 'remove'), connection, person }) },
  { weight: 5, arbitrary: fc.record({ act: of('pushActive', 'setMember'), connection, person, on: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      act: of('signIn'),
      connection,
      person,
      subject: fc.constantFrom('known' as const, 'known' as const, 'fresh' as const, 'foreign' as const),
      verified: fc.constantFrom(true, true, true, false),
      domain: fc.constantFrom(
        'acme.example' as const,
        'acme.example' as const,
        'acme.example' as const,
        'elsewhere.example' as const,
      ),
      groups: fc.constantFrom<readonly string[]>([], [], ['Editors'], ['editors-id', 'Others']),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      act: of('suspend', 'suspend', 'assignRole', 'requestAccess', 'map', 'unmap', 'suspendGuest', 'assignGuest'),
      person,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: of('rename'),
      connection,
      person,
      what: fc.constantFrom<Name>('externalId', 'userName', 'email'),
      to: person,
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: of('reconnect'), connection }) },
  { weight: 2, arbitrary: fc.record({ act: of('setHeld'), connection, on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: of('setInitialAccess'),
      access: fc.constantFrom<InitialAccess>('none', 'default_role', 'mapped_roles', 'mapped_roles'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: of('setActive'), person, on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: of('setMode'), mode: fc.constantFrom('jit' as const, 'invite_only' as const) }),
  },
);

export class Broken extends Error {}
function must(holds: boolean, invariant: string, detail: () => unknown): void {
  if (!holds) throw new Broken(`${invariant}: ${JSON.stringify(detail())}`);
}

/** What a history remembers beside the database: who was suspended when, which links belong to whom. */
type Memory = {
  clock: number;
  fresh: number;
  readonly suspendedRows: Map<string, number>;
  readonly bornAt: Map<string, number>;
  readonly personOf: Map<string, number>;
  readonly assignedAt: Map<string, number>;
  readonly adminActive: Map<string, boolean>;
  readonly links: Map<string, string>;
  /** Since when a row is known by a subject of a connection, whether a directory or a sign-in said so. */
  readonly subjects: Map<string, Map<string, number>>;
};

/** Plays the history, and after every step compares the system with the slow model and the history with the invariants. */
export async function play(system: System, history: readonly Step[]): Promise<void> {
  const memory: Memory = {
    clock: 0,
    fresh: 0,
    suspendedRows: new Map(),
    bornAt: new Map(),
    personOf: new Map(),
    assignedAt: new Map(),
    adminActive: new Map(),
    links: new Map(),
    subjects: new Map(),
  };
  for (const step of history) {
    memory.clock += 1;
    const before = await picture(system.world);
    const outcome = await perform(system, memory, step, before);
    await check(system, memory, step, before, outcome);
  }
}

type Outcome = { readonly row?: UserRow; readonly signIn?: SignInOutcome; readonly ok?: boolean };

async function perform(system: System, memory: Memory, step: Step, before: Picture): Promise<Outcome> {
  if (step.act === 'setMode') {
    await system.setMode(step.mode);
    return {};
  }
  if (step.act === 'setInitialAccess') {
    await system.setInitialAccess(step.access);
    return {};
  }
  if (step.act === 'rename') {
    await system.rename(step.connection, step.person, step.what, step.to);
    return {};
  }
  if (step.act === 'reconnect') {
    await system.reconnect(step.connection);
    return {};
  }
  if (step.act === 'setHeld') {
    await system.setHeld(step.connection, step.on);
    return {};
  }
  if (step.act === 'push') {
    await system.push(step.connection, step.person, subjectOf(step.connection, step.person));
    return {};
  }
  if (step.act === 'pushFresh') {
    memory.fresh += 1;
    await system.push(step.connection, step.person, `${subjectOf(step.connection, step.person)}-again-${memory.fresh}`);
    return {};
  }
  if (step.act === 'remove') {
    await system.remove(step.connection, step.person);
    return {};
  }
  if (step.act === 'pushActive') {
    await system.pushActive(step.connection, step.person, step.on);
    return {};
  }
  if (step.act === 'setMember') {
    await system.setMember(step.connection, step.person, step.on);
    return {};
  }
  if (step.act === 'signIn') {
    const known = subjectOf(step.connection, step.person);
    const subject = step.subject === 'known' ? known : `${known}-${step.subject}`;
    const outcome = await system.signIn(step.connection, step.person, {
      subject,
      verified: step.verified,
      domain: step.domain,
      groups: step.groups,
    });
    return { signIn: outcome };
  }
  const row = rowOf(memory, step.person, before);
  if (row === undefined) return {};
  const acts = {
    suspend: async () => {
      const ok = await system.suspend(row);
      if (ok) {
        memory.suspendedRows.set(row.userId, memory.clock);
      }
      return ok;
    },
    assignRole: async () => {
      const ok = await system.assignRole(row, 'Analytics: Viewer');
      if (ok) memory.assignedAt.set(row.userId, memory.clock);
      return ok;
    },
    setActive: async () => {
      const on = step.act === 'setActive' && step.on;
      await system.setActive(row, on);
      memory.adminActive.set(row.userId, on);
      return true;
    },
    requestAccess: () => system.requestAccess(row).then(() => true),
    map: () => system.map(row).then(() => true),
    unmap: () => system.unmap(row).then(() => true),
    suspendGuest: () => system.suspendGuest(row).then(() => true),
    assignGuest: () => system.assignGuest(row),
  };
  return { row, ok: await acts[step.act]() };
}

/** The row that an administrator would act on: the newest of the person's that still has the address, else the newest. */
function rowOf(memory: Memory, person: number, all: Picture): UserRow | undefined {
  const theirs = (all.users ?? []).filter((row) => memory.personOf.get(String(row.user_id)) === person);
  const chosen = theirs.find((row) => row.email === emailOf(person)) ?? theirs.at(-1);
  return chosen === undefined ? undefined : ({ userId: String(chosen.user_id), email: chosen.email } as UserRow);
}

async function check(system: System, memory: Memory, step: Step, before: Picture, outcome: Outcome): Promise<void> {
  const all = await picture(system.world);
  const home = system.tenants.acme.tenantId;
  const users = (all.users ?? []).filter((row) => row.tenant_id === home);

  for (const row of users) {
    const id = String(row.user_id);
    if (!memory.bornAt.has(id)) {
      memory.bornAt.set(id, memory.clock);
      const number = /^person(\d)@acme\.example$/.exec(String(row.email))?.[1];
      if (number !== undefined) memory.personOf.set(id, Number(number));
      memory.adminActive.set(id, true);
      const person = memory.personOf.get(id);
      const last = [...memory.suspendedRows.keys()].filter(
        (other) => memory.personOf.get(other) === person && isSuspended(all, other),
      );
      // I3: somebody who arrives with a key of a suspended person begins suspended.
      if (person !== undefined && last.length > 0) must(isSuspended(all, id), 'I3', () => ({ step, id, last }));
    }
  }

  for (const row of users) {
    const id = String(row.user_id);
    const userRow = { userId: id, email: row.email } as UserRow;
    const atHome = expectedAtHome(all, home, id);
    const read = await system.refresh(userRow, 'home');
    const got = {
      state: read?.access.state,
      roles: read?.access.roles.map((role) => role.role),
      allowed: read?.allowed,
    };
    must(same(got, atHome), 'I4 I7', () => ({ step, got, expected: atHome }));
    must((read?.claims ?? null) === null || atHome.state === 'active', 'I1 claims without access', () => ({
      step,
      got,
    }));
    const asGuest = expectedAsGuest(all, home, id, 'acme-labs');
    const there = await system.refresh(userRow, 'labs');
    const gotThere = {
      state: there?.access.state,
      roles: there?.access.roles.map((role) => role.role),
      allowed: there?.allowed,
    };
    must(same(gotThere, asGuest), 'I4 I7 guest', () => ({ step, gotThere, expected: asGuest }));

    // I1: from a suspension until an administrator assigns a role there is nothing, here or in the child.
    const suspendedAt = memory.suspendedRows.get(id);
    if (suspendedAt !== undefined && (memory.assignedAt.get(id) ?? -1) < suspendedAt) {
      must((read?.claims ?? null) === null && (there?.claims ?? null) === null, 'I1', () => ({
        step,
        id,
        got,
        gotThere,
      }));
      must(isSuspended(all, id), 'I1 suspension closed', () => ({ step, id }));
    }
    // I2: an administrator's switch is only ever theirs.
    must(row.admin_active === memory.adminActive.get(id), 'I2', () => ({ step, id, admin: row.admin_active }));
  }

  checkHeld(system, step, before, all);
  checkHumans(memory, step, all, outcome);
  checkLinks(memory, step, before, all);
  checkLiveness(system, step, before, all, outcome);
}

const PUSHES: ReadonlySet<Step['act']> = new Set(['push', 'pushFresh', 'pushActive', 'setMember', 'remove', 'rename']);

/** What a held directory pushes gives nobody anything: no role, no tenant, no way back in (T117). */
function checkHeld(system: System, step: Step, before: Picture, all: Picture): void {
  if (!PUSHES.has(step.act) || !('connection' in step)) return;
  const connectionId = system.connectionId(step.connection);
  if (!isHeld(before, connectionId)) return;
  const home = system.tenants.acme.tenantId;
  for (const row of (all.users ?? []).filter((one) => one.tenant_id === home)) {
    const id = String(row.user_id);
    const isNew = !(before.users ?? []).some((one) => one.user_id === id);
    const views = [
      (picture: Picture) => expectedAtHome(picture, home, id),
      (picture: Picture) => expectedAsGuest(picture, home, id, 'acme-labs'),
    ];
    for (const view of views) {
      const after = view(all);
      const had = isNew ? { state: 'no_access', roles: [], allowed: after.allowed } : view(before);
      const gained = [...after.roles, ...after.allowed].filter((one) => ![...had.roles, ...had.allowed].includes(one));
      const letIn = had.state === 'deactivated' && after.state !== 'deactivated';
      must(gained.length === 0 && !letIn, 'T117 held', () => ({ step, id, had, after }));
    }
  }
}

/**
 * I1 for the human behind the rows: whoever signs in by a subject by which a suspended row was known is somebody suspended too,
 * unless that one was let in by an administrator since, or had the subject first.
 */
function checkHumans(memory: Memory, step: Step, all: Picture, outcome: Outcome): void {
  if (step.act === 'signIn' && outcome.signIn?.kind === 'signed_in') {
    const came = String(outcome.signIn.person.userId);
    const subject = step.subject === 'known' ? subjectOf(step.connection, step.person) : null;
    for (const [suspended, at] of memory.suspendedRows) {
      const since = memory.subjects.get(suspended)?.get(String(subject));
      if (subject === null || since === undefined || since > at || !isSuspended(all, suspended)) continue;
      const letIn = (memory.assignedAt.get(came) ?? -1) > at;
      const first = (memory.subjects.get(came)?.get(subject) ?? Infinity) < since;
      must(letIn || first || isSuspended(all, came), 'I1 I3 human', () => ({ step, suspended, came }));
    }
  }
  const learn = (row: Record<string, unknown>, subject: unknown) => {
    const known = memory.subjects.get(String(row.user_id)) ?? new Map<string, number>();
    if (!known.has(String(subject))) known.set(String(subject), memory.clock);
    memory.subjects.set(String(row.user_id), known);
  };
  for (const row of all.identities ?? []) learn(row, row.subject);
  for (const row of all.directory_users ?? []) learn(row, row.external_id);
}

/** I11: a link key belongs to one person for ever; a link by address needs a proof in a domain that the connection owns. */
function checkLinks(memory: Memory, step: Step, before: Picture, all: Picture): void {
  const seen = new Set((before.identities ?? []).map((row) => row.identity_id));
  for (const row of all.identities ?? []) {
    const key = JSON.stringify([row.connection_id, row.issuer, row.subject]);
    const holder = memory.links.get(key);
    must(holder === undefined || holder === row.user_id, 'I11 moved', () => ({ step, key }));
    memory.links.set(key, String(row.user_id));
    if (!seen.has(row.identity_id) && row.linked_by === 'email') {
      must(step.act === 'signIn' && step.verified && step.domain === 'acme.example', 'I11 by address', () => ({
        step,
      }));
    }
  }
}

/** I18: whoever may come in does, and a suspension can always be lifted. */
function checkLiveness(system: System, step: Step, before: Picture, all: Picture, outcome: Outcome): void {
  if (step.act === 'assignRole' && outcome.row !== undefined) {
    must(outcome.ok === true && !isSuspended(all, outcome.row.userId), 'I18 lift', () => ({ step }));
  }
  if (step.act !== 'signIn' || step.subject !== 'known' || outcome.signIn === undefined) return;
  const connectionId = system.connectionId(step.connection);
  const subject = subjectOf(step.connection, step.person);
  const known =
    (before.identities ?? []).find(
      (row) => row.connection_id === connectionId && row.subject === subject && row.ended_at === null,
    ) ??
    // Of a held directory it is no way into an account that it did not make.
    (before.directory_users ?? []).find(
      (row) =>
        row.connection_id === connectionId &&
        row.external_id === subject &&
        row.ended_at === null &&
        !isHeld(before, connectionId),
    );
  if (known === undefined) return;
  const home = system.tenants.acme.tenantId;
  const comes = outcome.signIn.kind === 'signed_in' && outcome.signIn.person.userId === known.user_id;
  must(comes === mayComeIn(before, home, String(known.user_id), connectionId), 'I18 sign-in', () => ({
    step,
    outcome: outcome.signIn,
  }));
}

function isHeld(all: Picture, connectionId: string): boolean {
  return (all.connections ?? []).some((row) => row.connection_id === connectionId && row.scim_held === true);
}

function isSuspended(all: Picture, subjectId: string): boolean {
  return (all.suspensions ?? []).some((row) => row.subject_id === subjectId && row.lifted_at === null);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
