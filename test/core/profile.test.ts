import { expect, test } from 'vitest';
import { foldAddress, foldPlusTag, parseEmail } from '../../src/core/profile.ts';

test.each([
  ['  Ann.Lee@ACME.Example\t', 'ann.lee@acme.example'],
  ['ann@Bücher.example', 'ann@xn--bcher-kva.example'],
  ['ann@XN--BCHER-KVA.example', 'ann@xn--bcher-kva.example'],
  ['ann@ａｃｍｅ.example', 'ann@acme.example'],
  ['Ann+News@acme.example', 'ann+news@acme.example'],
])(
  'D3 an address is compared trimmed and case-folded, its domain as A-labels, its plus-tag kept: %j',
  (text, email) => {
    expect(parseEmail(text)).toBe(email);
  },
);

test('D3 an address with a plus-tag is another one than that without; only what makes a suspension stick leaves it out', () => {
  const [plain, tagged] = [parseEmail('ann@acme.example'), parseEmail('ann+news@acme.example')];
  if (plain === null || tagged === null) throw new Error('no address');
  expect(tagged).not.toBe(plain);
  expect(foldPlusTag(tagged)).toBe(plain);
});

test.each([
  'ANN@acme.example,bob@acme.example',
  'ADMİN@acme.example',
  'ａnn@acme.example',
  '"ann"@acme.example',
  'ann@acme',
  'ann@127.0.0.1',
])('D3 T36 T95 what two programs could read as two addresses is none: %j', (text) => {
  expect(parseEmail(text)).toBeNull();
});

test.each([
  ['Ann+News@ACME.example', 'ann@acme.example'],
  ['ａnn@acme.example', 'ann@acme.example'],
  ['JÖRG+x@Bücher.example ', 'jörg@xn--bcher-kva.example'],
  ['"Ann Lee"@acme.example', 'ann lee@acme.example'],
  ['"Ann\\ Lee"@acme.example', 'ann lee@acme.example'],
  ['"Ann"@acme.example', 'ann@acme.example'],
  ['Ann@Acme.example.', 'ann@acme.example'],
  ['none', null],
  ['ann@acme', null],
  ['@acme.example', null],
  [`${'ö'.repeat(320)}@acme.example`, null],
])('I3 T36 a suspension follows also what is written as an address and is none to link by: %j', (text, folded) => {
  expect(foldAddress(text)).toBe(folded);
});
