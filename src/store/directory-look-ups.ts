// Look-ups: what an index leads to, a few rows or none. Nearly all that an identity provider asks is one, and many are asked at once.

import type { Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryUserId, TenantId } from '../core/ids.ts';
import { fewText, MANY_TOGETHER, MOST_ROWS, type PageQuery, togetherText } from './directory-page-text.ts';
import type { DirectoryUserRow } from './directory-person.ts';
import { ownGroups, userOf } from './directory-rows.ts';
import { prepared } from './prepared.ts';

export type LookUp = {
  /** What is alike of two look-ups that one statement can answer. */
  readonly shape: string;
  readonly alone: Statement;
  /** Null: it has to be asked by itself. */
  readonly together: Statement | null;
  readonly params: readonly unknown[];
};

/** Rows as text, each beginning with its id; `many`: they are more than a look-up takes. */
export type LookedUp = readonly string[] | 'many';

/** The look-up that answers a query, or null: then it is a page of many. */
export function lookUpOf(tenantId: TenantId, { parts, groups: wantsGroups }: PageQuery): LookUp | null {
  const [part, ...more] = parts;
  if (part === undefined || more.length > 0 || part.key !== null || part.filter?.selective !== true) return null;
  const { sql, params } = part.filter;
  const groups = wantsGroups && part.resource === 'users';
  const shape = `${part.resource} ${groups} ${sql}`;
  return {
    shape,
    alone: prepared(tenantId, `few ${shape}`, () => fewText(part, groups)),
    together:
      params.length === 1 && typeof params[0] === 'string'
        ? prepared(tenantId, `few together ${shape}`, () => togetherText(part, groups))
        : null,
    params,
  };
}

const byId = (name: string, groups: boolean): Omit<LookUp, 'params'> => {
  const filter = { sql: 'd.directory_user_id = $4::uuid', params: [], selective: true };
  const part = { resource: 'users', key: null, filter } as const;
  const together = { name: `${name}_together`, text: togetherText(part, groups) };
  return { shape: name, alone: { name, text: fewText(part, groups) }, together };
};
const USER_WITH_GROUPS = byId('directory_user_read', true);
const USER_ALONE = byId('directory_user_read_alone', false);

/** The look-up of one user by its id. */
export function userLookUp(id: DirectoryUserId, groups: boolean): LookUp {
  return { ...(groups ? USER_WITH_GROUPS : USER_ALONE), params: [id] };
}

/** The user that {@link userLookUp} found; null: there is none. */
export function lookedUpUser(texts: LookedUp, groups: boolean): DirectoryUserRow | null {
  const [text] = texts === 'many' ? [] : texts;
  return text === undefined ? null : userOf(text, groups ? ownGroups : null);
}

/**
 * Answers look-ups of one shape, each with its rows. Undefined: the credential may not be used. One statement; those of which more
 * than a few rows come are asked again, by themselves.
 */
export async function readLookUps(
  tx: TenantTx,
  directory: Directory,
  lookUps: readonly LookUp[],
): Promise<readonly LookedUp[] | undefined> {
  const [first, ...more] = lookUps;
  if (first === undefined) return [];
  if (more.length === 0 || first.together === null) return readAlone(tx, directory, lookUps);
  const { credentialId, connectionId } = directory;
  const given = [tx.tenantId, credentialId, connectionId, lookUps.map(({ params: [value] }) => value)];
  const rows = await tx.run<{ no: number; text: string | null }>(first.together, given);
  if (rows.length === 0) return undefined;
  const found = lookUps.map((): string[] => []);
  for (const { no, text } of rows) if (text !== null) found[no - 1]?.push(text);
  const cut = lookUps.filter((_, index) => (found[index]?.length ?? 0) > MANY_TOGETHER);
  const again = cut.length === 0 ? [] : await readAlone(tx, directory, cut);
  if (again === undefined) return undefined;
  return lookUps.map((lookUp, index) => again[cut.indexOf(lookUp)] ?? found[index] ?? []);
}

async function readAlone(
  tx: TenantTx,
  { credentialId, connectionId }: Directory,
  lookUps: readonly LookUp[],
): Promise<readonly LookedUp[] | undefined> {
  const all: LookedUp[] = [];
  for (const { alone, params } of lookUps) {
    const rows = await tx.run<{ text: string | null }>(alone, [tx.tenantId, credentialId, connectionId, ...params]);
    if (rows.length === 0) return undefined;
    all.push(rows.length > MOST_ROWS ? 'many' : rows.flatMap(({ text }) => text ?? []));
  }
  return all;
}
