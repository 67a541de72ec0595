import { expect, test } from 'vitest';
import type { Mail } from '../../src/core/change.ts';
import type { TenantSlug } from '../../src/core/ids.ts';
import { claimMail, claimWaiting, closeWindow, type MailWindow } from '../../src/core/mail-window.ts';
import type { Email } from '../../src/core/profile.ts';

const kept = (connection: string): Mail => ({
  template: 'address_kept',
  to: 'ann@acme.example' as Email,
  tenant: 'acme' as TenantSlug,
  connection,
});

test('T97 what waits already is not put beside itself, however often it comes; what differs is', () => {
  let window: MailWindow | null = null;
  const steps = [];
  for (let job = 1; job <= 1_000; job += 1) {
    const step = claimMail(window, { job: String(job), mail: kept(job % 2 === 0 ? 'okta' : 'entra') });
    if (step.window !== null) window = step.window;
    if (job === 1) window = closeWindow(window, '1');
    steps.push(step.kind);
  }
  expect(steps.slice(0, 4)).toEqual(['send', 'wait', 'noted', 'noted']);
  expect(new Set(steps.slice(4))).toEqual(new Set(['noted']));
  expect(window?.waiting.map(({ job, mail }) => [job, mail])).toEqual([
    ['2', kept('okta')],
    ['3', kept('entra')],
  ]);
  // Nothing of it is lost: the letter that follows tells both.
  const later = window && claimWaiting({ ...window, ageSeconds: 900 }, '2');
  expect(later).toMatchObject({ kind: 'send', told: [{ mail: kept('okta') }, { mail: kept('entra') }] });
});

test('the failing twin: what was sent is told again when it comes again', () => {
  const first = claimMail(null, { job: '1', mail: kept('okta') });
  const window = closeWindow(first.window, '1');
  expect(claimMail(window, { job: '2', mail: kept('okta') })).toMatchObject({
    kind: 'wait',
    window: { waiting: [{ job: '2' }] },
  });
  expect(claimMail(window && { ...window, ageSeconds: 900 }, { job: '2', mail: kept('okta') })).toMatchObject({
    kind: 'send',
    told: [{ job: '2' }],
  });
});

const paused = {
  template: 'directory_paused',
  to: 'ann@acme.example' as Email,
  tenant: 'acme' as TenantSlug,
  connection: 'okta',
  line: 'people',
  people: 501,
  guard: { people: 500, percent: 20, minutes: 60 },
} as const satisfies Mail;

test('a pause is told at once, also right after another one: it is over by the next quarter of an hour', () => {
  const first = claimMail(null, { job: '1', mail: paused });
  const second = claimMail(closeWindow(first.window, '1'), { job: '2', mail: paused });
  expect(second).toMatchObject({ kind: 'send', told: [{ job: '2' }] });
});

test('T97 the failing twin: a pause waits where the letter before it is still being tried', () => {
  const first = claimMail(null, { job: '1', mail: paused });
  expect(claimMail(first.window, { job: '2', mail: paused })).toMatchObject({ kind: 'wait' });
});
