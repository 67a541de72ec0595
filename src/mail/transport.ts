// The way out: an SMTP server, or a folder where none is configured.

import { chmod, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Log } from '../context.ts';
import { parseEmail } from '../core/profile.ts';

export type Letter = {
  /** The same at every try, so that a letter that arrived twice is recognised as one. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly date: Date;
};

/** Hands the letter over, or throws. It is not known to have arrived. */
export type Deliver = (letter: Letter) => Promise<void>;

export type MailOptions = {
  /** `smtp://` or `smtps://`, with user and password where needed; null: letters become files. */
  readonly smtpUrl: string | null;
  /** An address, or `Name <address>`. */
  readonly from: string;
  /** Where letters become files. */
  readonly folder: string;
  /** Makes it with the mode if it is missing, or throws soon. */
  readonly makeFolder: (folder: string, mode: number) => void;
  readonly log: Log;
};

const TIMEOUT_MS = 30_000;

export function mailDelivery(options: MailOptions): Deliver {
  return options.smtpUrl === null ? toFolder(options) : toServer(options.smtpUrl, options.from);
}

function toServer(url: string, from: string): Deliver {
  const transport = createTransport({
    url,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    ...noFiles,
  });
  return async (letter) => {
    await transport.sendMail(envelope(letter, from));
  };
}

function toFolder({ from, folder, makeFolder, log }: MailOptions): Deliver {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows', ...noFiles });
  return async (letter) => {
    const { message } = await transport.sendMail(envelope(letter, from));
    // A letter may hold a one-time link, so nobody else may read it.
    makeFolder(folder, 0o700);
    const name = `${letter.date.toISOString().replace(/[-:]/g, '').slice(0, 15)}-${letter.messageId.replace(/[^A-Za-z0-9]+/g, '-').slice(1, 40)}.eml`;
    const file = join(folder, name);
    await writeFile(`${file}.part`, message as Buffer, { mode: 0o600 });
    await chmod(`${file}.part`, 0o600);
    await rename(`${file}.part`, file);
    log.info({ file, subject: letter.subject }, 'no SMTP server is configured: the letter is a file');
  };
}

const noFiles = { disableFileAccess: true, disableUrlAccess: true };

/** One recipient, exactly the checked one, in the envelope as in the header (T90, T95). */
function envelope(letter: Letter, from: string) {
  const sender = /^(?:(.*?)\s*<([^<>]+)>|([^<>]+))$/s.exec(from.trim());
  const address = (sender?.[2] ?? sender?.[3] ?? '').trim();
  if (parseEmail(letter.to) !== letter.to) throw new Error('a letter to something that is no canonical address');
  if (CONTROL.test(letter.subject) || CONTROL.test(letter.messageId))
    throw new Error('a header with a control character');
  return {
    envelope: { from: address, to: [letter.to] },
    from: { name: sender?.[1] ?? '', address },
    to: { name: '', address: letter.to },
    subject: letter.subject,
    text: letter.text,
    messageId: letter.messageId,
    date: letter.date,
    headers: { 'Auto-Submitted': 'auto-generated' },
    ...noFiles,
  };
}

const CONTROL = /[\p{Cc}\u2028\u2029]/u;
