import type { Query } from '../context.ts';

/**
 * Keeps the master key's check text at the first start, and says afterwards whether the one given is the same. Nothing else may be
 * written before it is.
 */
export async function sameInstallation(query: Query, keyCheck: string): Promise<boolean> {
  await query.run({ name: null, text: `insert into installation (key_check) values ($1) on conflict do nothing` }, [
    keyCheck,
  ]);
  const rows = await query.run({ name: null, text: `select 1 from installation where key_check = $1` }, [keyCheck]);
  return rows.length === 1;
}
