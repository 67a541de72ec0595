import { expect, test } from 'vitest';
import type { Mail } from '../../src/core/change.ts';
import type { TenantSlug } from '../../src/core/ids.ts';
import { claimMail, claimWaiting, closeWindow, type MailWindow, mostTogether } from '../../src/core/mail-window.ts';
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

const asked = (index: number): Mail => ({
  template: 'access_requested',
  to: 'ann@acme.example' as Email,
  tenant: 'acme' as TenantSlug,
  person: null,
  address: `p${index}@acme.example`,
  message: null,
});

test('T97 a flood of different mails makes no list without end: what comes when it is full writes nothing, and the first stay', () => {
  const first = claimMail(null, { job: '0', mail: asked(0) });
  let window = closeWindow(first.window, '0');
  for (let job = 1; job <= mostTogether; job += 1) {
    const step = claimMail(window, { job: String(job), mail: asked(job) });
    expect(step.window?.waiting).toHaveLength(job);
    window = step.window;
  }
  const next = { job: 'next', mail: asked(mostTogether + 1) };
  expect(claimMail(window, next)).toEqual({ kind: 'noted', window: null });
  const later = window && claimWaiting({ ...window, ageSeconds: 900 }, '1');
  expect(later).toMatchObject({ kind: 'send', window: { waiting: [] } });
  expect(later?.kind === 'send' && later.told.map(({ job }) => job)).toEqual(window?.waiting.map(({ job }) => job));
  // The job that looks after them is known still, though the list is full.
  expect(claimMail(window, { job: '1', mail: asked(1) })).toMatchObject({ kind: 'wait', window: null });
});

test('T97 a letter that was given up is told with what waits, as far as there is room', () => {
  const told = (from: number) =>
    Array.from({ length: mostTogether }, (_, index) => ({ job: String(from + index), mail: asked(from + index) }));
  const window = { jobId: 'gone', sending: told(0), waiting: told(mostTogether), ageSeconds: 5 * 24 * 3600 };
  expect(claimWaiting(window, 'now')).toMatchObject({ kind: 'send', told: window.waiting });
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
