/**
 * Makes `dist/` for the published package: Node strips no types under node_modules, so the package carries JavaScript.
 *
 * The tree below `dist` is that of the checkout (`dist/src`, `dist/db`, `dist/config`), so that files find one another by the
 * same relative paths.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

const fail = (reason: string): never => {
  process.stderr.write(`prepack: ${reason}\n`);
  process.exit(1);
};

rmSync(dist, { recursive: true, force: true });

const compiler = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', join(root, 'scripts/tsconfig.prepack.json')], {
  // npm pack prints the package's name on standard output; what the compiler says is not for there.
  stdio: ['ignore', 2, 2],
});
if (status !== 0) fail('the sources do not compile; nothing was packed.');

// Style sheets, schemas, page scripts: whatever lies beside the code and is not code.
const isSource = (file: string) => statSync(file).isFile() && file.endsWith('.ts');
cpSync(join(root, 'src'), join(dist, 'src'), { recursive: true, filter: (file) => !isSource(file) });
for (const folder of ['db', 'config']) cpSync(join(root, folder), join(dist, folder), { recursive: true });
writeFileSync(join(dist, 'package.json'), readFileSync(join(root, 'package.json')));

for (const file of globSync('src/**/*.js', { cwd: dist }).map((name) => join(dist, name))) {
  const emitted = readFileSync(file, 'utf8');
  // The compiler rewrites imports, and not the addresses of worker threads.
  const rewritten = emitted.replace(/(new URL\(\s*['"`]\.{1,2}\/[^'"`]+)\.ts(['"`],\s*import\.meta\.url)/g, '$1.js$2');
  if (rewritten !== emitted) writeFileSync(file, rewritten);
}

const missing = Object.values(
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).bin as Record<string, string>,
)
  .map((file) => join(root, file))
  .filter((file) => !existsSync(file));
if (missing.length > 0) fail(`the package names programs that were not made: ${missing.join(', ')}`);
