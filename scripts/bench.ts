// How fast the server is, as ratios to what the machine can do and to a peer, all measured in one run: `npm run bench -- --help`.

import { readOptions, usage } from './bench/options.ts';
import { runBench } from './bench/run.ts';

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(usage);
  else process.exitCode = await runBench(options);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
