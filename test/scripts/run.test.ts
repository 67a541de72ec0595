import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begun } from '../support/begun.ts';

const runner = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
let root = '';
let children: ChildProcess[] = [];

/** A checkout with one file to run, and in npm's place a script that notes how often it was asked to install. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drawbridge-run-'));
  mkdirSync(join(root, 'scripts'));
  copyFileSync(runner, join(root, 'scripts', 'run.mjs'));
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: {} }));
  writeFileSync(
    join(root, 'npm-cli.cjs'),
    `const fs = require('node:fs');
     fs.appendFileSync('installs', process.argv.slice(2).join(' ') + '\\n');
     console.log('npm speaks');
     if (fs.existsSync('fail-install')) process.exit(1);
     setTimeout(() => fs.mkdirSync('node_modules', { recursive: true }), 300);`,
  );
  writeFileSync(
    join(root, 'program.ts'),
    `const [what, value]: string[] = process.argv.slice(2);
     process.on('SIGTERM', () => { console.log('drained'); process.exit(7); });
     console.log('ran', process.argv.slice(2).join('|'));
     if (what === 'exit') process.exit(Number(value));
     if (what === 'signal') process.kill(process.pid, 'SIGKILL');
     if (what === 'variables') console.log(Object.keys(process.env).filter((name) => name.startsWith('DRAWBRIDGE_')).join());
     if (what === 'wait') setInterval(() => {}, 1_000);`,
  );
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  rmSync(root, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  const env = { PATH: process.env.PATH, HOME: root, npm_execpath: join(root, 'npm-cli.cjs') };
  const child = spawn(process.execPath, [join(root, 'scripts', 'run.mjs'), 'program.ts', ...args], { env });
  children.push(child);
  return child;
}

async function result(child: ChildProcess) {
  const written = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (written.stdout += chunk));
  child.stderr?.on('data', (chunk) => (written.stderr += chunk));
  const [code, signal] = await once(child, 'close');
  return { code, signal, ...written };
}

const installs = () =>
  existsSync(join(root, 'installs')) ? readFileSync(join(root, 'installs'), 'utf8').trim().split('\n') : [];

describe('npm scripts', () => {
  test('install packages once, without install scripts, and leave standard output to the program', async () => {
    const first = await result(start('a', 'b c'));
    expect(first).toMatchObject({ code: 0, stdout: 'ran a|b c\n' });
    expect(first.stderr).toContain('npm speaks');
    await result(start());
    expect(installs()).toHaveLength(1);
    expect(installs()[0]).toMatch(/^ci --ignore-scripts /);
  });

  test('leave no variable of their own behind, of which the server would warn', async () => {
    expect((await result(start('variables'))).stdout).toBe('ran variables\n\n');
  });

  test('install again when the lock file changed', async () => {
    await result(start());
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: { '': {} } }));
    rmSync(join(root, 'node_modules', '.package-lock.json'), { force: true });
    await result(start());
    expect(installs()).toHaveLength(2);
  });

  test('started at once, install once, and both run', async () => {
    const both = await Promise.all([result(start('first')), result(start('second'))]);
    expect(both.map(({ stdout }) => stdout)).toEqual(['ran first\n', 'ran second\n']);
    expect(installs()).toHaveLength(1);
  });

  test('take over from an installation whose process is gone', async () => {
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    writeFileSync(join(root, '.install-lock'), JSON.stringify({ host: hostname(), pids: [gone.pid] }));
    expect(await result(start())).toMatchObject({ code: 0 });
    expect(existsSync(join(root, '.install-lock'))).toBe(false);
  });

  test('say in one sentence that the installation failed, and run nothing', async () => {
    writeFileSync(join(root, 'fail-install'), '');
    const { code, stdout, stderr } = await result(start());
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('drawbridge: installing the packages failed (npm ci ended with code 1;');
    expect(existsSync(join(root, '.install-lock'))).toBe(false);
  });

  test('end as the program ends: with its code, or by its signal', async () => {
    expect(await result(start('exit', '3'))).toMatchObject({ code: 3 });
    expect(await result(start('signal'))).toMatchObject({ signal: 'SIGKILL' });
  });

  test('pass SIGTERM on, and wait until the program has drained', async () => {
    const child = start('wait');
    const ended = begun(result(child));
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 7, stdout: 'ran wait\ndrained\n' });
  });

  test('killed outright, tell the program to end', async () => {
    const child = start('wait');
    const ended = begun(result(child));
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    child.kill('SIGKILL');
    // Standard output closes when the program, too, has ended.
    expect(await ended).toMatchObject({ signal: 'SIGKILL', stdout: 'ran wait\ndrained\n' });
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test.runIf(process.platform === 'linux')(`tell the program to end when npm itself gets ${signal}`, async () => {
      writeFileSync(
        join(root, 'npm.cjs'),
        `const { spawn } = require('node:child_process');
         const shell = spawn('sh', ['-c', process.argv[2] + '; :'], { stdio: 'inherit' });
         process.on('SIGTERM', () => { shell.kill('SIGTERM'); process.exit(143); });`,
      );
      const command = `${process.execPath} ${join(root, 'scripts', 'run.mjs')} program.ts wait`;
      const env = { PATH: process.env.PATH, npm_execpath: join(root, 'npm-cli.cjs'), npm_lifecycle_event: 'start' };
      const npm = spawn(process.execPath, [join(root, 'npm.cjs'), command], { env });
      children.push(npm);
      const ended = begun(result(npm));
      await once(npm.stdout, 'data');
      npm.kill(signal);
      expect((await ended).stdout).toBe('ran wait\ndrained\n');
    });
  }
});
