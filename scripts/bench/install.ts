// Programs that only the bench needs, installed beside the packages and outside the lock file.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './measured-process.ts';
import { say } from './progress.ts';

const run = promisify(execFile);

/** Installs `name@version` once and returns the file that importing `name` loads. No install scripts are run. */
export async function install(spec: string, name: string): Promise<string> {
  const folder = join(root, 'node_modules', '.cache', 'bench', spec.replace(/[^a-z0-9.-]+/gi, '-'));
  if (!existsSync(folder)) {
    say(`installing ${spec} (once)`);
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    writeFileSync(join(fresh, 'package.json'), '{ "private": true }');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    try {
      await run('npm', ['install', ...flags, spec], { cwd: fresh, timeout: 600_000, maxBuffer: 16 * 1024 * 1024 });
      renameSync(fresh, folder);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
      throw new Error(`npm could not install ${spec}: ${said}\nCheck the network or registry, and try again.`);
    }
  }
  return createRequire(join(folder, 'package.json')).resolve(name);
}
