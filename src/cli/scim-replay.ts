// Playing a directory's recorded requests again, in a tenant that is made for it: to see what an identity provider does, or what
// another mapping would make of it.

import { formatProblem } from '../config-files/problem.ts';
import type { TenantConfig } from '../core/config.ts';
import { counted } from '../core/counted.ts';
import type { Instant, TenantSlug } from '../core/ids.ts';
import { openLoopbackScim } from '../loopback-scim.ts';
import { createScimCredential } from '../operations/create-scim-credential.ts';
import { endScimCredential } from '../operations/end-scim-credential.ts';
import { listUsers, type UserRow } from '../operations/list-users.ts';
import { showDirectory } from '../operations/read-directories.ts';
import { closeScratch, openScratch } from '../operations/scratch-tenant.ts';
import type { TenantRef } from '../operations/standing.ts';
import { readTenantFiles } from '../tenant-files.ts';
import {
  accepted,
  CliError,
  type CliWorld,
  type Command,
  optional,
  required,
  slugOf,
  tenantOf,
  type Values,
} from './command.ts';
import { momentOf } from './duration.ts';
import { interruption } from './interruption.ts';
import { type Played, play } from './replay-play.ts';
import { countsOf, isSame, type Replayed, replayJson, replayText } from './replay-report.ts';
import { putThere, type Scene } from './replay-scene.ts';
import { MOST_REQUESTS, type Source, type Survey, survey } from './replay-survey.ts';
import { scimClient } from './scim-http.ts';

const HOUR_MS = 3_600_000;
const TOKEN_LIVES_MS = 12 * HOUR_MS;

export const scimReplay: Command = {
  usage:
    'scim replay --tenant T --connection C --into SCRATCH [--since 1h] [--until 10m] [--config FOLDER] [--keep] [--all]',
  summary:
    'play what the directory asked lately into a tenant made for it (default: as long as its bodies are kept): then and now, and who would have which role, also under the rules of other files',
  options: {
    tenant: { type: 'string' },
    connection: { type: 'string' },
    into: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    config: { type: 'string' },
    keep: { type: 'boolean' },
    all: { type: 'boolean' },
  },
  async run(world, values) {
    const into = slugOf(required(values, 'into'));
    const source = await sourceOf(world, values);
    const wanted = await wantedOf(optional(values, 'config'), source.tenant.slug);
    const found = await survey(world, source);
    if (found.requests === 0) throw new CliError('No request of that time is in the log of this directory.');
    const stop = interruption();
    try {
      const replayed = await replay(world, source, { into, wanted, found, keep: values.keep === true }, stop.signal);
      const same = isSame(countsOf(replayed.played)) && !found.more && !stop.signal.aborted;
      return { text: replayText(replayed, values.all === true), json: replayJson(replayed), exitCode: same ? 0 : 1 };
    } finally {
      stop.done();
    }
  },
};

export const scimReplayEnd: Command = {
  usage: 'scim replay-end --into SCRATCH',
  summary: 'close a tenant that a replay made and left open; everybody in it ends',
  options: { into: { type: 'string' } },
  async run({ context }, values) {
    const into = slugOf(required(values, 'into'));
    const { people } = accepted(await closeScratch(context, into));
    return { text: `${into} is closed; people ended: ${people}.`, json: { into, closed: true, people } };
  },
};

type Asked = {
  readonly into: TenantSlug;
  readonly wanted: { readonly folder: string; readonly tenant: TenantConfig } | null;
  readonly found: Survey;
  readonly keep: boolean;
};

async function replay(world: CliWorld, source: Source, asked: Asked, signal: AbortSignal): Promise<Replayed> {
  const { context } = world;
  const { into, wanted, found, keep } = asked;
  const { tenant, connection } = source;
  const opened = accepted(await openScratch(context, into, tenant, connection, wanted?.tenant ?? null));
  let kept = false;
  try {
    const expiresAt = (context.now() + TOKEN_LIVES_MS) as Instant;
    const credential = accepted(await createScimCredential(context, opened.tenant, connection, expiresAt));
    const scene: Scene = {
      ids: new Map(),
      missing: new Set(found.createdIds),
      put: { users: 0, groups: 0 },
      refused: [],
    };
    const played = await playInto(
      world,
      source,
      { tenant: opened.tenant, found, scene, token: credential.token },
      signal,
    );
    const people: UserRow[] = [];
    for await (const user of listUsers(context, opened.tenant)) people.push(user);
    if (keep && !signal.aborted) {
      accepted(await endScimCredential(context, opened.tenant, credential.credentialId));
      kept = true;
    }
    const { put, refused } = scene;
    return {
      of: `${tenant.slug}/${connection}`,
      into,
      rules: wanted === null ? 'the rules in force' : `the rules of ${wanted.folder}`,
      since: source.since,
      until: source.until,
      played,
      put,
      refused,
      people,
      remarks: [
        ...(await remarksOf(world, source, found, played)),
        ...(opened.rulesLeftOut === 0
          ? []
          : [`Rules of other connections and of the tenant’s own groups are not there: ${opened.rulesLeftOut}.`]),
        ...(signal.aborted ? ['It was stopped before its end.'] : []),
        kept ? `${into} stays open. To close it: drawbridge scim replay-end --into ${into}` : `${into} is closed.`,
      ],
    };
  } finally {
    if (!kept) accepted(await closeScratch(context, into));
  }
}

async function playInto(
  world: CliWorld,
  source: Source,
  to: { readonly tenant: TenantRef; readonly found: Survey; readonly scene: Scene; readonly token: string },
  signal: AbortSignal,
): Promise<readonly Played[]> {
  const { tenant, found, scene, token } = to;
  const server = await openLoopbackScim(world.world, tenant.tenantId, { letters: false });
  const client = scimClient(`${server.url}/scim/v2/${tenant.slug}/${source.connection}`, token);
  try {
    await putThere(world, source, client, found.named, scene);
    return await play(world, source, client, found, scene, signal);
  } finally {
    client.close();
    await server.close();
  }
}

/** What the reader should know before they believe it. */
async function remarksOf(
  { context }: CliWorld,
  { tenant, connection }: Source,
  found: Survey,
  played: readonly Played[],
): Promise<readonly string[]> {
  const view = accepted(await showDirectory(context, tenant, connection));
  const { bodyHours } = view.settings.requestLog;
  const bodiless = played.some(({ why }) => why === 'its body was not kept');
  const refusedThen = played.some(
    ({ recorded, verdict }) => verdict === 'different' && (recorded.status === 403 || recorded.status === 409),
  );
  return [
    ...(found.more ? [`Only the first ${MOST_REQUESTS} requests were played.`] : []),
    ...(bodiless
      ? [
          bodyHours === 0
            ? 'Bodies of this directory are not kept: set directory.requestLog.bodyHours in its connection.'
            : `Bodies are kept for ${counted(bodyHours, 'hour')}: of what is older nothing is left to be sent.`,
        ]
      : []),
    ...(view.lastDay.notKept === 0
      ? []
      : [`The log had no room for ${counted(view.lastDay.notKept, 'request')} of the last day.`]),
    ...(played.some(({ recorded, verdict }) => verdict === 'left_out' && recorded.status === 503)
      ? [
          'What was 503 then is left out, also where an administrator has resumed the directory since and it was done: see the audit trail.',
        ]
      : []),
    ...(refusedThen
      ? [
          'What was 403 or 409 then may have met people of the tenant whom this directory did not push: they are not there.',
        ]
      : []),
    ...(view.held ? [`The directory is held: these are the roles that its groups give once it is activated.`] : []),
  ];
}

async function sourceOf(world: CliWorld, values: Values): Promise<Source> {
  const tenant = await tenantOf(world, values);
  const connection = required(values, 'connection');
  const { settings } = accepted(await showDirectory(world.context, tenant, connection));
  const now = world.context.now();
  const [since, until] = [optional(values, 'since'), optional(values, 'until')];
  const hours = Math.max(1, settings.requestLog.bodyHours);
  const from = since === null ? ((now - hours * HOUR_MS) as Instant) : momentOf(since, 'since', now);
  const to = until === null ? now : momentOf(until, 'until', now);
  if (from >= to) throw new CliError('--since is to be before --until: 1h is an hour ago.');
  return { tenant, connection, since: from, until: to };
}

async function wantedOf(folder: string | null, slug: TenantSlug): Promise<Asked['wanted']> {
  if (folder === null) return null;
  const read = await readTenantFiles(folder);
  if (read.kind === 'refused') throw new CliError(read.problems.map(formatProblem).join('\n'));
  const tenant = read.tenants.find((one) => one.slug === slug);
  if (tenant === undefined) throw new CliError(`There is no file of ${slug} in ${folder}.`);
  return { folder, tenant };
}
