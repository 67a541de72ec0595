// Whom mail about a tenant goes to: those who run it at this moment.

import type { TenantTx } from '../context.ts';
import { type EffectiveAccess, effectiveRights } from '../core/access.ts';
import { accessUnder, asItIs, type SubjectRecord } from '../core/plan-access.ts';
import { type Email, parseEmail } from '../core/profile.ts';
import { ownersGroup } from '../core/tenant.ts';
import { findAdministratorCandidates, type OptionalNotice } from '../store/administrators.ts';
import { type ConfigInForce, currentConfig } from '../store/config-in-force.ts';
import { readPlanSubjects } from '../store/plan-subjects.ts';
import { readContacts } from '../store/tenants.ts';

/**
 * Addresses of those who run the tenant now: holders of `CreateUser`, and owners. For what nobody may opt out of. Never somebody who
 * is barred. Where there is nobody, the administrators' contact of the tenant, or of the nearest one above it that has an address as
 * its contact. None: nobody is known.
 */
export async function whomToTell(tx: TenantTx): Promise<readonly Email[]> {
  const administrators = await administratorsToTell(tx);
  if (administrators.length > 0) return administrators;
  // A contact may be a web page as well.
  const contacts = (await readContacts(tx)).map(parseEmail).filter((email) => email !== null);
  return contacts.slice(0, 1);
}

async function administratorsToTell(tx: TenantTx): Promise<readonly Email[]> {
  const config = await currentConfig(tx);
  if (config === undefined) return [];
  return addresses(tx, config, null, ({ facts }, access) => {
    const owns = facts.groups.some((group) => group.kind === 'local' && group.name === ownersGroup);
    const barred = access.state !== 'active' && access.state !== 'no_access';
    return !barred && (owns || mayLetIn(access, config));
  });
}

/** Addresses of those who hold `CreateUser` now and did not opt out of the notice (R37, R38). Nobody who is barred holds anything. */
export function administratorsToNotify(
  tx: TenantTx,
  config: ConfigInForce,
  notice: OptionalNotice,
): Promise<readonly Email[]> {
  return addresses(tx, config, notice, (_, access) => mayLetIn(access, config));
}

function mayLetIn(access: EffectiveAccess, { roles }: ConfigInForce): boolean {
  return effectiveRights(access, roles).has('CreateUser');
}

async function addresses(
  tx: TenantTx,
  config: ConfigInForce,
  notice: OptionalNotice | null,
  isMeant: (subject: SubjectRecord, access: EffectiveAccess) => boolean,
): Promise<readonly Email[]> {
  const { settings: policy, roles, rules, connections } = config;
  const view = { active: true, policy, roles, rules, connections };
  const candidates = await findAdministratorCandidates(tx, notice);
  const emails = new Map<string, Email>(candidates.map(({ userId, email }) => [userId, email]));
  const meant: Email[] = [];
  for await (const subjects of readPlanSubjects(tx, [...emails.keys()] as SubjectRecord['subjectId'][])) {
    for (const subject of subjects) {
      const email = emails.get(subject.subjectId);
      if (email !== undefined && isMeant(subject, accessUnder(subject, view, asItIs))) meant.push(email);
    }
  }
  return meant;
}
