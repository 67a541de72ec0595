import type { TenantTx } from '../context.ts';
import { effectiveAccess, effectiveRights } from '../core/access.ts';
import type { Email } from '../core/profile.ts';
import { ownersGroup } from '../core/tenant.ts';
import { findAdministratorCandidates } from '../store/administrators.ts';
import { configInForce } from '../store/config-in-force.ts';
import { readConfigVersion } from '../store/sign-in-facts.ts';
import { readSubject } from '../store/subject.ts';

/**
 * Addresses of those who run the tenant now: holders of `CreateUser`, and owners. For what nobody may opt out of. Never somebody who
 * is barred.
 */
export async function administratorsToTell(tx: TenantTx): Promise<readonly Email[]> {
  const version = await readConfigVersion(tx);
  if (version === undefined) return [];
  const config = await configInForce(tx, version);
  const { rules, roles, settings: policy } = config;
  const told: Email[] = [];
  for (const { userId, email } of await findAdministratorCandidates(tx)) {
    const read = await readSubject(tx, userId, null);
    if (read === undefined) continue;
    const facts = read.homeFacts;
    const access = effectiveAccess({ ...facts, rules, roles, policy });
    const owns = facts.groups.some((group) => group.kind === 'local' && group.name === ownersGroup);
    const barred = access.state !== 'active' && access.state !== 'no_access';
    if (!barred && (owns || effectiveRights(access, roles).has('CreateUser'))) told.push(email);
  }
  return told;
}
