// From a job to a letter: `send_mail` comes with a change, `send_waiting_mail` when a quarter of an hour has passed.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Context, Log } from '../context.ts';
import type { Mail } from '../core/change.ts';
import type { Instant, TenantSlug } from '../core/ids.ts';
import { type Email, parseEmail } from '../core/profile.ts';
import {
  claimForMail,
  claimForWaiting,
  type MailAddress,
  type MailClaim,
  mailHandedOver,
} from '../operations/claim-mail.ts';
import { message } from './messages.ts';
import type { Deliver } from './transport.ts';

/** What a task knows of the job that it does. */
export type MailJob = {
  readonly id: string;
  readonly createdAt: number;
  addJob(task: string, payload: unknown, options: { readonly delaySeconds: number }): Promise<void>;
};

export type MailTasksOptions = {
  readonly contextFor: (requestId: string) => Context;
  readonly deliver: Deliver;
  /** Origin of this server: its host is the letters' domain. */
  readonly publicUrl: string;
  readonly log: Log;
};

type MailTask = (payload: unknown, job: MailJob) => Promise<void>;

/**
 * The tasks that send mail. At most one letter per address and template leaves in a quarter of an hour: what comes meanwhile waits
 * and is told together (T97). Invitations go at once, each by an administrator's own hand. A task that fails is tried again by the
 * queue with the same Message-ID.
 */
export function mailTasks(options: MailTasksOptions): {
  readonly send_mail: MailTask;
  readonly send_waiting_mail: MailTask;
} {
  const send = async (mails: readonly Mail[], job: MailJob): Promise<void> => {
    const [first, ...others] = mails;
    if (first === undefined) return;
    const { host, hostname } = new URL(options.publicUrl);
    const { subject, text } = message([first, ...others], host);
    const date = new Date(job.createdAt);
    await options.deliver({ messageId: messageId(job, hostname), to: first.to, subject, text, date });
    options.log.info({ job: job.id, template: first.template, tenant: first.tenant, told: mails.length }, 'mail sent');
  };
  const act = async (claim: MailClaim, to: MailAddress, ctx: Context, job: MailJob): Promise<void> => {
    if (claim.kind === 'wait') {
      await job.addJob('send_waiting_mail', to, { delaySeconds: claim.seconds });
    } else {
      await send(claim.mails, job);
      if (claim.mails.length > 0) await mailHandedOver(ctx, to, job.id);
    }
  };
  return {
    async send_mail(payload, job) {
      const mail = mailSchema.parse(payload);
      if (mail.template === 'invitation') return send([mail], job);
      const ctx = options.contextFor(`job-${job.id}`);
      const { tenant, template, to } = mail;
      await act(await claimForMail(ctx, mail, job.id), { tenant, template, to }, ctx, job);
    },
    async send_waiting_mail(payload, job) {
      const to = addressSchema.parse(payload);
      const ctx = options.contextFor(`job-${job.id}`);
      await act(await claimForWaiting(ctx, to, job.id), to, ctx, job);
    },
  };
}

/** From the job and the moment it was made, which a retry shares and no other job has. */
function messageId(job: MailJob, domain: string): string {
  const text = JSON.stringify(['mail', job.id, job.createdAt, domain]);
  const part = createHash('sha256').update(text).digest('hex').slice(0, 32);
  return `<${part}@${domain}>`;
}

const address = z.custom<Email>((value) => typeof value === 'string' && parseEmail(value) === value, 'an address');
const slug = z.custom<TenantSlug>((value) => typeof value === 'string' && value !== '', 'a tenant');
const instant = z.custom<Instant>((value) => Number.isFinite(value), 'an instant');
const common = { to: address, tenant: slug };

const mailSchema: z.ZodType<Mail> = z.discriminatedUnion('template', [
  z.strictObject({
    template: z.literal('access_requested'),
    ...common,
    person: z.string().nullable(),
    address: z.string(),
    message: z.string().nullable(),
  }),
  z.strictObject({ template: z.literal('invitation'), ...common, link: z.url(), expiresAt: instant }),
  z.strictObject({ template: z.literal('sso_linked'), ...common, connection: z.string() }),
  z.strictObject({
    template: z.literal('directory_paused'),
    ...common,
    connection: z.string(),
    line: z.enum(['people', 'percent']),
    people: z.number(),
    guard: z.strictObject({ people: z.number(), percent: z.number(), minutes: z.number() }),
  }),
  z.strictObject({ template: z.literal('address_kept'), ...common, connection: z.string() }),
]);
const templates = ['access_requested', 'invitation', 'sso_linked', 'directory_paused', 'address_kept'] as const;
const addressSchema = z.strictObject({ ...common, template: z.enum(templates) });
