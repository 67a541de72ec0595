import type { Statement, TenantTx } from '../context.ts';
import type { KeyHash, SubjectId, SuspensionId } from '../core/ids.ts';

const FIND: Statement = {
  name: 'held_keys_suspended',
  text: `
select s.suspension_id from held_keys k
join suspensions s on s.tenant_id = k.tenant_id and s.subject_id = k.subject_id and s.lifted_at is null
where k.tenant_id = $1 and k.key_hash = any (select decode(h, 'hex') from unnest($2::text[]) h) and k.subject_id is distinct from $3
order by s.suspended_at limit 1`,
};

/**
 * The open suspension of whoever was ever known by one of these keys, but for `except`: a newcomer who meets it begins suspended
 * (I3), and nobody else's account is linked to it.
 */
export async function findHeldSuspension(
  tx: TenantTx,
  hashes: readonly KeyHash[],
  except: SubjectId | null,
): Promise<SuspensionId | null> {
  if (hashes.length === 0) return null;
  const [row] = await tx.run<{ suspension_id: SuspensionId }>(FIND, [tx.tenantId, hashes, except]);
  return row?.suspension_id ?? null;
}
