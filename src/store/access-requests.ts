import type { TenantTx } from '../context.ts';
import type { RequestId, SubjectId } from '../core/ids.ts';
import { instant } from './instant.ts';

export type OpenRequest = {
  readonly requestId: RequestId;
  readonly requestedAt: number;
  readonly message: string | null;
};

/** The open access request of a subject, or undefined. Times are epoch milliseconds. */
export async function findOpenRequest(tx: TenantTx, subjectId: SubjectId): Promise<OpenRequest | undefined> {
  const [row] = await tx.run<OpenRequest>(
    {
      name: 'access_request_of_subject',
      text: `
select request_id as "requestId", ${instant('updated_at')} as "requestedAt", message
from access_requests where tenant_id = $1 and subject_id = $2 and decision is null order by created_at desc limit 1`,
    },
    [tx.tenantId, subjectId],
  );
  return row;
}
