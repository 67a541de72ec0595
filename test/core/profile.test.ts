import { expect, test } from 'vitest';
import { foldPlusTag, parseEmail } from '../../src/core/profile.ts';

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
