// Whom a directory takes roles from by the mere fact that it comes to know them: once it speaks for a person, its memberships count, and
// the groups that sign-ins through its connection name count no more.

import type { TenantTx } from '../context.ts';
import { directoriesBar } from '../core/access.ts';
import type { Directory, PersonFacts } from '../core/directory.ts';
import type { CreateFacts } from '../core/directory-create.ts';
import type { UserId } from '../core/ids.ts';
import { ruleMatches } from '../core/mapping.ts';
import { readAsserted } from '../store/asserted-groups.ts';
import { currentConfig } from '../store/config-in-force.ts';

/**
 * Those whom the pushed users meet, and whose groups of sign-ins through this connection a rule speaks of. Nobody whom directories
 * bar: they have nothing to lose. Nobody of a directory without a guard, which has nothing to count, or of a held one, which silences
 * nothing yet. No statement but for people of a guarded directory.
 */
export async function silencedBy(
  tx: TenantTx,
  { connectionId, settings }: Directory,
  facts: readonly CreateFacts[],
): Promise<ReadonlySet<UserId>> {
  const met = facts.flatMap(peopleOf).filter((person) => !directoriesBar(person.directoryUsers));
  if (settings.guard === null || facts[0]?.directory.held !== false || met.length === 0) return nobody;
  const ids = [...new Set(met.map((person) => person.userId))];
  const asserted = await readAsserted(tx, connectionId, ids);
  const config = asserted.length === 0 ? undefined : await currentConfig(tx);
  if (config === undefined) return nobody;
  const speaksOf = (value: string) =>
    config.rules.some((rule) => ruleMatches(rule, { kind: 'asserted', connectionId, value }));
  return new Set(asserted.filter(({ value }) => speaksOf(value)).map(({ userId }) => userId));
}

const nobody: ReadonlySet<UserId> = new Set();

/** Whom a pushed user may turn out to be. */
export function peopleOf({ byExternalId, byEmail }: CreateFacts): readonly PersonFacts[] {
  return [byExternalId, byEmail].filter((person) => person !== null);
}
