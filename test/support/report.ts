// What a run of the tests came to, for whoever counts it. Vitest's own report in JSON leaves out the errors that no test caught.

import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** The variable that names where the report is to go. */
export const REPORT_TO = 'DRAWBRIDGE_TEST_REPORT';

/** How many tests of one file ended how. A file that could not be loaded, or beside whose tests an error went uncaught, failed once. */
export type FileReport = {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
};
/** `homeless`: errors of which nobody knows in whose file they came up. */
export type Report = { readonly files: readonly FileReport[]; readonly homeless: number };

/** Writes a Report to this path when the tests have run. */
export function reportTo(path: string): Reporter {
  return {
    onTestRunEnd(modules, errors) {
      const places = errors.map((error) => error.VITEST_TEST_PATH);
      const files = modules.map((one) => reportOf(one, places.includes(one.moduleId)));
      const known = new Set<unknown>(files.map(({ name }) => name));
      const report: Report = { files, homeless: places.filter((place) => !known.has(place)).length };
      writeFileSync(path, JSON.stringify(report));
    },
  };
}

function reportOf(file: TestModule, uncaught: boolean): FileReport {
  const states = [...file.children.allTests()].map((test) => test.result().state);
  const count = (state: string) => states.filter((one) => one === state).length;
  const failed = count('failed');
  const once = failed === 0 && (uncaught || !file.ok()) ? 1 : 0;
  return { name: file.moduleId, passed: count('passed'), failed: failed + once, skipped: count('skipped') };
}
