// The programs and packages that the suites need, installed once into a cache outside the checkout and found there afterwards.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const MINUTE = 60_000;

/** A program for the suites of one language, with what it needs before a suite's own arguments. */
export type Tool = { readonly command: string; readonly args: (program: string) => readonly string[] };
export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end, or to `limit` milliseconds. Resolves whatever it ends with; a missing one is code 127. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly limit: number; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string },
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk) => (stderr += chunk));
    const timer = setTimeout(() => {
      stderr += `\nstopped after ${options.limit / 1000} s`;
      child.kill('SIGKILL');
    }, options.limit);
    const stop = () => child.kill('SIGKILL');
    process.once('exit', stop);
    const end = (code: number | null, more = '') => {
      clearTimeout(timer);
      process.off('exit', stop);
      resolve({ code, stdout, stderr: stderr + more });
    };
    child.once('error', (error) => end(127, error.message));
    child.once('close', (code) => end(code));
  });
}

async function succeeds(command: string, ...args: readonly string[]): Promise<boolean> {
  return (await run(command, args, { limit: MINUTE })).code === 0;
}

let installing: Promise<unknown> = Promise.resolve();

/** Debian's packages, where they are missing and we may install them; else one sentence that says what to install. */
async function need(what: string, packages: readonly string[], isThere: () => Promise<boolean>): Promise<void> {
  if (await isThere()) return;
  // One at a time: apt has one lock.
  const turn = installing.then(async () => {
    const root = process.getuid?.() === 0;
    const mayInstall = (await succeeds('apt-get', '--version')) && (root || (await succeeds('sudo', '-n', 'true')));
    if (!mayInstall)
      throw new Error(`${what} is needed: install ${packages.join(', ')} (Debian's names) and try again.`);
    const apt = (...args: readonly string[]) => {
      const words = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args];
      return root
        ? run('env', words.slice(1), { limit: 8 * MINUTE })
        : run('sudo', ['-n', ...words], { limit: 8 * MINUTE });
    };
    await apt('update');
    const installed = await apt('install', '-y', '--no-install-recommends', ...packages);
    if (!(await isThere())) throw new Error(`${what} could not be installed:\n${installed.stderr.slice(-2000)}`);
  });
  installing = turn.catch(() => undefined);
  await turn;
}

/** Outside the checkout, so that a fresh clone and another branch find what was fetched before. */
function cacheFolder(): string {
  const wanted = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  try {
    mkdirSync(wanted, { recursive: true });
    accessSync(wanted, constants.W_OK);
    return join(wanted, 'drawbridge', 'interop');
  } catch {
    return join(tmpdir(), `drawbridge-interop-cache-${process.getuid?.() ?? 0}`);
  }
}

/**
 * A folder of the cache that `make` filled, made anew whenever one of `sources` changes. Renamed into place when it is whole, so that
 * an interrupted run leaves nothing that looks finished.
 */
async function cached(
  name: string,
  sources: readonly string[],
  more: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(more);
  for (const source of sources) hash.update(source).update(readFileSync(join(here, source)));
  const folder = join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  try {
    await make(draft);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Another run may have put the same there in the meantime.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function step(what: string, command: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await run(command, args, { limit: 6 * MINUTE });
  if (code !== 0) throw new Error(`${what} failed (code ${code}):\n${(stdout + stderr).trim().slice(-2000)}`);
}

/** Python with the packages of python/requirements.txt, each checked against its hash. */
export async function python(): Promise<Tool> {
  const minimum = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))';
  await need('Python 3.11 or later with venv', ['python3', 'python3-venv'], () => succeeds('python3', '-c', minimum));
  const { stdout: version } = await run('python3', ['-c', 'import sys; print(sys.version, sys.prefix)'], {
    limit: MINUTE,
  });
  const folder = await cached('python', ['python/requirements.txt'], version, async (draft) => {
    await step('python3 -m venv', 'python3', ['-m', 'venv', draft]);
    const flags = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary=:all:'];
    const requirements = join(here, 'python', 'requirements.txt');
    await step('pip install', join(draft, 'bin', 'python'), ['-m', 'pip', 'install', ...flags, '-r', requirements]);
  });
  return {
    command: join(folder, 'bin', 'python'),
    args: (program) => ['-B', '-W', 'ignore', join(here, 'python', program)],
  };
}

/** The Java programs, compiled with the libraries of java/pom.xml. */
export async function java(): Promise<Tool> {
  const javac = async () =>
    /^javac (1[7-9]|[2-9]\d)\b/.test((await run('javac', ['-version'], { limit: MINUTE })).stdout);
  await need('A JDK 17 or later with Maven', ['default-jdk-headless', 'maven'], async () => {
    return (await javac()) && (await succeeds('mvn', '--version'));
  });
  const programs = readdirSync(join(here, 'java/src/main/java/interop')).sort();
  const sources = ['java/pom.xml', ...programs.map((file) => `java/src/main/java/interop/${file}`)];
  const folder = await cached('java', sources, '', (draft) => {
    const flags = ['--batch-mode', '--quiet', '--strict-checksums', '--file', join(here, 'java', 'pom.xml')];
    const folders = [`-Dbuild.folder=${draft}`, `-Dmaven.repo.local=${join(cacheFolder(), 'maven')}`];
    return step('mvn compile', 'mvn', [...flags, ...folders, 'compile']);
  });
  const path = [join(folder, 'classes'), join(folder, 'lib', '*')].join(':');
  return { command: 'java', args: (program) => ['-Xshare:auto', '-cp', path, `interop.${program}`] };
}
