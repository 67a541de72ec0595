// A subject's standing and keys, loaded the way every administrator's act needs them: under the lock of the subject's row.

import type { Context, TenantTx } from '../context.ts';
import type { SubjectStanding } from '../core/administration.ts';
import type { Change } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import { emailKeyText, externalIdKeyText, identityKeyText, userNameKeyText } from '../core/identity.ts';
import type { KeyHash, Person, SubjectId, TenantId, TenantSlug, UserId } from '../core/ids.ts';
import { foldAddress, parseEmail } from '../core/profile.ts';
import { apply } from '../store/apply.ts';
import { readHeldKeys } from '../store/held-keys.ts';
import { type FoundSubject, findSubjects, isLastOwner, type KnownBy, readKnownBy } from '../store/people.ts';
import { lockSubject, readSubject, type SubjectRead } from '../store/subject.ts';

/** The one subject that a text names in a tenant; a refusal where it names nobody, or several. */
export async function nameSubject(ctx: Context, tenantId: TenantId, text: string): Promise<FoundSubject | Refusal> {
  const [first, ...others] = await findSubjects(ctx.hot(tenantId), text);
  if (first === undefined) return refused('unknown_user', `There is no user ${JSON.stringify(text)} in this tenant.`);
  if (others.length > 0) return refused('invalid', `${JSON.stringify(text)} names several people. Use the id.`);
  return first;
}

/** Locks the subject, then reads it. `slug` is the tenant that `tx` holds. Undefined where the subject is gone. */
export async function lockStanding(
  tx: TenantTx,
  slug: TenantSlug,
  subject: Pick<FoundSubject, 'subjectId' | 'kind' | 'person'>,
): Promise<{ standing: SubjectStanding & { adminActive: boolean }; read: SubjectRead } | undefined> {
  if ((await lockSubject(tx, subject.subjectId)) === undefined) return undefined;
  const home: TenantTx = { ...tx, tenantId: subject.person.tenantId };
  const read = await readSubject(home, subject.person.userId, subject.kind === 'guest' ? slug : null);
  if (read === undefined) return undefined;
  const facts = read.target?.kind === 'guest' ? read.target.facts : read.homeFacts;
  const standing = {
    subjectId: subject.subjectId,
    kind: subject.kind,
    suspension: facts.suspension,
    grants: facts.grants,
    lastOwner: await isLastOwner(tx, subject.subjectId),
    adminActive: !read.homeFacts.adminDeactivated,
  };
  return { standing, read };
}

/**
 * Keyed hashes of everything that a person was ever known by at home: those that they gave up are held there already, and read where
 * the person acts as a guest, whose keys are held in the tenant of `tx`.
 */
export async function keysOf(ctx: Context, tx: TenantTx, person: Person): Promise<readonly KeyHash[]> {
  const home: TenantTx = { ...tx, tenantId: person.tenantId };
  const known = await readKnownBy(home, person.userId);
  if (known === undefined) return [];
  const givenUp = person.tenantId === tx.tenantId ? [] : await readHeldKeys(home, person.userId);
  return [...new Set([...hashKeys(ctx, known), ...givenUp])];
}

/**
 * Whom a directory suspends by the keys of somebody suspended is known by others, too: of the connections beside, and of times before.
 * All of them hold from then on, as where an administrator suspends. Under the lock of the person's row.
 */
export async function holdKeysOfInheritors(ctx: Context, tx: TenantTx, changes: readonly Change[]): Promise<void> {
  for (const change of changes) {
    if (change.kind !== 'suspend' || change.inheritedFrom === null) continue;
    const { subjectId } = change;
    const hashes = await keysOf(ctx, tx, { tenantId: tx.tenantId, userId: subjectId as string as UserId });
    await apply(ctx, tx, { changes: [{ kind: 'hold_keys', subjectId, hashes }], events: [] });
  }
}

function hashKeys(ctx: Pick<Context, 'keyHash'>, known: KnownBy): readonly KeyHash[] {
  const texts = [
    ...known.emails.flatMap((text) => foldAddress(text) ?? []).map(emailKeyText),
    ...known.identities.flatMap((one) => [
      identityKeyText(one.connectionKey, one.issuer, one.subject),
      // A directory may yet push them, under the name that they sign in by.
      externalIdKeyText(one.connectionKey, one.subject),
    ]),
    ...known.externalIds.map((one) => externalIdKeyText(one.connectionKey, one.externalId)),
    ...known.userNames.flatMap((one) => nameKeyTexts(known.tenant, one.connectionKey, one.userName)),
  ];
  return [...new Set(texts)].map((text) => ctx.keyHash(text));
}

/** Of a name that is no address: an address is a key of its own. */
export function nameKeyTexts(tenant: TenantSlug, connectionKey: string, name: string): readonly string[] {
  return parseEmail(name) === null ? [userNameKeyText(tenant, connectionKey, name)] : [];
}

export type TenantRef = { readonly tenantId: TenantId; readonly slug: TenantSlug };
export type SubjectRef = Pick<FoundSubject, 'subjectId' | 'kind' | 'person'>;

/** For refusals about a subject that vanished between naming and locking. */
export function gone(subjectId: SubjectId): Refusal {
  return refused('unknown_user', `There is no user ${subjectId} in this tenant.`);
}
