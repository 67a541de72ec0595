// What was mailed lately, and what waits: one row per template and address.

import type { Statement, TenantTx } from '../context.ts';
import type { Mail } from '../core/change.ts';
import type { MailWindow } from '../core/mail-window.ts';

export type MailAddress = { readonly template: Mail['template']; readonly to: string };

const LOCK: Statement = {
  name: 'mail_window_lock',
  text: `
select job_id as "jobId", sending, waiting,
  floor(extract(epoch from clock_timestamp() - opened_at))::integer as "ageSeconds"
from mail_windows where tenant_id = $1 and template = $2 and email = $3 for update`,
};
const OPEN: Statement = {
  name: 'mail_window_open',
  text: `
insert into mail_windows (tenant_id, template, email, job_id, sending) values ($1, $2, $3, '', '[]')
on conflict do nothing`,
};
const KEEP: Statement = {
  name: 'mail_window_keep',
  text: `
update mail_windows set job_id = $4, sending = $5, waiting = $6, opened_at = clock_timestamp() - make_interval(secs => $7)
where tenant_id = $1 and template = $2 and email = $3`,
};

/** The row, made if need be and held for the rest of the transaction; null where nothing was ever mailed. */
export async function lockMailWindow(tx: TenantTx, address: MailAddress): Promise<MailWindow | null> {
  const key = [tx.tenantId, address.template, address.to];
  // Made first: of two first mails at once, the second waits for the row and finds it taken.
  await tx.run(OPEN, key);
  const [row] = await tx.run<MailWindow>(LOCK, key);
  return row === undefined || row.jobId === '' ? null : row;
}

export async function keepMailWindow(tx: TenantTx, address: MailAddress, window: MailWindow): Promise<void> {
  const { jobId, sending, waiting, ageSeconds } = window;
  const values = [jobId, JSON.stringify(sending), JSON.stringify(waiting), ageSeconds];
  await tx.run(KEEP, [tx.tenantId, address.template, address.to, ...values]);
}
