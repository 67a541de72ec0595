// What the doctor of a directory may do there without anybody being hurt: whom it makes, and how much room the guard leaves it.

import { activeUsersThatMatter, crossedLine } from './blast-guard.ts';
import type { BlastGuard } from './directory-settings.ts';
import type { ConnectionId } from './ids.ts';
import { type MappingRule, ruleNames } from './mapping.ts';

/** The domain of the addresses of all whom a doctor makes: nobody has one there (RFC 2606 §2). */
export const doctorDomain = 'doctor.invalid';

/** The user agent of its requests: the server tells by it a doctor, who speaks as several identity providers do, from one of them. */
export const doctorAgent = 'drawbridge-doctor';

/** Whether the guard would let so many people more be touched, beside those whom the directory has touched lately. */
export function guardAllows(guard: BlastGuard, touched: number, more: number, activeUsers: number): boolean {
  return crossedLine(guard, touched + more, activeUsers) === null;
}

/** From how many active users on {@link guardAllows} answers the same. */
export function activeUsersThatCount(guard: BlastGuard, touched: number, more: number): number {
  return activeUsersThatMatter(guard, touched + more);
}

/** Whether a rule speaks of a group of this name: such a group could give a role, or wait for an administrator. */
export function isSpokenOf(rules: readonly MappingRule[], connectionId: ConnectionId, displayName: string): boolean {
  return rules.some((rule) => ruleNames(rule, connectionId, displayName));
}
