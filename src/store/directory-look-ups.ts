// Look-ups: what an index leads to, a few rows or none. Nearly all that an identity provider asks is one, and many are asked at once.

import type { Statement, TenantTx } from '../context.ts';
import type { Directory } from '../core/directory.ts';
import type { DirectoryUserId, TenantId } from '../core/ids.ts';
import { fewText, MANY_TOGETHER, MOST_ROWS, type PageQuery, togetherText } from './directory-page-text.ts';
import type { DirectoryUserRow } from './directory-person.ts';
import { ownGroups, userOf } from './directory-rows.ts';
import { prepared } from './prepared.ts';

export type LookUp = {
  readonly alone: Statement;
  /** Answers all that have the same one. Null: it has to be asked by itself. */
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
  return { alone: { name, text: fewText(part, groups) }, together };
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

/** The rows of a look-up. Undefined: the credential may not be used. One statement. */
export async function readLookUp(
  tx: TenantTx,
  { credentialId, connectionId }: Directory,
  { alone, params }: LookUp,
): Promise<LookedUp | undefined> {
  const rows = await tx.run<{ text: string | null }>(alone, [tx.tenantId, credentialId, connectionId, ...params]);
  if (rows.length === 0) return undefined;
  return rows.length > MOST_ROWS ? 'many' : rows.flatMap(({ text }) => text ?? []);
}

/**
 * Answers look-ups that have one statement together, each with its rows; `cut`: more than a few came, so that it has to be asked by
 * itself. Undefined: the credential may not be used. One statement.
 */
export async function readLookUps(
  tx: TenantTx,
  directory: Directory,
  together: Statement,
  lookUps: readonly LookUp[],
): Promise<readonly (LookedUp | 'cut')[] | undefined> {
  const [only, ...more] = lookUps;
  if (only !== undefined && more.length === 0) {
    const found = await readLookUp(tx, directory, only);
    return found && [found];
  }
  const { credentialId, connectionId } = directory;
  const given = [tx.tenantId, credentialId, connectionId, lookUps.map(({ params: [value] }) => value)];
  const rows = await tx.run<{ no: number; text: string | null }>(together, given);
  if (rows.length === 0) return undefined;
  const found = lookUps.map((): string[] => []);
  for (const { no, text } of rows) if (text !== null) found[no - 1]?.push(text);
  return found.map((texts) => (texts.length > MANY_TOGETHER ? 'cut' : texts));
}
