import type { Context, TenantTx } from '../context.ts';
import type { Mail } from '../core/change.ts';
import type { TenantSlug } from '../core/ids.ts';
import { claimMail, claimWaiting, closeWindow, type MailStep, type MailWindow } from '../core/mail-window.ts';
import type { Email } from '../core/profile.ts';
import { keepMailWindow, lockMailWindow } from '../store/mail-windows.ts';
import { findTenant } from '../store/tenants.ts';

export type MailAddress = { readonly tenant: TenantSlug; readonly template: Mail['template']; readonly to: Email };

export type MailClaim =
  | { readonly kind: 'send'; readonly mails: readonly Mail[] }
  | { readonly kind: 'wait'; readonly seconds: number };

/** Whether a job that brings a mail may send it now, with what else; or that it waits and has to be looked at again. */
export function claimForMail(ctx: Context, mail: Mail, jobId: string): Promise<MailClaim> {
  return claim(ctx, mail, (window) => claimMail(window, { job: jobId, mail }));
}

/** The same for a job that looks after what waits for an address. */
export function claimForWaiting(ctx: Context, address: MailAddress, jobId: string): Promise<MailClaim> {
  return claim(ctx, address, (window) => claimWaiting(window, jobId));
}

/** Notes that the job's letter was handed over. */
export async function mailHandedOver(ctx: Context, address: MailAddress, jobId: string): Promise<void> {
  await inWindow(ctx, address, async (tx, window) => {
    const closed = closeWindow(window, jobId);
    if (closed !== null) await keepMailWindow(tx, address, closed);
  });
}

const nothing: MailClaim = { kind: 'send', mails: [] };

async function claim(
  ctx: Context,
  address: MailAddress,
  decide: (window: MailWindow | null) => MailStep,
): Promise<MailClaim> {
  const claimed = await inWindow(ctx, address, async (tx, window): Promise<MailClaim> => {
    const step = decide(window);
    if (step.window !== null) await keepMailWindow(tx, address, step.window);
    if (step.kind === 'wait') return { kind: 'wait', seconds: step.seconds };
    return step.kind === 'noted' ? nothing : { kind: 'send', mails: step.told.map((one) => one.mail) };
  });
  return claimed ?? nothing;
}

/** Undefined where the tenant is gone: then nobody is written to in its name. */
async function inWindow<T>(
  ctx: Context,
  address: MailAddress,
  act: (tx: TenantTx, window: MailWindow | null) => Promise<T>,
): Promise<T | undefined> {
  const tenant = await findTenant(ctx.global, address.tenant);
  if (tenant === undefined || !tenant.active) return undefined;
  return ctx.transaction(tenant.tenantId, async (tx) => act(tx, await lockMailWindow(tx, address)));
}
