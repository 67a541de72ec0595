// The doctor of a directory: makes the calls that Okta and Entra ID make, over the same way, and says what is wrong with the answers.

import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { counted } from '../core/counted.ts';
import { doctorAgent, doctorDomain } from '../core/directory-doctor.ts';
import { openLoopbackScim } from '../loopback-scim.ts';
import { beginDoctorVisit, type DoctorVisit, endDoctorVisit } from '../operations/doctor-visit.ts';
import type { TenantRef } from '../operations/standing.ts';
import { accepted, CliError, type CliWorld, type Command, optional, required, tenantOf } from './command.ts';
import { guardText } from './connection-text.ts';
import type { Call, Idp } from './doctor-call.ts';
import { entraCalls, entraHeaders, entraPeople } from './doctor-entra.ts';
import type { EntraCast } from './doctor-entra-cast.ts';
import { type OktaCast, oktaCalls, oktaHeaders, oktaPeople } from './doctor-okta.ts';
import { isWell, paintVisit, type Visited, visitJson, visitText } from './doctor-report.ts';
import { type Left, makeCalls, type PutAway, putAway, type Visit } from './doctor-run.ts';
import { interruption } from './interruption.ts';
import { member, type ScimClient, scimClient } from './scim-http.ts';

const headers = { okta: oktaHeaders, entra: entraHeaders } as const;

export const scimDoctor: Command = {
  usage: 'scim doctor --tenant T --directory C [--url https://…] [--idp okta|entra|all] [--verbose]',
  summary: 'make the calls of Okta and Entra ID against a directory, judge each answer, and put everything away again',
  options: {
    tenant: { type: 'string' },
    directory: { type: 'string' },
    // What every other command calls it.
    connection: { type: 'string' },
    url: { type: 'string' },
    idp: { type: 'string' },
    verbose: { type: 'boolean' },
  },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const key = optional(values, 'connection') ?? required(values, 'directory');
    const idps = idpsOf(optional(values, 'idp') ?? 'all');
    const path = `/scim/v2/${tenant.slug}/${key}`;
    const url = addressOf(optional(values, 'url') ?? world.settings.publicUrl, path, world.settings.publicUrl);
    const people = (idps.includes('okta') ? oktaPeople : 0) + (idps.includes('entra') ? entraPeople : 0);
    const visit = accepted(await beginDoctorVisit(world.context, tenant, key, people));
    const stop = interruption();
    const left: Left[] = [];
    const client = scimClient(url, visit.token);
    let away: PutAway = { calls: [], users: [], count: { users: 0, groups: 0 }, behind: [] };
    const base = `${world.settings.publicUrl}${path}`;
    try {
      await preflight(client, url);
      const reason = reasonForReadsOnly(visit, `--tenant ${tenant.slug} --connection ${key}`, people);
      const { calls, notes } = callsOf(visit, idps);
      const gapMs = visit.requestsPerSecond === null ? 0 : 2000 / visit.requestsPerSecond;
      const whole: Visit = { client, base, headers, onlyReads: reason?.short ?? null, gapMs, signal: stop.signal };
      const made = await makeCalls(whole, calls, left);
      away = await clear(world, tenant, visit, { client, path, left });
      left.length = 0;
      const visited: Visited = {
        directory: `${tenant.slug}/${key}`,
        url,
        notes: [...notesOf(visit), ...(reason === null ? [] : [reason.long]), ...notes],
        calls: made,
        putAway: away.calls,
        count: away.count,
        behind: away.behind,
        stopped: stop.signal.aborted,
      };
      const verbose = values.verbose === true;
      const text = visitText(visited, verbose);
      return { text, json: visitJson(visited, verbose), exitCode: isWell(visited) ? 0 : 1, paint: paintVisit };
    } finally {
      try {
        if (left.length > 0) away = await clear(world, tenant, visit, { client, path, left });
      } finally {
        client.close();
        await endDoctorVisit(world.context, tenant, visit, away.users);
        stop.done();
      }
    }
  },
};

function idpsOf(text: string): readonly Idp[] {
  if (text === 'all') return ['okta', 'entra'];
  if (text === 'okta' || text === 'entra') return [text];
  throw new CliError('--idp is okta, entra or all.');
}

/** The directory's address at a server, or the directory's own address as an identity provider is given it. */
function addressOf(given: string, path: string, publicUrl: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new CliError('--url is the address of the server, such as https://login.example.com.');
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !loopback && url.origin !== new URL(publicUrl).origin)
    throw new CliError(`A token is not sent to ${url.host} without https.`);
  const address = url.pathname.replace(/\/+$/, '');
  if (!address.endsWith(path) && /\/scim\/v2\/[^/]+\/[^/]+$/.test(address))
    throw new CliError(`--url is the address of another directory: this one is at ${path}.`);
  return `${url.origin}${address.endsWith(path) ? address : `${address}${path}`}`;
}

/** Whether it is this server that answers there, before anything is made. */
async function preflight(client: ScimClient, url: string): Promise<void> {
  const request = {
    method: 'GET',
    target: '/ServiceProviderConfig',
    headers: { 'User-Agent': doctorAgent },
    body: null,
  };
  const answer = await client.ask(request).catch((error: Error) => error);
  if (answer instanceof Error)
    throw new CliError(
      `The server cannot be reached at ${url}: ${answer.message}. Give the address at which it answers with --url.`,
    );
  if (answer.status === 401 && isScim(answer.headers))
    throw new CliError(
      `The server at ${url} does not know the token that was just made: it works with another database than this command.`,
    );
  if (answer.status !== 200 || member(answer.json, 'schemas') === undefined)
    throw new CliError(
      `What answers at ${url} is no SCIM server: status ${answer.status}, ${String(answer.headers['content-type'] ?? 'no media type')}. Look at what stands before the server, or give another --url.`,
    );
}

function isScim(given: Readonly<Record<string, unknown>>): boolean {
  return String(given['content-type'] ?? '').startsWith('application/scim+json');
}

function notesOf({ held, requestsPerSecond }: DoctorVisit): readonly string[] {
  return [
    'Its requests are in the request log and its people are counted by the guard, like any other traffic, while it is there.',
    ...(held ? ['The directory is held: what it pushes lands, and gives nobody a role.'] : []),
    ...(requestsPerSecond === null
      ? []
      : [`The directory may send ${counted(requestsPerSecond, 'request')} a second; half of that is used.`]),
  ];
}

/** Why nothing may be changed, in short for each call and once as a sentence; null if it may. */
function reasonForReadsOnly(
  { pausedAt, guardInTheWay }: DoctorVisit,
  where: string,
  people: number,
): { readonly short: string; readonly long: string } | null {
  if (pausedAt !== null) {
    const since = new Date(pausedAt).toISOString();
    return {
      short: 'the directory is paused',
      long: `The directory is paused since ${since} and refuses every change: only reading calls are made. See: drawbridge directory plan ${where}`,
    };
  }
  if (guardInTheWay === null) return null;
  return {
    short: 'the guard leaves no room',
    long: `The calls touch ${people} people, and by as many more the guard (${guardText(guardInTheWay)}) would pause the directory: only reading calls are made. For all of them, raise the guard for the visit.`,
  };
}

const NAMES_TRIED = 50;

/** The calls with names of this visit alone, and what has to be said of them. */
function callsOf(
  visit: DoctorVisit,
  idps: readonly Idp[],
): { readonly calls: readonly Call[]; readonly notes: readonly string[] } {
  const mark = randomBytes(8).toString('hex');
  const at = (name: string) => `${mark}.${name}@${doctorDomain}`;
  const [oktaGroup, entraGroup] = ['okta', 'entra'].map((idp) => freeName(visit, idp));
  const okta: OktaCast = {
    userName: at('okta1'),
    otherName: at('okta2'),
    externalId: `00u${randomBytes(9).toString('hex')}`,
    otherExternalId: `00u${randomBytes(9).toString('hex')}`,
    unknownId: randomUUID(),
    groupName: oktaGroup ?? null,
  };
  const entra: EntraCast = {
    userName: at('entra1'),
    otherName: at('entra2'),
    thirdName: at('entra3'),
    externalId: randomUUID(),
    otherExternalId: randomUUID(),
    thirdExternalId: randomUUID(),
    email: at('mail1'),
    otherEmail: at('mail2'),
    newEmail: at('mail3'),
    unknown: randomUUID(),
    groupName: entraGroup ?? null,
    groupExternalId: randomUUID(),
    newGroupExternalId: randomUUID(),
  };
  const calls = idps.flatMap((idp) => (idp === 'okta' ? oktaCalls(okta) : entraCalls(entra)));
  const noName =
    (idps.includes('okta') && okta.groupName === null) || (idps.includes('entra') && entra.groupName === null);
  const notes = noName ? ['Whatever a group is called, a rule speaks of it: no call is made that needs a group.'] : [];
  return { calls, notes };
}

/** A name that no rule speaks of, also when it is renamed. It begins with any letter or digit alike: a rule may speak of most of them. */
function freeName({ isSpokenOf }: DoctorVisit, idp: string): string | null {
  for (let tries = 0; tries < NAMES_TRIED; tries += 1) {
    const random = randomInt(36).toString(36) + randomBytes(8).toString('hex');
    const name = `${random} ${idp} doctor`;
    if (!isSpokenOf(name) && !isSpokenOf(`${name} renamed`)) return name;
  }
  return null;
}

type Cleared = { readonly client: ScimClient; readonly path: string; readonly left: readonly Left[] };

/** Over the way that the calls took; what cannot be put away there, straight at the database. */
async function clear(world: CliWorld, tenant: TenantRef, visit: DoctorVisit, cleared: Cleared): Promise<PutAway> {
  const { client, path, left } = cleared;
  const away = await putAway({ client, headers }, left);
  if (away.behind.length === 0) return away;
  const server = await openLoopbackScim(world.world, tenant.tenantId, { letters: true });
  const direct = scimClient(`${server.url}${path}`, visit.token);
  try {
    const again = await putAway({ client: direct, headers }, left);
    return {
      calls: [...away.calls, ...again.calls],
      users: [...new Set([...away.users, ...again.users])],
      count: { users: away.count.users + again.count.users, groups: away.count.groups + again.count.groups },
      behind: again.behind,
    };
  } finally {
    direct.close();
    await server.close();
  }
}
