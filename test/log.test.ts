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
