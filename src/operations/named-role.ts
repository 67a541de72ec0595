// What an administrator's act on somebody's role begins with.

import type { TenantTx } from '../context.ts';
import type { SubjectStanding } from '../core/administration.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { findRole, isNoAccess, type Role, type TenantSettings } from '../core/tenant.ts';
import { readConfigInForce } from '../store/config-in-force.ts';
import { gone, lockStanding, type SubjectRef, type TenantRef } from './standing.ts';

export type NamedRole = {
  readonly kind: 'found';
  readonly standing: SubjectStanding;
  readonly role: Role;
  readonly settings: TenantSettings;
};

/**
 * The subject's standing under its lock, and the role of the tenant that a text names: `Workspace: Role`, or the role's name where
 * only one workspace has it. Refuses `unknown_user`, and `unknown_role`, `NO_ACCESS` included: that is a state.
 */
export async function lockNamedRole(
  tx: TenantTx,
  tenant: TenantRef,
  subject: SubjectRef,
  text: string,
): Promise<NamedRole | Refusal> {
  const found = await lockStanding(tx, tenant.slug, subject);
  if (found === undefined) return gone(subject.subjectId);
  const config = await readConfigInForce(tx);
  const role = findRole(text, config?.roles ?? []);
  if (config !== undefined && role !== null)
    return { kind: 'found', standing: found.standing, role, settings: config.settings };
  return refused(
    'unknown_role',
    isNoAccess(text)
      ? 'NO_ACCESS is a state and no role: a suspension sets it.'
      : `There is no role ${JSON.stringify(text)} in ${tenant.slug}.`,
  );
}
