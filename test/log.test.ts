import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** What a program that logs writes to standard output. */
function logged(statement: string): string {
  const program = `import { openLog } from './src/log.ts'; const log = openLog('info'); ${statement}`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  return execFileSync(process.execPath, flags, { encoding: 'utf8' });
}

test('T113 of an error only its type, message, stack and code are logged, not what a library hung on it', () => {
  const error = `Object.assign(new TypeError('no good'), { code: 'HPE_X', rawPacket: Buffer.from('Bearer hunter2'), parameters: ['hunter2'] })`;
  const line = logged(`log.error({ error: ${error} }, 'failed');`);
  expect(JSON.parse(line)).toMatchObject({
    error: { type: 'TypeError', message: 'no good', errorCode: 'HPE_X', stack: expect.stringContaining('no good') },
  });
  expect(Object.keys(JSON.parse(line).error).sort()).toEqual(['errorCode', 'message', 'stack', 'type']);
});

test('T113 an authorization code is not logged by its name, what is no error is logged as its text', () => {
  const line = logged(`log.info({ code: 'hunter2', query: { code: 'hunter2' }, error: 'just text' }, 'said');`);
  expect(line).not.toContain('hunter2');
  expect(JSON.parse(line).error).toBe('just text');
});

test.each([
  `{ token: 'hunter2' }`,
  `{ headers: { authorization: 'hunter2', cookie: 'hunter2' } }`,
  `{ settings: { masterKey: 'hunter2' } }`,
  `{ form: { fields: [{ SAMLResponse: 'hunter2' }] } }`,
  `{ a: { b: { c: { password: 'hunter2' } } } }`,
  `{ a: { b: { c: { d: { e: { f: { password: 'hunter2' } } } } } } }`,
  `{ other: Object.assign(new Error('no'), { secret: 'hunter2' }) }`,
  `{ answer: new (class { client_secret = 'hunter2' })() }`,
  `{ list: [{ link: 'hunter2' }, 1, null] }`,
])('T113 what stands under a secret’s name is not logged, wherever it lies: %s', (facts) => {
  const line = logged(`const facts = ${facts}; const before = JSON.stringify(facts); log.info(facts, 'said');
    if (JSON.stringify(facts) !== before) throw new Error('the facts themselves were changed');`);
  expect(line).not.toContain('hunter2');
  expect(JSON.parse(line)).toMatchObject({ level: 30, msg: 'said' });
});

test('facts without secrets are logged as they are', () => {
  const line = logged(
    `log.info({ status: 200, notes: ['a', 'b'], at: { tenant: 'acme', on: new Date(0) }, none: null }, 'said');`,
  );
  const { time, ...shown } = JSON.parse(line);
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT/);
  expect(shown).toEqual({
    level: 30,
    status: 200,
    notes: ['a', 'b'],
    at: { tenant: 'acme', on: '1970-01-01T00:00:00.000Z' },
    none: null,
    msg: 'said',
  });
});
