import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { REPORT_TO, reportTo } from './support/report.ts';

const report = process.env[REPORT_TO];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    reporters: report === undefined ? ['default'] : ['default', reportTo(report)],
    globalSetup: ['test/support/global-setup.ts'],
    // Two cores are what a small CI machine has; more workers than cores make timing tests lie.
    maxWorkers: 2,
    pool: 'forks',
    // As the server runs: nothing may depend on `__proto__`.
    execArgv: ['--disable-proto=delete', '--disable-warning=ExperimentalWarning'],
    // Where several servers and their databases share two cores, time alone may fail a test once; a second failure is a finding.
    retry: process.env.CI === undefined ? 0 : 1,
    testTimeout: process.env.CI === undefined ? 60_000 : 120_000,
    hookTimeout: process.env.CI === undefined ? 90_000 : 180_000,
    // What is waited for comes when it comes: a test that sets a time of its own says how soon.
    expect: { poll: { timeout: 20_000, interval: 25 } },
  },
});
