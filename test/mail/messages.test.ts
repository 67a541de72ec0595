import { describe, expect, test } from 'vitest';
import type { Mail } from '../../src/core/change.ts';
import type { Instant, TenantSlug } from '../../src/core/ids.ts';
import { mostTogether } from '../../src/core/mail-window.ts';
import type { Email } from '../../src/core/profile.ts';
import { message, plain } from '../../src/mail/messages.ts';

const common = { to: 'admin@acme.example' as Email, tenant: 'acme' as TenantSlug };
const asked = (address: string, text: string | null = null, person: string | null = null): Mail => ({
  template: 'access_requested',
  ...common,
  person,
  address,
  message: text,
});
const site = 'bridge.example';

describe('access requested', () => {
  test('R26 R37 it says who asks, where, and what they wrote', () => {
    expect(message([asked('jane@acme.example', 'Please.\nI start today.')], site)).toEqual({
      subject: 'Access requested in acme',
      text: [
        'Somebody asks for access to acme at bridge.example:',
        '',
        '  - jane@acme.example',
        '    > Please',
        '    > I start today',
        '',
        'Assign a role to let them in. They are not told if you do not.',
        '',
      ]
        .join('\n')
        .replace('Please', 'Please.')
        .replace('today', 'today.'),
    });
  });

  test('T97 T98 it names the address beside the name, which anybody can choose', () => {
    const { text } = message([asked('eve@acme.example', null, 'Dana Ito')], site);
    expect(text).toContain('  - Dana Ito (eve@acme.example)\n');
    expect(message([asked('eve@acme.example', null, 'eve@acme.example')], site).text).toContain(
      '  - eve@acme.example\n',
    );
  });

  test('T97 several who waited are told together, each once, and a crowd is counted', () => {
    const crowd = Array.from({ length: 30 }, (_, index) => asked(`p${index}@acme.example`));
    const { subject, text } = message([crowd[0] as Mail, ...crowd.slice(1), asked('p0@acme.example', 'again')], site);
    expect(subject).toBe('Access requested in acme: 30 people');
    expect(text.match(/ {2}- p\d+@/g)).toHaveLength(20);
    expect(text).toContain('… and 10 more');
    expect(text).toContain('> again');
  });

  test('T97 a letter that is full says that there may be more, and counts nobody whom it cannot know of', () => {
    const asking = (index: number) => asked(`p${index}@acme.example`);
    const full = message([asking(0), ...Array.from({ length: mostTogether - 1 }, (_, at) => asking(at + 1))], site);
    expect(full.subject).toBe(`Access requested in acme: ${mostTogether} or more people`);
    expect(full.text).toContain(`${mostTogether} or more people ask for access`);
    expect(full.text.match(/ {2}- p\d+@/g)).toHaveLength(20);
    expect(full.text).toContain('… and more\n');
    const almost = message([asking(0), ...Array.from({ length: mostTogether - 2 }, (_, at) => asking(at + 1))], site);
    expect(almost.subject).toBe(`Access requested in acme: ${mostTogether - 1} people`);
  });
});

describe('what a person typed (T94, T98)', () => {
  test.each([
    ['Visit https://evil.example/login now', 'Visit https: //evil[.]example/login now'],
    ['evil.example', 'evil[.]example'],
    ['www.evil.example', 'www .evil[.]example'],
    ['jane.doe@acme.example', 'jane.doe@acme.example'],
    ['Jane\r\nBcc: victim@x.example', 'Jane Bcc: victim@x[.]example'],
    ['a\u2028b\u0000c\u202Ed', 'a b c d'],
    ['Wait. Then go.', 'Wait. Then go.'],
  ])('%j becomes %j', (typed, shown) => {
    expect(plain(typed)).toBe(shown);
  });

  test('no subject holds a word of it', () => {
    expect(message([asked('Jane\r\nBcc: x@evil.example')], site).subject).toBe('Access requested in acme');
  });
});

test('R45 an invitation carries its link whole, and says until when', () => {
  const link = 'https://bridge.example/t/acme/invitation/abc_DEF-123';
  const { text } = message(
    [{ template: 'invitation', ...common, link, expiresAt: Date.UTC(2026, 10, 29, 8) as Instant }],
    site,
  );
  expect(text.split('\n')).toContain(link);
  expect(text).toContain('until 2026-11-29 08:00 UTC');
});

test('a linked sign-in is told to its person', () => {
  const { subject, text } = message([{ template: 'sso_linked', ...common, connection: 'Okta' }], site);
  expect(subject).toBe('A way to sign in was added to your account in acme');
  expect(text).toContain('  - Okta');
});

describe('directory paused', () => {
  const paused = (connection: string, people = 51): Mail => ({
    template: 'directory_paused',
    ...common,
    connection,
    line: 'people',
    people,
    guard: { people: 50, percent: 20, minutes: 60 },
  });

  test('it says which directory, how far it went, that nothing is lost, and what to do', () => {
    const { subject, text } = message([paused('okta')], site);
    expect(subject).toBe('The directory okta of acme is paused');
    expect(text).toContain(
      'A directory of acme at bridge.example would have taken access from too many people at once.',
    );
    expect(text).toContain('  - okta: 51 people, the line is 50 people or 20 percent of its users within 60 minutes');
    expect(text).toContain('    drawbridge directory plan --tenant acme --connection okta');
  });

  test('a guard of one person and one minute is told in the singular', () => {
    const one = { ...paused('okta', 1), guard: { people: 1, percent: 20, minutes: 1 } } as Mail;
    expect(message([one], site).text).toContain(
      '  - okta: 1 person, the line is 1 person or 20 percent of its users within 1 minute',
    );
  });

  test('several are told together, each once', () => {
    const { subject, text } = message([paused('okta'), paused('entra'), paused('okta', 60)], site);
    expect(subject).toBe('2 directories of acme are paused');
    expect(text.match(/okta: 60 people|entra: 51 people|okta: 51 people/g)).toEqual([
      'okta: 60 people',
      'entra: 51 people',
    ]);
  });
});

test('T40 an address that stays is told so, and not what was pushed instead', () => {
  const { subject, text } = message([{ template: 'address_kept', ...common, connection: 'okta' }], site);
  expect(subject).toBe('Your address in acme stays as it is');
  expect(text).toContain('The directory okta now has another address for you in acme at bridge.example.');
  expect(text.match(/@/g)).toBeNull();
});
