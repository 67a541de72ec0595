import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { unknownCaller } from '../../src/scim/unknown-caller.ts';

const at = { tenant: 'acme', connection: 'okta' };
const secret = 'A'.repeat(43);

describe('the log line of a request whose token opens nothing', () => {
  test('says which directory it was for, where it came from, and the prefix by which `scim-token list` shows the token', () => {
    expect(unknownCaller(at, `Bearer dbs_abcdefghijkl_${secret}`, '192.0.2.7')).toEqual({
      ...at,
      source: '192.0.2.7',
      presented: 'a token of a directory',
      prefix: 'abcdefghijkl',
    });
    expect(unknownCaller(at, undefined, '192.0.2.7')).toEqual({ ...at, source: '192.0.2.7', presented: 'none' });
    expect(unknownCaller(at, `Bearer dbo_${secret}`, '')).toEqual({ ...at, presented: 'an access token' });
  });

  test('is not taken out of the log by its name', () => {
    const facts = JSON.stringify(unknownCaller(at, `Bearer dbs_abcdefghijkl_${secret}`, '192.0.2.7'));
    const program = `import { openLog } from './src/log.ts'; openLog('info').info(${facts}, 'scim');`;
    const line = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(JSON.parse(line)).toMatchObject(JSON.parse(facts));
  });

  test('T113 holds no secret, nor a text that whoever asked could choose', () => {
    const given = [
      `Bearer dbs_abcdefghijkl_${secret}`,
      `Bearer dbs_abcdefghijkl_${secret}x`,
      `dbs_abcdefghijkl_${secret}`,
      `Bearer dbs_${secret}`,
      `Bearer dbo_${secret}`,
      `Basic ${secret}`,
      secret,
    ];
    for (const authorization of given)
      expect(JSON.stringify(unknownCaller(at, authorization, '192.0.2.7'))).not.toContain(secret.slice(1));
    const chosen = { tenant: `dbs_abcdefghijkl_${secret}`, connection: 'Correct-Horse-9\n' };
    expect(unknownCaller(chosen, undefined, 'whatever a proxy passed on')).toEqual({ presented: 'none' });
  });
});
