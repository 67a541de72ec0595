/**
 * `npm run test:interop`: suites and clients that we did not write, against a real server over HTTP; `-- scim2-tester okta` narrows
 * them. Installs what they need by itself, from Debian, PyPI and Maven Central, into a cache.
 *
 * The last line is `N passed, M failed`, counting checks. A failure that interop/explained.ts knows by name counts as neither.
 */
import { type Directory, startDirectories } from './interop/directories.ts';
import { explained } from './interop/explained.ts';
import { oktaSpec } from './interop/okta-spec.ts';
import { scimmyParser } from './interop/scimmy-parser.ts';
import { java, python, run, type Tool } from './interop/tools.ts';
import { type Found, judge, type Verdict } from './interop/verdict.ts';

type Suite = {
  readonly name: string;
  readonly what: string;
  /** Fewer checks than this mean that it stopped early. */
  readonly atLeast: number;
  /** False where the suite has no right values for attributes of type decimal, binary and dateTime. */
  readonly everyType?: false;
  readonly tool?: () => Promise<unknown>;
  readonly run: (directory: Directory) => Promise<readonly Found[]>;
};

const LIMIT = 6 * 60_000;
const started = Date.now();
const say = (line: string) => process.stdout.write(`${line}\n`);

const once = (install: () => Promise<Tool>) => {
  let installed: Promise<Tool> | undefined;
  return () => {
    installed ??= install();
    return installed;
  };
};
const tools = { python: once(python), java: once(java) };

/** A program that says what it found, one JSON object a line. */
const program = (tool: keyof typeof tools, file: string) => ({
  tool: tools[tool],
  run: (directory: Directory) => findings(tools[tool], file, directory),
});

async function findings(tool: () => Promise<Tool>, file: string, directory: Directory): Promise<readonly Found[]> {
  const { command, args } = await tool();
  const env = { BASE_URL: directory.baseUrl, TOKEN: directory.token };
  const { code, stdout, stderr } = await run(command, args(file), { limit: LIMIT, env });
  const found = stdout.split('\n').filter((line) => line.startsWith('{'));
  if (code !== 0) throw new Error(`it ended with code ${code} after ${found.length} checks:\n${stderr.slice(-3000)}`);
  return found.map((line) => JSON.parse(line) as Found);
}

const suites: readonly Suite[] = [
  {
    name: 'scim2-tester',
    what: 'conformance suite (PyPI)',
    atLeast: 177,
    everyType: false,
    ...program('python', 'tester.py'),
  },
  { name: 'scim-sanity', what: 'conformance probe (PyPI)', atLeast: 31, ...program('python', 'sanity.py') },
  {
    name: 'scim2-client',
    what: 'Python client, and its own evaluation (PyPI)',
    atLeast: 97,
    ...program('python', 'client.py'),
  },
  {
    name: 'unboundid',
    what: 'UnboundID SCIM 2 SDK, and its own evaluation (Maven Central)',
    atLeast: 101,
    ...program('java', 'UnboundId'),
  },
  { name: 'goldfish', what: 'SCIM-SDK client (Maven Central)', atLeast: 12, ...program('java', 'Goldfish') },
  { name: 'okta', what: 'the assertions of Okta’s SPEC test', atLeast: 9, run: oktaSpec },
  { name: 'scimmy', what: 'scimmy as the reader of our answers (npm)', atLeast: 16, run: scimmyParser },
];

const wanted = process.argv.slice(2);
if (wanted.includes('--help')) {
  say(`usage: npm run test:interop -- [suite]…\n`);
  for (const { name, what } of suites) say(`  ${name.padEnd(14)} ${what}`);
  process.exit(0);
}
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  process.stderr.write(`There is no suite ${unknown.join(', ')}: ${suites.map(({ name }) => name).join(', ')}.\n`);
  process.exit(2);
}
const chosen = suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

const directories = await startDirectories(chosen.map(({ name, everyType = true }) => ({ key: name, everyType })));
let stopping: Promise<void> | undefined;
const stop = () => {
  stopping ??= directories.stop();
  return stopping;
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stop().then(() => process.exit(130)));

say(`Server at ${directories.publicUrl}, one directory for each of ${chosen.length} suites.`);
const verdicts: Verdict[] = [];
try {
  const perform = async (suite: Suite): Promise<void> => {
    let begun = Date.now();
    const found = await Promise.resolve(suite.tool?.())
      .then(() => {
        begun = Date.now();
        return directories.directory(suite.name);
      })
      .then(suite.run)
      .catch((error: Error): readonly Found[] => [
        { check: 'the suite runs', outcome: 'failed', detail: error.message },
      ]);
    const verdict = judge(suite, found, explained);
    verdicts.push(verdict);
    show(suite, verdict, Date.now() - begun);
  };
  // The tools are fetched while the suites that need none run.
  await Promise.all(chosen.map(perform));
} finally {
  await stop();
}

const sum = (count: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + count(verdict), 0);
const failed = sum((verdict) => verdict.failed.length);
say(
  `\n${sum((verdict) => verdict.explained.length)} explained in docs/interop.md; ${Math.round((Date.now() - started) / 1000)} s.`,
);
say(`${sum((verdict) => verdict.passed)} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function show(suite: Suite, { passed, explained: known, failed: bad }: Verdict, ms: number): void {
  const counts = [`${passed} hold`, `${known.length} explained`, `${bad.length} not`].join(', ');
  say(`\n== ${suite.name}: ${suite.what}: ${counts} (${(ms / 1000).toFixed(1)} s)`);
  for (const { check, because } of known) say(`   ~ ${check}\n       ${because}`);
  for (const { check, detail } of bad) say(`   ✗ ${check}\n       ${detail.trim().split('\n').join('\n       ')}`);
}
