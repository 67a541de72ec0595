import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Mail } from '../../src/core/change.ts';
import type { Instant } from '../../src/core/ids.ts';
import type { Email } from '../../src/core/profile.ts';
import { type Deliver, mailDelivery } from '../../src/mail/transport.ts';
import { mailTasks } from '../../src/mail/worker.ts';
import { apply } from '../../src/store/apply.ts';
import { startJobs } from '../../src/store/jobs.ts';
import { makeFolder } from '../../src/store/make-folder.ts';
import { contextOf } from '../../src/world.ts';
import { type Acme, acme } from '../support/acme.ts';
import { begun } from '../support/begun.ts';
import { silent, type TestWorld, testWorld } from '../support/world.ts';
import { read, type SmtpSink, smtpSink } from './smtp-sink.ts';

let world: TestWorld;
let tenants: Acme;
let sink: SmtpSink;
beforeAll(async () => {
  world = await testWorld();
  tenants = await acme(world);
  sink = await smtpSink();
});
afterAll(async () => {
  await sink?.close();
  await world?.close();
});

let stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  sink.received.length = 0;
  sink.mode = 'accept';
  await world.sql(`delete from mail_windows`);
  await world.sql(`delete from graphile_worker._private_jobs`);
});
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
});

async function work(
  deliver: Deliver = mailDelivery({
    smtpUrl: sink.url,
    from: 'no-reply@bridge.example',
    folder: '',
    makeFolder,
    log: silent,
  }),
) {
  const tasks = mailTasks({
    contextFor: (requestId) => contextOf({ ...world, log: silent }, { actor: { kind: 'system' }, requestId }),
    deliver,
    publicUrl: 'https://bridge.example',
    log: silent,
  });
  const stop = await startJobs({ url: world.url, tasks, log: silent, pollSeconds: 0.1 });
  stops.push(stop);
  return stop;
}
const asked = (address: string, to = 'admin@acme.example'): Mail => ({
  template: 'access_requested',
  to: to as Email,
  tenant: tenants.acme.slug,
  person: null,
  address,
  message: null,
});
const invitation = (link: string): Mail => ({
  template: 'invitation',
  to: 'new@acme.example' as Email,
  tenant: tenants.acme.slug,
  link,
  expiresAt: Date.now() as Instant,
});
/** As a decision does it: in the transaction of the change. */
async function enqueue(...mails: Mail[]): Promise<void> {
  const ctx = world.context();
  await ctx.transaction(tenants.acme.tenantId, (tx) =>
    apply(ctx, tx, { changes: mails.map((mail) => ({ kind: 'send_mail', mail })), events: [] }),
  );
}
const jobs = () =>
  world.sql<{ task: string; attempts: number; due: number; put_off: boolean }>(
    `select task_identifier as task, attempts, extract(epoch from run_at - now())::float8 as due, run_at > created_at as put_off from graphile_worker.jobs order by id`,
  );
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not in 10 s: ${what}`);
}
const messageIds = () =>
  sink.received.map(({ raw }) => read(raw).headers.find((line) => line.startsWith('Message-ID:')));

describe('jobs and letters', () => {
  test('I16 a mail leaves if its change commits, and only then', async () => {
    await work();
    const ctx = world.context();
    await ctx
      .transaction(tenants.acme.tenantId, async (tx) => {
        await apply(ctx, tx, { changes: [{ kind: 'send_mail', mail: asked('undone@acme.example') }], events: [] });
        throw new Error('undone');
      })
      .catch(() => {});
    await enqueue(asked('jane@acme.example'));
    await until('one letter', () => sink.received.length === 1);
    await until('no job left', async () => (await jobs()).length === 0);
    expect(sink.received).toHaveLength(1);
    expect(sink.received[0]?.to).toEqual(['admin@acme.example']);
    expect(read(sink.received[0]?.raw ?? '').text).toContain('jane@acme.example');
  });

  test('T40 a paused directory, and an address that stays, are told by letters of their own', async () => {
    await work();
    const told = { to: 'admin@acme.example' as Email, tenant: tenants.acme.slug, connection: 'okta' };
    const guard = { people: 50, percent: 20, minutes: 60 };
    await enqueue(
      { template: 'directory_paused', ...told, line: 'people', people: 51, guard },
      { template: 'address_kept', ...told },
    );
    await until('both letters', () => sink.received.length === 2);
    expect(
      sink.received.flatMap((letter) => read(letter.raw).headers.filter((line) => line.startsWith('Subject: '))).sort(),
    ).toEqual(['Subject: The directory okta of acme is paused', 'Subject: Your address in acme stays as it is']);
  });

  test('T97 hundreds of requests are one letter now and one in a quarter of an hour, nobody forgotten', async () => {
    await work();
    await enqueue(asked('first@acme.example'));
    await until('the first letter', () => sink.received.length === 1);
    for (let batch = 0; batch < 3; batch += 1) {
      await enqueue(...Array.from({ length: 100 }, (_, index) => asked(`p${batch * 100 + index}@acme.example`)));
    }
    await until('all of them waiting', async () =>
      (await jobs()).every((job) => job.task === 'send_waiting_mail' && job.due > 0),
    );
    expect(sink.received).toHaveLength(1);
    const waiting = await jobs();
    expect(waiting.length).toBeGreaterThan(0);
    expect(waiting.every((job) => job.due > 800 && job.due <= 900)).toBe(true);
    // The quarter of an hour passes.
    await world.sql(`update mail_windows set opened_at = opened_at - interval '15 minutes'`);
    await world.sql(`update graphile_worker._private_jobs set run_at = now()`);
    await until('the second letter', () => sink.received.length === 2);
    await until('no job left', async () => (await jobs()).length === 0);
    expect(sink.received).toHaveLength(2);
    expect(read(sink.received[1]?.raw ?? '').text).toContain('300 people ask');
    expect(await world.sql(`select sending, waiting from mail_windows`)).toEqual([{ sending: [], waiting: [] }]);
  });

  test('T97 the window is one address’s and one template’s', async () => {
    await work();
    await enqueue(asked('a@acme.example'), asked('a@acme.example', 'other@acme.example'), {
      template: 'sso_linked',
      to: 'admin@acme.example' as Email,
      tenant: tenants.acme.slug,
      connection: 'Okta',
    });
    await until('three letters', () => sink.received.length === 3);
    expect(sink.received.map((one) => one.to[0]).sort()).toEqual([
      'admin@acme.example',
      'admin@acme.example',
      'other@acme.example',
    ]);
  });

  test('R57 T97 invitations do not wait: each is an administrator’s own act', async () => {
    await work();
    await enqueue(
      invitation('https://bridge.example/t/acme/invitation/one'),
      invitation('https://bridge.example/t/acme/invitation/two'),
    );
    await until('two letters', () => sink.received.length === 2);
  });

  test('FT11 a server that says later costs a wait, not the letter; every try is the same letter', async () => {
    sink.mode = 'defer';
    await work();
    await enqueue(asked('jane@acme.example'));
    // The try is counted when it begins; once it has failed, the next one is put off.
    await until('a failed try', async () => (await jobs())[0]?.put_off === true);
    expect((await jobs())[0]?.attempts).toBe(1);
    sink.mode = 'drop';
    await world.sql(`update graphile_worker._private_jobs set run_at = now()`);
    await until('a letter whose answer was lost', () => sink.received.length === 1);
    await until('a second failed try', async () => (await jobs())[0]?.attempts === 2);
    sink.mode = 'accept';
    await world.sql(`update graphile_worker._private_jobs set run_at = now()`);
    await until('done', async () => (await jobs()).length === 0);
    expect(sink.received).toHaveLength(2);
    const ids = messageIds();
    expect(ids[0]).toMatch(/^Message-ID: <[0-9a-f]{32}@bridge\.example>$/);
    expect(new Set(ids).size).toBe(1);
  });

  test('FT11 a worker that dies with a letter in hand leaves it to the next one', async () => {
    let taken = () => {};
    let bury = () => {};
    const inHand = new Promise<void>((resolve) => {
      taken = resolve;
    });
    const dead = await work(() => {
      taken();
      return new Promise((_, reject) => {
        bury = () => reject(new Error('dead'));
      });
    });
    await enqueue(asked('jane@acme.example'));
    await inHand;
    // Its lock is all that is left of it; the queue's clean-up frees what is locked for longer than any task takes.
    await world.sql(`select graphile_worker.force_unlock_workers(array(select locked_by from graphile_worker.jobs))`);
    const buried = begun(dead());
    try {
      await work();
      await until('the letter', () => sink.received.length === 1);
    } finally {
      bury();
      await buried;
    }
  });

  test('stopping finishes the letter in hand and leaves the others', async () => {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const delivered: string[] = [];
    const stop = await work(async (letter) => {
      await gate;
      delivered.push(letter.to);
    });
    await enqueue(...['a', 'b', 'c', 'd'].map((name) => asked('x@acme.example', `${name}@acme.example`)));
    await until('letters in hand', async () => (await jobs()).filter((job) => job.attempts === 1).length === 2);
    const stopped = stop();
    release();
    await stopped;
    expect(delivered).toHaveLength(2);
    expect(await jobs()).toHaveLength(2);
  });

  test('FT2 the queue comes back by itself after its connections were cut', async () => {
    await work();
    await enqueue(asked('before@acme.example', 'before@acme.example'));
    await until('a letter', () => sink.received.length === 1);
    await world.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
       and (application_name not like 'drawbridge%' and query like '%graphile_worker%' or query like '%jobs:insert%')`,
    );
    await enqueue(asked('after@acme.example', 'after@acme.example'));
    await until('another letter', () => sink.received.length === 2);
  });

  test('works by polling where notifications are cut', async () => {
    await work();
    // Nothing tells of this job: the queue's own function, which would, is not called.
    await enqueue(asked('first@acme.example', 'first@acme.example'));
    await until('the letter', () => sink.received.length === 1);
    await world.sql(
      `insert into graphile_worker._private_jobs (task_id, payload, max_attempts)
       select id, $1, 25 from graphile_worker._private_tasks where identifier = 'send_mail'`,
      [asked('polled@acme.example', 'second@acme.example')],
    );
    await until('the other', () => sink.received.length === 2);
  });

  test('T113 neither the payload nor a link is logged when a job fails', async () => {
    const lines: string[] = [];
    const note = (facts: object, message: string) => void lines.push(JSON.stringify([facts, message]));
    const link = `https://bridge.example/t/acme/invitation/canary${randomUUID()}`;
    const log = { debug: note, info: note, warn: note, error: note };
    const tasks = mailTasks({
      contextFor: () => world.context(),
      deliver: () => Promise.reject(new Error('no server')),
      publicUrl: 'https://bridge.example',
      log,
    });
    stops.push(await startJobs({ url: world.url, tasks, log, pollSeconds: 0.1 }));
    await enqueue(invitation(link));
    await until('a failed try', async () => (await jobs())[0]?.attempts === 1);
    expect(lines.join('\n')).toContain('no server');
    expect(lines.join('\n')).not.toContain('canary');
  });
});
