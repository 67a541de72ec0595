import type { Context, TenantTx } from '../context.ts';
import type { Change } from '../core/change.ts';
import { type Refusal, refused } from '../core/errors.ts';
import type { Person, RequestId, SubjectId, TenantSlug } from '../core/ids.ts';
import { decideRequestAccess, type RequestOutcome } from '../core/request.ts';
import { findOpenRequest, type OpenRequest } from '../store/access-requests.ts';
import { apply } from '../store/apply.ts';
import { type ConfigInForce, configInForce } from '../store/config-in-force.ts';
import { readSubject } from '../store/subject.ts';
import { readAccessWithin } from './read-access.ts';
import { administratorsToNotify } from './tell-administrators.ts';

/**
 * Records that a person asks for access in their home tenant, or in one that they are mapped into (`target`; null: home), and mails
 * the administrators who hold CreateUser there. Refuses deactivated people and those who have access (`deactivated`, `invalid`).
 */
export function requestAccess(
  ctx: Context,
  person: Person,
  target: TenantSlug | null,
  message: string | null,
): Promise<RequestOutcome> {
  return inTenantOf(ctx, person, target, async (tx, subject, read) => {
    const config = await configInForce(tx, subject.configVersion);
    const open = await findOpenRequest(tx, subject.subjectId);
    const { displayName, email, userName } = read.profile;
    const asker = { person: displayName, address: email ?? userName };
    const facts = {
      subjectId: subject.subjectId,
      kind: subject.kind,
      state: read.access.state,
      email: asker.address,
      hasOpenRequest: open !== undefined,
    };
    const decision = decideRequestAccess(facts, message, ctx.newId<RequestId>());
    const notices =
      decision.outcome.kind === 'requested' && !decision.outcome.again
        ? await noticesOfRequest(tx, config, asker, message)
        : [];
    await apply(ctx, tx, { ...decision, changes: [...decision.changes, ...notices] });
    return decision.outcome;
  });
}

/** The person's open request where they would ask, or null. */
export async function openRequest(
  ctx: Context,
  person: Person,
  target: TenantSlug | null,
): Promise<OpenRequest | null> {
  const found = await inTenantOf(
    ctx,
    person,
    target,
    async (tx, subject) => (await findOpenRequest(tx, subject.subjectId)) ?? null,
  );
  return found === null || 'code' in found ? null : found;
}

type Asking = { readonly subjectId: SubjectId; readonly kind: 'user' | 'guest'; readonly configVersion: number };

async function inTenantOf<T>(
  ctx: Context,
  person: Person,
  target: TenantSlug | null,
  act: (tx: TenantTx, subject: Asking, access: NonNullable<Awaited<ReturnType<typeof readAccessWithin>>>) => Promise<T>,
): Promise<T | Refusal> {
  const read = await readSubject(ctx.hot(person.tenantId), person.userId, target);
  if (read === undefined) return refused('unknown_user', 'There is no such person.');
  const guest = read.target?.kind === 'guest' && read.target.mapped ? read.target : null;
  const tenant = guest?.tenant ?? read.home;
  const subject: Asking =
    guest === null
      ? { subjectId: person.userId, kind: 'user', configVersion: tenant.configVersion }
      : { subjectId: guest.guestId, kind: 'guest', configVersion: tenant.configVersion };
  return ctx.transaction(tenant.tenantId, async (tx) => {
    const access = await readAccessWithin(
      { ...tx, tenantId: person.tenantId },
      person,
      guest === null ? null : tenant.slug,
    );
    return access === null ? refused('unknown_user', 'There is no such person.') : act(tx, subject, access);
  });
}

/** One mail to each administrator who holds CreateUser now and did not opt out (R37, R38). */
export async function noticesOfRequest(
  tx: TenantTx,
  config: ConfigInForce,
  asker: { readonly person: string | null; readonly address: string },
  message: string | null,
): Promise<readonly Change[]> {
  const administrators = await administratorsToNotify(tx, config, 'new_access_request');
  return administrators.map((to) => ({
    kind: 'send_mail',
    mail: { template: 'access_requested', to, tenant: config.slug, ...asker, message },
  }));
}
