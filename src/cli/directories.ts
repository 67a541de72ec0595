// Directories: which there are, how one is doing, and what it asked lately.

import { counted } from '../core/counted.ts';
import {
  type DirectoryListed,
  type DirectoryView,
  listDirectories,
  listDirectoryRequests,
  type ProfileView,
  type RequestRates,
  type RequestsPage,
  showDirectory,
} from '../operations/read-directories.ts';
import { accepted, CliError, type Command, optional, required, tenantOf } from './command.ts';
import { guardText } from './connection-text.ts';
import { momentOf } from './duration.ts';
import { shown } from './shown.ts';
import { table } from './table.ts';
import { iso, minute as time } from './time.ts';

export const directoryList: Command = {
  usage: 'directory list --tenant T',
  summary: 'directories of a tenant: whose they are, how many people, when they last asked',
  options: { tenant: { type: 'string' } },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const found = await listDirectories(world.context, tenant);
    const next = found.flatMap((one) => nextLines(tenant.slug, one));
    const rows = found.map((one) => [
      one.key,
      stateOf(one),
      profileText(one),
      String(one.users),
      String(one.groups),
      String(one.credentials),
      time(one.lastRequestAt),
      time(one.lastCycleAt),
    ]);
    const listed = table(
      ['CONNECTION', 'STATE', 'PROFILE', 'USERS', 'GROUPS', 'CREDENTIALS', 'LAST REQUEST', 'LAST CYCLE'],
      rows,
    );
    return {
      text: next.length === 0 ? listed : `${listed}\n\n${next.join('\n')}`,
      json: found.map(({ lastRequestAt, lastCycleAt, pausedAt, ...one }) => ({
        ...one,
        pausedAt: iso(pausedAt),
        next: nextStep(tenant.slug, { ...one, pausedAt })?.command ?? null,
        lastRequestAt: iso(lastRequestAt),
        lastCycleAt: iso(lastCycleAt),
      })),
    };
  },
};

export const directoryShow: Command = {
  usage: 'directory show --tenant T --connection C',
  summary: 'one directory: address, settings, profile, counters, tokens, error rate, last cycle',
  options: { tenant: { type: 'string' }, connection: { type: 'string' } },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const view = accepted(await showDirectory(world.context, tenant, required(values, 'connection')));
    const url = `${world.settings.publicUrl}/scim/v2/${tenant.slug}/${view.key}`;
    return { text: viewText(tenant.slug, view, url), json: { ...viewJson(tenant.slug, view), url } };
  },
};

export const directoryRequests: Command = {
  usage:
    'directory requests --tenant T --connection C [--status 4xx] [--path /Users] [--since 1h] [--until 10m] [--limit N] [--bodies]',
  summary: 'what the directory asked lately, the newest first (default: the last 50); bodies where they are kept',
  options: {
    tenant: { type: 'string' },
    connection: { type: 'string' },
    status: { type: 'string' },
    path: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    limit: { type: 'string' },
    bodies: { type: 'boolean' },
  },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const now = world.context.now();
    const [since, until] = [optional(values, 'since'), optional(values, 'until')];
    const limit = optional(values, 'limit') ?? '50';
    if (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > 1000)
      throw new CliError('--limit is a whole number from 1 to 1000.');
    const { requests } = accepted(
      await listDirectoryRequests(world.context, tenant, required(values, 'connection'), {
        status: statusOf(optional(values, 'status')),
        path: pathOf(optional(values, 'path')),
        since: since === null ? null : momentOf(since, 'since', now),
        until: until === null ? null : momentOf(until, 'until', now),
        before: null,
        limit: Number(limit),
        bodies: values.bodies === true,
      }),
    );
    const last = requests.length === Number(limit) ? iso(requests.at(-1)?.at ?? null) : null;
    const more = last === null ? [] : [`There may be older ones: --limit 1000, or --until ${last}.`];
    return {
      text:
        requests.length === 0 ? 'No such request is in the log.' : [...requests.map(requestText), ...more].join('\n'),
      json: requests.map(({ kept, at, ...request }) => ({
        at: iso(at),
        ...request,
        ...(values.bodies === true ? { kept } : {}),
      })),
    };
  },
};

/** `404`, or `4xx` for all that begin so. */
function statusOf(text: string | null): readonly [number, number] | null {
  if (text === null) return null;
  if (/^[1-5]xx$/.test(text)) return [Number(text[0]) * 100, Number(text[0]) * 100 + 99];
  if (/^[1-5][0-9]{2}$/.test(text)) return [Number(text), Number(text)];
  throw new CliError('--status is a status such as 404, or 4xx for all of its kind.');
}

/** Of the directory, with all that is below it; the slashes around it may be left out. */
function pathOf(text: string | null): string | null {
  if (text === null) return null;
  if (!/^\/?[^/?#][^?#]*$/.test(text))
    throw new CliError('--path is a path such as /Users or /Groups/ID, without a query.');
  return `/${text.replace(/^\/|\/$/g, '')}`;
}

function stateOf({ enabled, held, pausedAt }: Pick<DirectoryListed, 'enabled' | 'held' | 'pausedAt'>): string {
  const states = [...(enabled ? [] : ['off']), ...(held ? ['held'] : []), ...(pausedAt === null ? [] : ['paused'])];
  return states.length === 0 ? 'on' : states.join(', ');
}

type Waiting = Pick<DirectoryListed, 'key' | 'held' | 'pausedAt'>;

/** What an administrator types where a directory waits for one; null where it does not. The plan names the command after it. */
function nextStep(tenant: string, { key, held, pausedAt }: Waiting): { command: string; shows: string } | null {
  if (pausedAt === null && !held) return null;
  const command = `drawbridge directory plan --tenant ${tenant} --connection ${key}`;
  const shows =
    pausedAt === null
      ? 'who gains what if it is activated, and how'
      : 'who loses what if it is resumed, and how to resume it or forget what it asked for';
  return { command, shows };
}

function nextLines(tenant: string, directory: Waiting): readonly string[] {
  const next = nextStep(tenant, directory);
  if (next === null) return [];
  const state = directory.pausedAt === null ? 'held' : 'paused';
  return [`The directory ${directory.key} is ${state}. Next, to see ${next.shows}:`, `  ${next.command}`];
}

const grounds = {
  file: 'as the file says',
  user_agent: 'by its user agent',
  shape: 'by the form of its requests',
  nothing: 'nothing tells it from another',
} as const;

function profileText({ profile, by }: ProfileView): string {
  return profile === null ? '-' : by === 'file' ? `${profile} (file)` : profile;
}

function viewText(tenant: string, view: DirectoryView, url: string): string {
  const { settings, profile, counters, tokens, clients, lastCycle, lastHour, lastDay } = view;
  const { requestLog, guard, requestsPerSecond, schemas } = settings;
  const perSecond = requestsPerSecond === null ? 'no limit' : String(requestsPerSecond);
  const bodies = requestLog.bodyHours === 0 ? 'no bodies' : `bodies for ${counted(requestLog.bodyHours, 'hour')}`;
  const facts: readonly (readonly [string, string])[] = [
    ['connection', `${view.key} (${view.displayName})`],
    ['scim url', url],
    ['state', view.pausedAt === null ? stateOf(view) : `${stateOf(view)} since ${time(view.pausedAt)}`],
    ['profile', profileFactText(profile)],
    ['users', `${counters.users}, ${counters.activeUsers} of them active`],
    ['groups', `${counters.groups} with ${counted(counters.memberships, 'membership')}`],
    ['last request', time(view.lastRequestAt)],
    ['last write', time(view.lastWriteAt)],
    ['last cycle', cycleText(lastCycle)],
    ['last hour', ratesText(lastHour)],
    ['last day', ratesText(lastDay)],
    ['requests/s', perSecond],
    ['request log', `${counted(requestLog.days, 'day')}, ${bodies}`],
    ['guard', guard === null ? 'none' : guardText(guard)],
    ['own schemas', schemas.length === 0 ? 'none' : schemas.map((schema) => schema.urn).join(' ')],
  ];
  const credentials = [
    ...tokens.map((one) => ['token', one.prefix, one] as const),
    ...clients.map((one) => ['client', one.prefix, one] as const),
  ].map(([kind, name, one]) => [
    kind,
    name,
    time(one.createdAt),
    time(one.lastUsedAt),
    one.lastUsedFrom ?? '-',
    one.live ? time(one.expiresAt) : `${time(one.expiresAt)} (expired)`,
  ]);
  const listed =
    credentials.length === 0
      ? `It has no token. Next, to make one:\n  drawbridge scim-token create --tenant ${tenant} --connection ${view.key}`
      : table(['CREDENTIAL', 'NAME', 'MADE', 'LAST USED', 'FROM', 'UNTIL'], credentials);
  const advice = profile.advice.map((line) => `- ${line}`);
  const lines = facts.map(([name, value]) => `${name.padEnd(13)} ${shown(value)}`);
  const next = nextLines(tenant, view);
  return [
    lines.join('\n'),
    ...(next.length === 0 ? [] : [next.join('\n')]),
    listed,
    ...(advice.length === 0 ? [] : [advice.join('\n')]),
  ].join('\n\n');
}

function profileFactText({ profile, name, by, since, recognised }: DirectoryView['profile']): string {
  if (profile === null || by === null) return '-';
  const sinceText = since === null ? '' : ` since ${time(since)}`;
  const other =
    by === 'file' && recognised !== null && recognised !== profile ? `; its requests look like ${recognised}` : '';
  return `${profile} (${name}), ${grounds[by]}${sinceText}${other}`;
}

function cycleText(cycle: DirectoryView['lastCycle']): string {
  if (cycle === null) return 'none seen';
  const seconds = Math.round((cycle.at - cycle.beganAt) / 1000);
  const how = cycle.kind === 'walk' ? 'all pages read' : 'everybody looked up';
  return `${time(cycle.at)}, ${how} in ${seconds} s`;
}

function ratesText({ requests, refused, limited, failed, notKept, errorRate }: RequestRates): string {
  if (errorRate === null) return 'no requests';
  const percent = `${(errorRate * 100).toFixed(1)} % errors (${refused} refused, ${limited} over the limit, ${failed} failed)`;
  return `${counted(requests, 'request')}, ${percent}${notKept === 0 ? '' : `, ${notKept} not in the log`}`;
}

type Logged = RequestsPage['requests'][number];

function requestText({ kept, ...request }: Logged): string {
  const { at, method, path, query, status, scimType, durationMs, notes, userAgent, source } = request;
  const result = [status === null ? 'hung up' : String(status), ...(scimType === null ? [] : [scimType])].join(' ');
  const target = query === null ? path : `${path}?${query}`;
  const lines = [
    `${new Date(at).toISOString()}  ${result}  ${method} ${target}  ${durationMs} ms`,
    `    ${request.requestId} from ${source ?? '-'} by ${userAgent ?? '-'}, ${request.bytesIn} bytes in, ${request.bytesOut} out`,
    ...notes.map(({ note, sentBy }) => `    ~ ${note} (sent by ${sentBy})`),
    ...(kept?.refusal == null ? [] : [`    ! ${kept.refusal}`]),
    ...(kept?.omitted == null
      ? []
      : [kept.omitted === 'cut' ? '    body not read to its end, or too large to be kept' : '    body is no JSON']),
    ...(kept?.body == null ? [] : [`    ${kept.body}`]),
  ];
  return lines.map(shown).join('\n');
}

function viewJson(tenant: string, view: DirectoryView): object {
  const { profile, tokens, clients, lastCycle, lastRequestAt, lastWriteAt, pausedAt, ...rest } = view;
  const credential = (one: DirectoryView['tokens'][number]) => ({
    id: one.credentialId,
    name: one.prefix,
    live: one.live,
    createdAt: iso(one.createdAt),
    lastUsedAt: iso(one.lastUsedAt),
    lastUsedFrom: one.lastUsedFrom,
    expiresAt: iso(one.expiresAt),
  });
  return {
    ...rest,
    pausedAt: iso(pausedAt),
    next: nextStep(tenant, view)?.command ?? null,
    profile: { ...profile, since: iso(profile.since) },
    lastRequestAt: iso(lastRequestAt),
    lastWriteAt: iso(lastWriteAt),
    lastCycle: lastCycle && { ...lastCycle, beganAt: iso(lastCycle.beganAt), at: iso(lastCycle.at) },
    tokens: tokens.map(credential),
    clients: clients.map(credential),
  };
}
