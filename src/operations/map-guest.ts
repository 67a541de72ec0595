import type { Context, TenantTx } from '../context.ts';
import { bar } from '../core/access.ts';
import {
  decideMapGuest,
  decideUnmapGuest,
  type MapOutcome,
  type MappingFacts,
  type UnmapOutcome,
} from '../core/administration.ts';
import type { Administrator } from '../core/change.ts';
import { refused } from '../core/errors.ts';
import type { Person } from '../core/ids.ts';
import { findRole, type Role } from '../core/tenant.ts';
import { apply } from '../store/apply.ts';
import { type ConfigInForce, readConfigInForce } from '../store/config-in-force.ts';
import { findHeldSuspension, writeGuestKeys } from '../store/held-keys.ts';
import { findGuest, findLocalGroup } from '../store/people.ts';
import { lockSubject, readSubject } from '../store/subject.ts';
import { isStrictAncestor } from '../store/tenants.ts';
import { keysOf, lockStanding, type TenantRef } from './standing.ts';

/** What the person is given in the target: role names, local group names, or every role that exists now. */
export type MappingGift = { readonly roles: readonly string[] | 'all'; readonly groups: readonly string[] };

/**
 * Maps a person of an ancestor into the target tenant. In the target the person is a guest with grants, groups and suspension of
 * their own. Refuses `not_downwards`, `unknown_role`, `unknown_group`, `deactivated`, `unknown_user`.
 */
export function mapGuest(
  ctx: Context,
  target: TenantRef,
  person: Person,
  gift: MappingGift,
  by: Administrator,
): Promise<MapOutcome> {
  return ctx.transaction(target.tenantId, async (tx) => {
    const config = await readConfigInForce(tx);
    if (config === undefined) return refused('unknown_tenant', 'There is no such tenant.');
    const facts = await loadFacts(ctx, tx, target, config, person);
    if (facts === undefined) return refused('unknown_user', 'There is no such person.');
    const roles: Role[] = [];
    for (const name of gift.roles === 'all' ? [] : gift.roles) {
      const role = findRole(name, config.roles);
      if (role === null) return refused('unknown_role', `There is no role ${JSON.stringify(name)} in ${target.slug}.`);
      roles.push(role);
    }
    const groups = [];
    for (const name of gift.groups) {
      const group = await findLocalGroup(tx, name);
      if (group === undefined)
        return refused('unknown_group', `There is no local group ${JSON.stringify(name)} in ${target.slug}.`);
      groups.push(group);
    }
    const decision = decideMapGuest(facts, gift.roles === 'all' ? config.roles : roles, groups, by, ctx.newId);
    await apply(ctx, tx, decision);
    if (decision.changes.some(({ kind }) => kind === 'suspend'))
      await writeGuestKeys({ ...tx, tenantId: person.tenantId }, person.userId, facts.keys);
    return decision.outcome;
  });
}

/** Removes the mapping. The target leaves `allowed_tenants` at the next refresh; what was issued for the target dies now. */
export function unmapGuest(ctx: Context, target: TenantRef, person: Person, by: Administrator): Promise<UnmapOutcome> {
  return ctx.transaction(target.tenantId, async (tx) => {
    const config = await readConfigInForce(tx);
    if (config === undefined) return refused('unknown_tenant', 'There is no such tenant.');
    const facts = await loadFacts(ctx, tx, target, config, person);
    if (facts === undefined) return refused('unknown_user', 'There is no such person.');
    const decision = decideUnmapGuest(facts, by);
    await apply(ctx, tx, decision);
    return decision.outcome;
  });
}

async function loadFacts(
  ctx: Context,
  tx: TenantTx,
  target: TenantRef,
  config: ConfigInForce,
  person: Person,
): Promise<MappingFacts | undefined> {
  const home: TenantTx = { ...tx, tenantId: person.tenantId };
  // The person's own row first, then the guest's: every act takes them in this order.
  if ((await lockSubject(home, person.userId)) === undefined) return undefined;
  const read = await readSubject(home, person.userId, null);
  if (read === undefined) return undefined;
  const guest = await findGuest(tx, person);
  const found = guest && (await lockStanding(tx, target.slug, { subjectId: guest.guestId, kind: 'guest', person }));
  const there = found?.read.target;
  const guestFacts = there?.kind === 'guest' ? there.facts : null;
  const keys = guest?.mapped === true ? [] : await keysOf(ctx, tx, person);
  return {
    source: person,
    keys,
    sourceBarred: bar(read.homeFacts) !== null,
    downwards: await isStrictAncestor(tx, person.tenantId),
    heldSuspension: await findHeldSuspension(tx, keys, guest?.guestId ?? null),
    revocation: config.settings.mappingRevocation,
    memberOf:
      guestFacts === null ? [] : guestFacts.groups.flatMap((group) => (group.kind === 'local' ? [group.groupId] : [])),
    guest: guest === undefined || found === undefined ? null : { ...found.standing, ...guest },
  };
}
