// The folder that letters become files in, where an operator named one.

import { rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { ServerSettings } from './settings.ts';
import { makeFolder } from './store/make-folder.ts';

/**
 * Makes the mail folder (mode 0700) and tries whether letters can be written there, so that the first one is not lost to a mistyped
 * path. Not with an SMTP server, and not below the data folder: that one is made, and told of, by whoever comes first.
 *
 * Throws a plain sentence that says what to do.
 */
export function openMailFolder({
  smtpUrl,
  mailFolder,
  dataFolder,
}: Pick<ServerSettings, 'smtpUrl' | 'mailFolder' | 'dataFolder'>): void {
  if (smtpUrl !== null || mailFolder.startsWith(join(dataFolder, sep))) return;
  attempt(mailFolder, 'made', () => makeFolder(mailFolder, 0o700));
  const file = join(mailFolder, `.drawbridge-${process.pid}`);
  attempt(mailFolder, 'written', () => {
    writeFileSync(file, '', { mode: 0o600 });
    rmSync(file);
  });
}

function attempt(mailFolder: string, what: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `The mail folder ${mailFolder} cannot be ${what} (${code}). Set DRAWBRIDGE_MAIL_FOLDER to a folder that this user may write, or SMTP_URL to a mail server.`,
    );
  }
}
