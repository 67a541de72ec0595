import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openMailFolder } from '../src/mail-folder.ts';
import { readSettings } from '../src/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'drawbridge-mail-folder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (mailFolder: string, smtpUrl: string | null = null) =>
  openMailFolder({ smtpUrl, mailFolder, dataFolder: join(folder, 'data') });
const sentence = (mailFolder: string, what: string) =>
  `The mail folder ${mailFolder} cannot be ${what} (CODE). Set DRAWBRIDGE_MAIL_FOLDER to a folder that this user may write, or SMTP_URL to a mail server.`;
function said(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return (error as Error).message.replace(/\(E[A-Z]+\)/, '(CODE)');
  }
}

test('a folder that is missing is made for this user alone, and nothing stays in it', () => {
  const mails = join(folder, 'a', 'mails');
  open(mails);
  expect([statSync(mails).mode & 0o777, readdirSync(mails)]).toEqual([0o700, []]);
  open(mails);
});

test.runIf(process.platform === 'linux')('where nothing can be made or written, that is said at once', () => {
  const since = performance.now();
  expect(said(() => open('/proc/x'))).toBe(sentence('/proc/x', 'made'));
  expect(said(() => open('/proc/x/y'))).toBe(sentence('/proc/x/y', 'made'));
  expect(said(() => open('/proc'))).toBe(sentence('/proc', 'written'));
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  expect(said(() => open(file))).toBe(sentence(file, 'made'));
  expect(performance.now() - since).toBeLessThan(2_000);
});

test('with a mail server, or within the data folder, nothing is made: that one has its own mode and its own sentence', () => {
  open('/proc/x', 'smtp://mail.example');
  const { settings } = readSettings({ DRAWBRIDGE_DATA: join(folder, 'data') }, folder) as {
    readonly settings: Parameters<typeof openMailFolder>[0];
  };
  openMailFolder(settings);
  expect(existsSync(join(folder, 'data'))).toBe(false);
});
