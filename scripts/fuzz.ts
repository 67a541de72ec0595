// A long attack on SCIM, for as long as somebody likes: `npm run fuzz -- --minutes 10 --seed 7`. With the same seed it asks the same.

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { atEnd, endOnSignals, endRun } from './bench/ending.ts';
import { openPlace } from './bench/place.ts';
import { attack, type Report } from './fuzz/run.ts';
import { openStage } from './fuzz/stage.ts';

const usage = `usage: npm run fuzz -- [options]

  --minutes N     how long (default 10)
  --requests N    how many at most
  --seed N        which ones; one that was found with is printed (default: any)
`;

const say = (line: string) => process.stderr.write(`fuzz: ${line}\n`);

try {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      requests: { type: 'string' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) process.stdout.write(usage);
  else {
    const minutes = number('--minutes', values.minutes);
    const requests = values.requests === undefined ? Number.MAX_SAFE_INTEGER : number('--requests', values.requests);
    process.exitCode = await run(
      values.seed === undefined ? randomInt(2 ** 31) : number('--seed', values.seed),
      minutes,
      requests,
    );
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function number(name: string, text: string): number {
  if (!/^\d{1,10}(\.\d+)?$/.test(text)) throw new Error(`${name} is a number.`);
  return Number(text);
}

async function run(seed: number, minutes: number, requests: number): Promise<number> {
  say(`seed ${seed}`);
  endOnSignals();
  try {
    const place = await openPlace();
    const stage = await openStage(await place.database('fuzz'), place.folder);
    atEnd(() => stage.close());
    const report = await attack(stage, { seed, requests, milliseconds: minutes * 60_000, onProgress: say });
    tell(report, seed);
    return report.findings.length === 0 ? 0 : 1;
  } finally {
    await endRun();
  }
}

function tell(report: Report, seed: number): void {
  const counts = (map: ReadonlyMap<string, number>) =>
    [...map]
      .map(([name, count]) => `${name} ${count}`)
      .sort()
      .join(', ');
  const { findings, livezMs } = report;
  for (const { fault, request, answer } of findings)
    process.stdout.write(`\n${fault}\n  ${request ?? ''}\n  ${answer ?? ''}\n`);
  process.stdout.write(`
seed ${seed}: ${report.requests} requests, ${findings.length} findings
kinds: ${counts(report.byKind)}
answers: ${counts(report.byStatus)}
longest stall ${report.longestStallMs.toFixed(0)} ms; by itself at most ${report.heaviest.ms.toFixed(0)} ms: ${report.heaviest.request.slice(0, 300)}
slowest answer ${report.slowestAnswer.ms.toFixed(0)} ms: ${report.slowestAnswer.request.slice(0, 300)}
/livez beside it: median ${livezMs.p50.toFixed(1)} ms, longest ${livezMs.max.toFixed(0)} ms
`);
}
