import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const tree = mkdtempSync(join(tmpdir(), 'drawbridge-arrows-'));
afterAll(() => rmSync(tree, { recursive: true, force: true }));

/** What a part may not import, and why nobody should be able to sneak it in. */
const forbidden: Record<string, readonly string[]> = {
  'src/core': [
    'pg',
    'zod',
    'node:crypto',
    '../context.ts',
    '../store/apply.ts',
    '../operations/sign-in.ts',
    '../scim/x.ts',
  ],
  'src/operations': [
    'pg',
    'express',
    'zod',
    'node:fs',
    'nodemailer',
    '../scim/x.ts',
    '../pages/x.ts',
    '../settings.ts',
  ],
  'src/store': [
    'express',
    'samlify',
    'zod',
    'oidc-provider',
    '../operations/sign-in.ts',
    '../scim/x.ts',
    '../settings.ts',
  ],
  'src/scim': [
    '../core/../store/database.ts',
    './../store/database.ts',
    'pg',
    'knex',
    'openid-client',
    '../store/database.ts',
    '../upstream/flow.ts',
    '../provider/x.ts',
    '../server.ts',
  ],
  'src/upstream': ['pg', 'samlify', 'openid-client', 'oidc-provider', 'scimmy', '../store/database.ts', '../scim/x.ts'],
  'src/upstream/saml.ts': ['openid-client', '../store/database.ts', '../pages/x.ts'],
  'src/upstream/oidc.ts': ['samlify', '../store/database.ts', '../pages/x.ts'],
  'src/provider': ['pg', 'openid-client', 'samlify', 'graphile-worker', '../store/database.ts', '../pages/x.ts'],
  'src/admin': ['objection', 'nodemailer', '../store/models.ts', '../cli/main.ts', '../server.ts'],
  'src/pages': ['oidc-provider', 'yaml', '../store/database.ts', '../provider/x.ts', '../main.ts'],
  'src/mail': ['pg', 'graphile-worker', 'express', '../store/jobs.ts', '../admin/router.ts'],
  'src/cli': ['pg', 'yaml', 'express', 'nodemailer', '../store/database.ts', '../mail/x.ts'],
  'src/server.ts': ['pg', 'knex', 'oidc-provider', 'samlify', 'nodemailer', 'pino', 'yaml'],
  'src/log.ts': ['pg', 'express', './server.ts', './store/database.ts'],
  'src/health.ts': ['pg', 'pino', './server.ts', './store/database.ts'],
  'src/settings.ts': ['pg', 'pino', 'yaml', './server.ts', './store/database.ts'],
  'src/config-files': [
    'pg',
    'yaml',
    'express',
    '../store/database.ts',
    '../operations/apply-config.ts',
    '../settings.ts',
  ],
  'src/config-files/yaml-text.ts': ['zod', '../store/database.ts'],
};

const allowed: Record<string, readonly string[]> = {
  'src/core': ['./ids.ts'],
  'src/operations': ['./sign-in.ts', '../core/access.ts', '../store/apply.ts', '../context.ts'],
  'src/store': ['./models.ts', '../core/change.ts', '../context.ts', 'pg', 'knex', 'node:crypto'],
  'src/store/jobs.ts': ['graphile-worker', 'pg'],
  'src/scim': [
    './codec.ts',
    '../operations/provision-user.ts',
    '../core/errors.ts',
    'express',
    'zod',
    'scimmy',
    'node:crypto',
  ],
  'src/upstream': ['libxml2-wasm', '../operations/sign-in.ts', 'node:dns/promises'],
  'src/upstream/saml.ts': ['samlify'],
  'src/upstream/oidc.ts': ['openid-client'],
  'src/provider': ['oidc-provider', '../operations/read-access.ts'],
  'src/mail': ['nodemailer'],
  'src/cli': [
    '../operations/plan-config.ts',
    '../config-files/tenant-folder.ts',
    '../settings.ts',
    '../world.ts',
    'node:util',
  ],
  'src/server.ts': ['express', './scim/router.ts', './store/database.ts', './provider/provider.ts'],
  'src/log.ts': ['pino', './context.ts'],
  'src/health.ts': ['prom-client', 'express'],
  'src/settings.ts': ['zod', 'node:fs', './config-files/problem.ts'],
  'src/config-files': ['./problem.ts', '../core/config.ts', 'zod', 'node:fs/promises'],
  'src/config-files/yaml-text.ts': ['yaml'],
  'test/store': ['pg', '../../src/store/database.ts', 'node:crypto'],
};

/** Every way to import; each takes one line. */
const forms = [
  (specifier: string) => `import '${specifier}';`,
  (specifier: string) => `import type { A } from '${specifier}';`,
  (specifier: string) => `await import('${specifier}');`,
  (specifier: string) => `export { a } from '${specifier}';`,
];
const linesFor = (specifiers: readonly string[]) =>
  specifiers.flatMap((specifier) => forms.map((form) => form(specifier)));

const fileOf = (part: string) => (part.endsWith('.ts') ? part : `${part}/planted.ts`);

function plant(file: string, source: string): void {
  mkdirSync(join(tree, dirname(file)), { recursive: true });
  writeFileSync(join(tree, file), source);
}

/** Runs one rule of the project's own configuration over the planted tree: the lines that it refuses, in each file. */
function check(rule: string): ReadonlyMap<string, number[]> {
  cpSync(join(root, '.biome.json'), join(tree, '.biome.json'));
  const args = ['lint', '--vcs-enabled=false', `--only=${rule}`, '--reporter=github', '--max-diagnostics=none', '.'];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/@biomejs/biome/bin/biome'), ...args],
    { cwd: tree, encoding: 'utf8' },
  );
  const found = new Map<string, number[]>();
  for (const [, file = '', line = ''] of stdout.matchAll(/^::error .*?file=([^,]+),line=(\d+)/gm)) {
    const name = relative(tree, file);
    found.set(name, [...(found.get(name) ?? []), Number(line)]);
  }
  for (const lines of found.values()) lines.sort((a, b) => a - b);
  if (found.size === 0) throw new Error(`The checker refused nothing: ${stderr}`);
  return found;
}

describe('import arrows', () => {
  const parts = [...new Set([...Object.keys(forbidden), ...Object.keys(allowed)])];
  for (const part of parts)
    plant(fileOf(part), linesFor([...(forbidden[part] ?? []), ...(allowed[part] ?? [])]).join('\n'));
  const found = check('style/noRestrictedImports');

  for (const [part, specifiers] of Object.entries(forbidden)) {
    test(`${part} cannot import ${specifiers.join(', ')}, in whatever form`, () => {
      const count = specifiers.length * forms.length;
      expect(found.get(fileOf(part))?.filter((line) => line <= count)).toEqual(
        Array.from({ length: count }, (_, i) => i + 1),
      );
    });
  }
  for (const [part, specifiers] of Object.entries(allowed)) {
    test(`${part} may import ${specifiers.join(', ')}`, () => {
      const before = (forbidden[part] ?? []).length * forms.length;
      expect((found.get(fileOf(part)) ?? []).filter((line) => line > before)).toEqual([]);
    });
  }
});

test('only settings, tests and scripts read the environment', () => {
  for (const folder of ['src/core', 'src/store', 'src/scim', 'src/cli', 'test', 'scripts'])
    plant(`${folder}/env.ts`, 'process.env.HOME;');
  plant('src/settings.ts', 'process.env.HOME;');
  const found = [...check('style/noProcessEnv').keys()];
  expect(found.sort()).toEqual(['src/cli/env.ts', 'src/core/env.ts', 'src/scim/env.ts', 'src/store/env.ts']);
});

test('no default exports, no barrels, and file names in kebab case', () => {
  plant('src/core/default.ts', 'export default 1;');
  plant('src/core/barrel.ts', "export * from './ids.ts';");
  plant('src/core/camelCase.ts', 'export const a = 1;');
  expect([...check('style/noDefaultExport').keys()]).toEqual(['src/core/default.ts']);
  expect([...check('performance/noBarrelFile').keys()]).toContain('src/core/barrel.ts');
  expect([...check('style/useFilenamingConvention').keys()]).toEqual(['src/core/camelCase.ts']);
});
