// The load generator: wrk, which takes the least of the cores that the server and the database need, else autocannon.

import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { runIsOver } from './ending.ts';
import { install } from './install.ts';
import { say } from './progress.ts';
import { type Traffic, writer } from './traffic.ts';

const run = promisify(execFile);

export type LoadResult = {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers of 400 and above. */
  readonly refused: number;
  /** Connections that failed, and answers that never came. */
  readonly broken: number;
};

export type Load = {
  readonly name: string;
  send(baseUrl: string, token: string, traffic: Traffic, seconds: number): Promise<LoadResult>;
};

/** Connections at once: enough that neither the server nor the database ever waits for a request. */
export const CONNECTIONS = 16;
const AUTOCANNON = 'autocannon@8.0.0';

/** Finds wrk, installs it where this user may (Debian, root), else installs autocannon in the cache. */
export async function openLoad(folder: string): Promise<Load> {
  if (!hasWrk() && process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0) {
    say('installing wrk');
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'wrk'], { stdio: 'ignore', timeout: 120_000 });
  }
  return hasWrk() ? wrk(folder) : autocannon();
}

function hasWrk(): boolean {
  return spawnSync('wrk', ['--version']).error === undefined;
}

function wrk(folder: string): Load {
  const version = spawnSync('wrk', ['--version'], { encoding: 'utf8' }).stdout.split(/ \[|\n/)[0];
  const script = fileURLToPath(new URL('./wrk.lua', import.meta.url));
  const file = join(folder, 'traffic.lua');
  return {
    name: `${version}, one thread`,
    async send(baseUrl, token, traffic, seconds) {
      writeFileSync(file, asLua(new URL(baseUrl).pathname, token, traffic), { mode: 0o600 });
      const connections = traffic.connections ?? CONNECTIONS;
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', script, baseUrl, '--', file];
      const { stdout } = await run('wrk', args, { timeout: (seconds + 60) * 1000, signal: runIsOver });
      const result = /^RESULT (.*)$/m.exec(stdout)?.[1];
      if (result === undefined) throw new Error(`wrk gave no result:\n${stdout}`);
      return JSON.parse(result) as LoadResult;
    },
  };
}

function asLua(prefix: string, token: string, traffic: Traffic): string {
  const text = (value: string) => `[==[${value}]==]`;
  const [head = '', item, tail = ''] = traffic.body?.split(/\{<|>\}/) ?? [];
  const fields = [
    `method = ${text(traffic.method)}`,
    `path = ${text(`${prefix}${traffic.path}`)}`,
    `from = ${traffic.from}`,
    `pool = ${traffic.pool}`,
    `seed = ${traffic.from % 2 ** 31}`,
    `headers = { authorization = ${text(`Bearer ${token}`)}, ["content-type"] = "application/scim+json" }`,
    ...(traffic.body === null ? [] : [`body = ${text(traffic.body)}`]),
    ...(item === undefined
      ? []
      : [
          `head = ${text(head)}`,
          `item = ${text(item)}`,
          `tail = ${text(tail)}`,
          `["repeat"] = ${traffic.repeat ?? 1}`,
        ]),
  ];
  return `return {\n${fields.join(',\n')}\n}\n`;
}

type Autocannon = (options: object) => Promise<{
  readonly requests: { readonly total: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly duration: number;
  readonly non2xx: number;
  readonly errors: number;
}>;

async function autocannon(): Promise<Load> {
  const entry = await install(AUTOCANNON, 'autocannon');
  const { default: shoot } = (await import(pathToFileURL(entry).href)) as { default: Autocannon };
  return {
    name: `${AUTOCANNON}, in the bench's own process`,
    async send(baseUrl, token, traffic, seconds) {
      const next = writer(traffic);
      const { pathname, origin } = new URL(baseUrl);
      const setupRequest = (request: object) => {
        const { path, body } = next();
        return { ...request, path: `${pathname}${path}`, ...(body === null ? {} : { body }) };
      };
      const shot = await shoot({
        url: origin,
        connections: traffic.connections ?? CONNECTIONS,
        duration: seconds,
        timeout: 30,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
        requests: [{ method: traffic.method, setupRequest }],
      });
      return {
        requests: shot.requests.total,
        seconds: shot.duration,
        p50: shot.latency.p50,
        p99: shot.latency.p99,
        refused: shot.non2xx,
        broken: shot.errors,
      };
    },
  };
}
