// Plays histories of names with the real operations; namesakes-oracle.ts says what must hold after each step.

import type { Person, SubjectId, UserId } from '../../src/core/ids.ts';
import { assignRole } from '../../src/operations/assign-role.ts';
import { mapGuest, unmapGuest } from '../../src/operations/map-guest.ts';
import { createDirectoryUser, removeDirectoryUser, updateDirectoryUser } from '../../src/operations/provision-user.ts';
import { setActive } from '../../src/operations/set-active.ts';
import type { TenantRef } from '../../src/operations/standing.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { assertionOf, enter } from '../support/entering.ts';
import { operator } from '../support/world.ts';
import {
  type Act,
  addressOf,
  NAMES,
  type Names,
  NONE,
  pushedOf,
  type Said,
  type SignIn,
  textOf,
} from './namesakes-acts.ts';
import { Broken, check, type Done, isOpen, know, learn, type Memory } from './namesakes-oracle.ts';
import {
  isAddress,
  look,
  mail,
  type Picture,
  type Place,
  type Stage,
  subjectsOf,
  type User,
} from './namesakes-stage.ts';

/** What the steps of one history have in common. */
type Game = {
  readonly stage: Stage;
  /** Of all names: histories share a database. */
  readonly prefix: string;
  readonly memory: Memory;
  /** Of users of directories: what they are called now. */
  readonly names: Map<string, Names>;
  /** Of accounts: all names that a directory ever gave them. */
  readonly had: Map<string, number[]>;
};

type Played = Done & { readonly said?: Said };

/** Three people of one directory, and one of another. */
const FIRST: readonly (readonly Act[])[] = [1, 1, 1, 0].map((at, n) => [
  { act: 'create', at, names: { userName: n, externalId: n, email: NAMES + n, other: NONE } },
]);

export async function play(stage: Stage, prefix: string, steps: readonly (readonly Act[])[]): Promise<void> {
  const memory: Memory = { step: 0, ever: new Map(), own: new Map(), began: new Map(), proven: new Set() };
  const game: Game = { stage, prefix, memory, names: new Map(), had: new Map() };
  let before = await look(stage, prefix);
  const told: unknown[] = [];
  const coming = [...FIRST, ...steps];
  for (let acts = coming.shift(); acts !== undefined; acts = coming.shift()) {
    memory.step += 1;
    const picture = before;
    const done: readonly Played[] = await Promise.all(acts.map((one) => perform(game, one, picture)));
    const after = await look(stage, prefix);
    told.push(done.map(({ act, detail }) => [JSON.stringify(act), detail]));
    let now = after;
    try {
      learn(memory, before, after, done);
      check(memory, before, after, done);
      coming.unshift(...insisting(before, done));
      if (acts.length === 1) now = await askedOnce(game, before, after, acts[0] as Act);
    } catch (error) {
      if (error instanceof Broken)
        error.message += `\n${told.map((one, at) => `${at + 1} ${JSON.stringify(one)}`).join('\n')}`;
      throw error;
    }
    before = now;
    // What was done to ask once more counts as part of the step.
    if (now !== after) learn(memory, after, now, []);
  }
}

/** Who comes to an account that is kept out already does so again once it is let in. */
function insisting(before: Picture, [first, ...others]: readonly Played[]): readonly (readonly Act[])[] {
  const userId = first?.came?.userId;
  if (others.length > 0 || first?.act.act !== 'signIn' || first.said === undefined || userId === undefined) return [];
  if (!isOpen(before, userId)) return [];
  return [[{ act: 'letInOne', subjectId: userId }], [{ act: 'returns', said: first.said }]];
}

/** A name of somebody who is suspended, where it is to be one of theirs. */
function resolved({ had }: Game, { suspensions, guests }: Picture, to: number, theirs: boolean): number {
  const open = suspensions
    .filter((one) => one.open)
    .map(({ subjectId }) => guests.find((one) => one.guestId === subjectId)?.userId ?? subjectId);
  const names = theirs ? open.flatMap((userId) => had.get(userId) ?? []) : [];
  return names[to % names.length] ?? to;
}

const pick = <T>(all: readonly T[], at: number): T | undefined => (all.length === 0 ? undefined : all[at % all.length]);

async function perform(game: Game, act: Act, picture: Picture): Promise<Played> {
  try {
    return await performed(game, act, picture);
  } catch (error) {
    throw new Broken(`threw ${JSON.stringify(act)} ${(error as Error).stack}`);
  }
}

async function performed(game: Game, act: Act, picture: Picture): Promise<Played> {
  const { stage, prefix, memory, names: called, had } = game;
  const { world, places, tenants } = stage;
  const pushes = ({ id, key }: Place) => world.context({ kind: 'directory', connectionId: id, name: key });
  switch (act.act) {
    case 'create': {
      const place = places[act.at] as Place;
      const outcome = await createDirectoryUser(pushes(place), place.directory, pushedOf(prefix, act.names));
      if (outcome.kind === 'done') called.set(outcome.user.id, act.names);
      for (const user of outcome.kind === 'done' ? (await look(stage, prefix)).users : [])
        if (outcome.kind === 'done' && user.id === outcome.user.id)
          had.set(user.userId, [...(had.get(user.userId) ?? []), ...Object.values(act.names)]);
      return { act, detail: outcome.kind === 'done' ? outcome.user.id : outcome };
    }
    case 'change': {
      const user = pick(picture.users, act.user);
      const names = user && called.get(user.id);
      if (user === undefined || names === undefined) return { act };
      const to = resolved(game, picture, act.to, act.theirs);
      const next = { ...names, [act.what]: to };
      const outcome = await updateDirectoryUser(
        pushes(user.place),
        user.place.directory,
        user.id,
        () => pushedOf(prefix, next),
        null,
      );
      if (outcome.kind === 'done') {
        called.set(user.id, next);
        had.get(user.userId)?.push(to);
      }
      return { act, detail: [user.userId, act.what, to, outcome.kind === 'done' ? 'done' : outcome] };
    }
    case 'moment': {
      const user = pick(picture.users, act.user);
      const names = user && called.get(user.id);
      if (user === undefined || names === undefined) return { act };
      const to = resolved(game, picture, act.to, act.theirs);
      const outcomes = [];
      for (const next of [{ ...names, [act.what]: to }, names])
        outcomes.push(
          (
            await updateDirectoryUser(
              pushes(user.place),
              user.place.directory,
              user.id,
              () => pushedOf(prefix, next),
              null,
            )
          ).kind,
        );
      const told = outcomes[0] === 'done' && (act.what !== 'other' || addressOf(prefix, names.email) !== null);
      for (const key of told ? momentary(prefix, user, act.what, to) : []) know(memory, user.userId, key);
      return { act, detail: [user.userId, act.what, to, outcomes] };
    }
    case 'remove':
    case 'leave': {
      const user = pick(picture.users, act.user);
      if (user === undefined) return { act };
      if (act.act === 'leave') {
        const person = { tenantId: user.place.tenant.tenantId, userId: user.userId as UserId } as const;
        await suspend(
          world.context(),
          user.place.tenant,
          { subjectId: person.userId as string as SubjectId, kind: 'user', person },
          null,
        );
      }
      return {
        act,
        detail: [
          user.userId,
          (await removeDirectoryUser(pushes(user.place), user.place.directory, user.id, null)).kind,
        ],
      };
    }
    case 'returns':
      return await comes(game, act, act.said, picture);
    case 'signIn':
      return await signsIn(game, act, picture);
    case 'map':
    case 'unmap': {
      const account = pick(
        [...picture.accounts.values()].filter((one) => one.tenantId !== tenants[2]?.tenantId),
        act.user,
      );
      if (account === undefined) return { act };
      const person = { tenantId: account.tenantId, userId: account.userId } as Person;
      const target = tenants[account.tenantId === tenants[0]?.tenantId ? 1 + act.into : 2] as TenantRef;
      const outcome =
        act.act === 'map'
          ? await mapGuest(world.context(), target, person, { roles: ['Analytics: Viewer'], groups: [] }, operator)
          : await unmapGuest(world.context(), target, person, operator);
      return { act, detail: [account.userId, target.slug, outcome] };
    }
    default: {
      const all = subjectsOf(stage, picture);
      const kept = all.filter(({ subjectId }) => isOpen(picture, subjectId));
      const subject =
        act.act === 'letInOne'
          ? all.find(({ subjectId }) => subjectId === act.subjectId)
          : pick(act.act === 'letIn' && kept.length > 0 ? kept : all, act.subject);
      if (subject === undefined) return { act };
      const ref = { ...subject, subjectId: subject.subjectId as SubjectId };
      if (act.act === 'letIn' || act.act === 'letInOne') {
        const outcome = await assignRole(world.context(), subject.tenant, ref, 'Analytics: Viewer', operator);
        if (outcome.kind === 'refused') throw new Error(outcome.message);
        return { act, assigned: subject.subjectId, detail: subject.subjectId };
      }
      if (act.act === 'suspend') await suspend(world.context(), subject.tenant, ref, null);
      else if (subject.kind === 'user')
        await setActive(world.context(), subject.tenant, ref, act.act === 'activate', null);
      return { act, detail: subject.subjectId };
    }
  }
}

async function signsIn(game: Game, act: SignIn, picture: Picture): Promise<Played> {
  const { stage, prefix, names } = game;
  const place = stage.places[act.at] as Place;
  // Most are by what the directory calls somebody.
  const aimed = pick(
    picture.users.filter((one) => one.place === place),
    act.user,
  );
  const named = aimed && names.get(aimed.id);
  const at =
    named === undefined || act.aim === 'none'
      ? resolved(game, picture, act.subject, act.theirs)
      : act.aim === 'id'
        ? named.externalId
        : named.userName;
  const subject = textOf(prefix, at);
  if (subject === null) return { act };
  const email = addressOf(prefix, resolved(game, picture, act.email, act.theirs));
  const second = place.saml ? null : textOf(prefix, act.second);
  return comes(
    game,
    act,
    { at: act.at, subject, ids: second === null ? [subject] : [subject, second], email },
    picture,
  );
}

async function comes({ stage, memory }: Game, act: Act, said: Said, picture: Picture): Promise<Played> {
  const { subject, ids, email } = said;
  const { id, key, tenant, saml } = stage.places[said.at] as Place;
  const outcome = await enter(stage.world, tenant.tenantId, {
    ...assertionOf(id, { subject, email }),
    method: saml ? 'saml' : 'oidc',
    directoryIds: ids,
    directoryUserName: saml ? subject : null,
  });
  if (outcome.kind === 'refused') return { act, detail: outcome };
  const { userId } = outcome.person;
  const shown = [
    `id ${key} ${subject}`,
    ...ids.map((one) => `ext ${key} ${one}`),
    ...(email === null ? [] : [mail(email)]),
  ];
  if (saml) shown.push(isAddress(subject) ? mail(subject) : `name ${tenant.slug} ${key} ${subject}`);
  const linked = picture.accounts.get(userId)?.linked.has(`id ${key} ${subject}`) === true;
  const identity = `${userId} ${id} ${subject}`;
  if (!linked) memory.proven.delete(identity);
  return {
    act,
    said,
    came: { userId, tenantId: tenant.tenantId, shown, identity },
    detail: [userId, outcome.created, shown],
  };
}

function momentary(prefix: string, { place: { tenant, key } }: User, what: keyof Names, to: number): readonly string[] {
  const text = what === 'userName' || what === 'externalId' ? textOf(prefix, to) : addressOf(prefix, to);
  if (text === null) return [];
  if (what === 'externalId') return [`ext ${key} ${text}`];
  if (isAddress(text)) return [mail(text)];
  return [`name ${tenant.slug} ${key} ${text}`];
}

/** Whoever was suspended by an act is let in, and the same act suspends them no more. */
async function askedOnce(game: Game, before: Picture, after: Picture, act: Act): Promise<Picture> {
  const { stage, prefix, memory } = game;
  const patient = (act.act === 'signIn' || act.act === 'change') && act.again;
  const hit = subjectsOf(stage, after).filter(
    ({ subjectId }) => isOpen(after, subjectId) && !isOpen(before, subjectId),
  );
  if (!patient || hit.length === 0) return after;
  let now = after;
  for (let times = 0; times < 2; times += 1) {
    for (const subject of hit) {
      const outcome = await assignRole(
        stage.world.context(),
        subject.tenant,
        { ...subject, subjectId: subject.subjectId as UserId as string as SubjectId },
        'Analytics: Viewer',
        operator,
      );
      if (outcome.kind === 'refused') throw new Broken(`not let in: ${outcome.message}`);
      await stage.world.sql('update identities set ended_at = now() where user_id = $1 and ended_at is null', [
        subject.subjectId,
      ]);
    }
    const { came } = await perform(game, act, before);
    if (came !== undefined) memory.proven.add(came.identity);
    now = await look(stage, prefix);
    if (!hit.some(({ subjectId }) => isOpen(now, subjectId))) return now;
  }
  throw new Broken(`asked for ever: ${hit.map(({ subjectId }) => subjectId).filter((id) => isOpen(now, id))}`);
}
