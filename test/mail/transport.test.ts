import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Letter, mailDelivery } from '../../src/mail/transport.ts';
import { makeFolder } from '../../src/store/make-folder.ts';
import { silent } from '../support/world.ts';
import { read, type SmtpSink, smtpSink } from './smtp-sink.ts';

let sink: SmtpSink;
beforeAll(async () => {
  sink = await smtpSink();
});
afterAll(() => sink.close());

const letter = (more: Partial<Letter> = {}): Letter => ({
  messageId: '<0123456789abcdef@bridge.example>',
  to: 'admin@acme.example',
  subject: 'Access requested in acme',
  text: 'Zoë asks for access.\n.\nA line with a dot before it.\n',
  date: new Date('2026-11-22T01:02:03Z'),
  ...more,
});
const from = 'Drawbridge <no-reply@bridge.example>';
const toServer = () => mailDelivery({ smtpUrl: sink.url, from, folder: '/nowhere', makeFolder, log: silent });

describe('to a server', () => {
  test('T90 T94 T95 one recipient, in the envelope as in the header; one Subject, one To, no Bcc; text whole', async () => {
    sink.received.length = 0;
    await toServer()(letter());
    const [received] = sink.received;
    expect(received?.from).toBe('no-reply@bridge.example');
    expect(received?.to).toEqual(['admin@acme.example']);
    const { headers, text } = read(received?.raw ?? '');
    const count = (name: string) => headers.filter((line) => line.toLowerCase().startsWith(`${name}:`)).length;
    expect([count('to'), count('subject'), count('cc'), count('bcc'), count('message-id')]).toEqual([1, 1, 0, 0, 1]);
    expect(headers).toContain('To: admin@acme.example');
    expect(headers).toContain('From: Drawbridge <no-reply@bridge.example>');
    expect(headers).toContain('Message-ID: <0123456789abcdef@bridge.example>');
    expect(headers).toContain('Auto-Submitted: auto-generated');
    expect(headers.join('\n')).toMatch(/Content-Type: text\/plain; charset=utf-8/);
    expect(text.replaceAll('\r\n', '\n')).toBe(letter().text);
  });

  test.each([
    'a@acme.example, b@evil.example',
    'a@acme.example\r\nRCPT TO:<b@evil.example>',
    '"a@evil.example x"@acme.example',
    'u@good.example(x)evil.example',
    '=?utf-8?q?a=40evil.example?=@acme.example',
    'Admin@acme.example',
    'A <a@acme.example>',
    '',
  ])('T90 T95 %j is no address to send to, and nothing is sent', async (to) => {
    sink.received.length = 0;
    await expect(toServer()(letter({ to }))).rejects.toThrow('no canonical address');
    expect(sink.received).toEqual([]);
  });

  test('an internationalised domain is written to as A-labels', async () => {
    sink.received.length = 0;
    await toServer()(letter({ to: 'admin@xn--mnchen-3ya.example' }));
    expect(sink.received[0]?.to).toEqual(['admin@xn--mnchen-3ya.example']);
  });

  test.each([{ subject: 'Hello\r\nBcc: b@evil.example' }, { subject: 'a\u2028b' }, { messageId: '<a@b>\r\nX: y' }])(
    'T94 a header with a break (%j) is not sent',
    async (more) => {
      sink.received.length = 0;
      await expect(toServer()(letter(more))).rejects.toThrow('control character');
      expect(sink.received).toEqual([]);
    },
  );

  test('a server that says later, or goes away, is an error for the queue to try again', async () => {
    sink.mode = 'defer';
    await expect(toServer()(letter())).rejects.toThrow();
    sink.mode = 'accept';
    await expect(
      mailDelivery({ smtpUrl: 'smtp://127.0.0.1:1', from, folder: '', makeFolder, log: silent })(letter()),
    ).rejects.toThrow();
  });
});

describe('to a folder', () => {
  test('without a server a letter is a file that only its owner reads, and a second try writes the same file', async () => {
    const folder = join(await mkdtemp(join(tmpdir(), 'mail-')), 'letters');
    const lines: object[] = [];
    const log = { ...silent, info: (facts: object) => void lines.push(facts) };
    const deliver = mailDelivery({ smtpUrl: null, from, folder, makeFolder, log });
    await deliver(letter());
    await deliver(letter());
    const files = await readdir(folder);
    expect(files).toEqual(['20261122T010203-0123456789abcdef-bridge-example-.eml']);
    const file = join(folder, files[0] as string);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const { headers } = read(await readFile(file, 'utf8'));
    expect(headers).toContain('To: admin@acme.example');
    expect(lines[0]).toMatchObject({ file });
    await rm(join(folder, '..'), { recursive: true });
  });

  test.runIf(process.platform === 'linux')(
    'where a folder can be made no more, a try fails soon, and comes again',
    async () => {
      const since = performance.now();
      const deliver = mailDelivery({ smtpUrl: null, from, folder: '/proc/drawbridge/mail', makeFolder, log: silent });
      await expect(deliver(letter())).rejects.toThrow('ENOENT');
      expect(performance.now() - since).toBeLessThan(2_000);
    },
  );
});
