import type { Context, TenantTx } from '../context.ts';
import { bar, effectiveAccess, effectiveRights, hasActive } from '../core/access.ts';
import { denied } from '../core/change.ts';
import { BridgeError } from '../core/errors.ts';
import {
  type Candidate,
  decideSignIn,
  emailKeyText,
  type SignInFacts,
  type SignInRefusal,
  type SignInStep,
  type UpstreamAssertion,
} from '../core/identity.ts';
import type { ConnectionId, Instant, KeyHash, Person, TenantId, UserId } from '../core/ids.ts';
import { type Email, foldPlusTag, parseEmail } from '../core/profile.ts';
import { apply } from '../store/apply.ts';
import { type ConfigInForce, currentConfig } from '../store/config-in-force.ts';
import { UniqueViolation } from '../store/database.ts';
import { findHeldSuspension, findSuspensionBehind, readUnseenKeys } from '../store/held-keys.ts';
import { type CandidateIds, consumeAssertion, findSignInCandidates, readUserNames } from '../store/sign-in-facts.ts';
import { lockSubject, readSubject, type SubjectRead } from '../store/subject.ts';
import { type Admitted, admitKnown, admitNew, linkKeys, nameKeys } from './admit.ts';
import { carryKeysBelow } from './carry-keys-below.ts';
import { inheritBySignIn } from './inherit-by-sign-in.ts';
import { noticesOfRequest } from './request-access.ts';
import { nameKeyTexts } from './standing.ts';

export type SignInOutcome =
  /** `epoch`: the person's when this was proven. What ends their sessions afterwards ends this sign-in too. */
  | { readonly kind: 'signed_in'; readonly person: Person; readonly created: boolean; readonly epoch: number }
  | { readonly kind: 'refused'; readonly reason: SignInRefusal | 'replayed' };

export type SignInProof = {
  readonly assertion: UpstreamAssertion;
  /** Consumed here, once over all servers; null where the protocol's own code was single-use. */
  readonly replayKey: string | null;
  readonly expiresAt: Instant;
};

/**
 * Records a proven sign-in: finds or creates the person, links the identity, notes the groups that the assertion named. It writes
 * facts only; what the person may do is derived afterwards, and a suspended or pending person is "signed in" here like any other.
 * Whether they get a session is not decided here.
 */
export async function signIn(ctx: Context, tenantId: TenantId, proof: SignInProof): Promise<SignInOutcome> {
  const once = () => ctx.transaction(tenantId, (tx) => signInOnce(ctx, tx, proof));
  try {
    return await once().catch((error: unknown) => {
      // Two first sign-ins at once: the other one created or linked the person, so this one finds them.
      if (!(error instanceof UniqueViolation)) throw error;
      return once();
    });
  } catch (error) {
    if (!(error instanceof BridgeError) || error.code !== 'last_owner') throw error;
    return await ctx.transaction(tenantId, (tx) => refuseForOwnerBelow(ctx, tx, proof));
  }
}

/** It would suspend the last owner of a tenant below: nothing of it stays but that it was tried. An administrator has to look. */
async function refuseForOwnerBelow(ctx: Context, tx: TenantTx, proof: SignInProof): Promise<SignInOutcome> {
  const { assertion } = proof;
  const { connectionId } = assertion;
  const connection = (await currentConfig(tx))?.connections.find((one) => one.connectionId === connectionId);
  if (connection === undefined) return { kind: 'refused', reason: 'connection_disabled' };
  if (await isReplayed(ctx, tx, connectionId, proof)) return { kind: 'refused', reason: 'replayed' };
  return refuse(ctx, tx, { assertion, connectionKey: connection.key }, null, 'add_sso');
}

/** A sign-in whose connection is known, and the keys that it shows. */
type Attempt = {
  readonly assertion: UpstreamAssertion;
  readonly config: ConfigInForce;
  readonly connectionKey: string;
  readonly links: readonly KeyHash[];
  readonly names: readonly KeyHash[];
};

async function signInOnce(ctx: Context, tx: TenantTx, proof: SignInProof): Promise<SignInOutcome> {
  const { assertion } = proof;
  const config = await currentConfig(tx);
  const connection = config?.connections.find((one) => one.connectionId === assertion.connectionId);
  if (config === undefined || connection === undefined) return { kind: 'refused', reason: 'connection_disabled' };
  const { connectionId, key: connectionKey } = connection;
  if (await isReplayed(ctx, tx, connectionId, proof)) return { kind: 'refused', reason: 'replayed' };
  const { facts, reads } = await loadFacts(tx, config, connectionId, assertion);
  const links = linkKeys(ctx, connectionKey, assertion);
  const names = nameKeys(ctx, config.slug, connectionKey, assertion);
  const attempt = { assertion, config, connectionKey, links, names };
  const step = decideSignIn(assertion, facts);
  switch (step.kind) {
    case 'refused':
      return refuse(ctx, tx, attempt, step.userId, step.reason);
    case 'known':
      return enterKnown(ctx, tx, attempt, step, reads);
    case 'create':
      return enterNew(ctx, tx, attempt, step.approval);
  }
}

async function isReplayed(
  ctx: Context,
  tx: TenantTx,
  connectionId: ConnectionId,
  { replayKey, expiresAt }: SignInProof,
): Promise<boolean> {
  if (replayKey === null || (await consumeAssertion(ctx, tx, connectionId, replayKey, expiresAt))) return false;
  await apply(ctx, tx, { changes: [], events: [denied('sign_in.refused', 'connection', connectionId, 'replayed')] });
  return true;
}

async function refuse(
  ctx: Context,
  tx: TenantTx,
  { assertion, connectionKey }: Pick<Attempt, 'assertion' | 'connectionKey'>,
  userId: UserId | null,
  reason: SignInRefusal,
): Promise<SignInOutcome> {
  const detail = { method: assertion.method, connection: connectionKey };
  await apply(ctx, tx, { changes: [], events: [denied('sign_in.refused', 'user', userId, reason, detail)] });
  return { kind: 'refused', reason };
}

async function enterKnown(
  ctx: Context,
  tx: TenantTx,
  attempt: Attempt,
  { userId, link }: Extract<SignInStep, { kind: 'known' }>,
  reads: Reads,
): Promise<SignInOutcome> {
  const { assertion, connectionKey, links, names } = attempt;
  const known = reads.get(userId);
  if (known === undefined) throw new Error('a candidate was decided on that was not read');
  const strange = link === null ? [] : await strangeKeys(ctx, tx, attempt, known);
  const shown = [...links, ...strange];
  // An address makes no account another one's way back in: whom somebody suspended signs in as is for an administrator (T121).
  const apart = link === 'email' && (await findSuspensionBehind(tx, [...links, ...names, ...strange], userId)) !== null;
  if (apart) return refuse(ctx, tx, attempt, userId, 'add_sso');
  const read = link === 'directory' ? await inheritBySignIn(ctx, tx, shown, known) : known;
  if (read === 'last_owner') return refuse(ctx, tx, attempt, userId, 'add_sso');
  // Whoever lets in an account that is kept out is told of one suspension: of all others they are asked when this one comes again.
  const unasked = link === 'directory' && (await isSuspendedBehind(tx, shown, read));
  const linked = unasked ? null : link;
  const decision = admitKnown(ctx, assertion, connectionKey, read, linked);
  await apply(ctx, tx, decision);
  const had = addressKeys(ctx, read.profile.email as Email | null);
  if (linked !== null) await carryKeysBelow(ctx, tx, [{ userId, hashes: shown, had }]);
  return signedIn(tx, decision.outcome);
}

/** Whether somebody else is suspended by whose keys a sign-in comes to an account that is suspended, too. */
async function isSuspendedBehind(
  tx: TenantTx,
  keys: readonly KeyHash[],
  { person, homeFacts }: SubjectRead,
): Promise<boolean> {
  return homeFacts.suspension !== null && (await findSuspensionBehind(tx, keys, person.userId)) !== null;
}

/**
 * Names and addresses that the sign-in says and are not the account's own, which are its address and its userName: a directory may name
 * an account by what somebody else signs in by. Its own were looked at when it came to them, unless it was suspended itself then. What
 * it was called once, or what its directory lists besides, may be by now of somebody who was suspended since.
 */
async function strangeKeys(
  ctx: Context,
  tx: TenantTx,
  attempt: Attempt,
  { person: { userId }, profile }: SubjectRead,
): Promise<readonly KeyHash[]> {
  const { assertion, config, connectionKey, names } = attempt;
  const called = names.length === 0 ? [] : await readUserNames(tx, userId, assertion.connectionId);
  const own = called.flatMap((name) => nameKeyTexts(config.slug, connectionKey, name)).map((text) => ctx.keyHash(text));
  own.push(...addressKeys(ctx, profile.email as Email | null));
  const said = saidKeys(ctx, attempt);
  const unseen = await readUnseenKeys(
    tx,
    said.filter((key) => own.includes(key)),
    userId,
  );
  return said.filter((key) => !own.includes(key) || unseen.includes(key));
}

/** Names and addresses, a NameID that is one among them. */
function saidKeys(ctx: Context, { assertion: { email, directoryUserName }, names }: Attempt): readonly KeyHash[] {
  const address = directoryUserName === null ? null : parseEmail(directoryUserName);
  return [...names, ...addressKeys(ctx, email), ...addressKeys(ctx, address)];
}

async function enterNew(
  ctx: Context,
  tx: TenantTx,
  attempt: Attempt,
  approval: 'approved' | 'pending',
): Promise<SignInOutcome> {
  const { assertion, config, links } = attempt;
  const { displayName, email, subject } = assertion;
  const shown = [...links, ...saidKeys(ctx, attempt)];
  const inherits = await findHeldSuspension(tx, shown, null);
  const decision = admitNew(ctx, tx.tenantId, assertion, config, approval, inherits, shown);
  const asker = { person: displayName, address: email ?? subject };
  const notices = approval === 'pending' ? await noticesOfRequest(tx, config, asker, null) : [];
  await apply(ctx, tx, { ...decision, changes: [...decision.changes, ...notices] });
  await carryKeysBelow(ctx, tx, [{ userId: decision.outcome.person.userId, hashes: shown, had: [] }]);
  return signedIn(tx, decision.outcome);
}

function addressKeys(ctx: Context, email: Email | null): readonly KeyHash[] {
  return email === null ? [] : [ctx.keyHash(emailKeyText(foldPlusTag(email)))];
}

/** Under the lock of the person's row, and after this very sign-in may have ended what was there before. */
async function signedIn(tx: TenantTx, admitted: Admitted): Promise<SignInOutcome> {
  const epoch = await lockSubject(tx, admitted.person.userId);
  if (epoch === undefined) throw new Error('a person who was just found or made is gone');
  return { kind: 'signed_in', ...admitted, epoch };
}

type Reads = ReadonlyMap<UserId, SubjectRead>;

async function loadFacts(
  tx: TenantTx,
  config: ConfigInForce,
  connectionId: ConnectionId,
  assertion: UpstreamAssertion,
): Promise<{ facts: SignInFacts; reads: Reads }> {
  const ids = await findSignInCandidates(tx, assertion);
  const reads = await readCandidates(tx, ids);
  const connection = config.connections.find((one) => one.connectionId === connectionId);
  return {
    reads,
    facts: {
      settings: config.settings,
      connection: { connectionId, enabled: connection?.enabled ?? false, domains: connection?.domains ?? [] },
      allowedDomains: config.allowedDomains,
      byIdentity: candidateOf(reads, connectionId, ids.byIdentity),
      byDirectory: candidateOf(reads, connectionId, ids.byDirectory),
      byEmail: ids.byEmail.flatMap((found) => candidateByEmail(reads, connectionId, config, found)),
      domainOwnedElsewhere: ids.domainOwnedElsewhere,
    },
  };
}

async function readCandidates(tx: TenantTx, ids: CandidateIds): Promise<Reads> {
  const reads = new Map<UserId, SubjectRead>();
  const named = [ids.byIdentity, ids.byDirectory, ...ids.byEmail.map((one) => one.userId)].filter((id) => id !== null);
  // Sorted, so that two sign-ins with the same candidates never wait for each other.
  for (const userId of [...new Set(named)].sort()) {
    // Locked like every act on a person: a suspension that commits meanwhile is seen, one that comes later finds the new keys.
    await lockSubject(tx, userId);
    const read = await readSubject(tx, userId, null);
    if (read !== undefined) reads.set(userId, read);
  }
  return reads;
}

function candidateOf(reads: Reads, connectionId: ConnectionId, userId: UserId | null): Candidate | null {
  const read = userId === null ? undefined : reads.get(userId);
  if (userId === null || read === undefined) return null;
  const here = read.homeFacts.directory.filter((entry) => entry.connectionId === connectionId);
  return { userId, bar: bar(read.homeFacts), directoryInactive: here.length > 0 && !here.some(hasActive) };
}

function candidateByEmail(
  reads: Reads,
  connectionId: ConnectionId,
  { rules, roles, settings: policy }: ConfigInForce,
  { userId, linkedOnConnection, fromElsewhere }: CandidateIds['byEmail'][number],
): SignInFacts['byEmail'] {
  const found = candidateOf(reads, connectionId, userId);
  const read = reads.get(userId);
  if (found === null || read === undefined) return [];
  // An administrator is one also while something keeps them out.
  const unbarred = { suspension: null, approval: 'approved', adminDeactivated: false, directory: [] } as const;
  const access = effectiveAccess({ ...read.homeFacts, ...unbarred, rules, roles, policy });
  const holdsAdminRights = effectiveRights(access, roles).size > 0;
  const mappedAcrossTenants = read.mapped.length > 0;
  return [{ ...found, linkedOnConnection, fromElsewhere, holdsAdminRights, mappedAcrossTenants }];
}
