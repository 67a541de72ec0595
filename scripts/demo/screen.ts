// What the demo shows: numbered steps, what was expected of each, and at the end whether all of it held.

const colours = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
const bold = paint(1);
const dim = paint(2);
const red = paint(31);
const green = paint(32);
const cyan = paint(36);

export type Screen = {
  title(text: string): void;
  step(text: string): void;
  /** Something that is so, for reading. */
  say(text: string): void;
  /** What was expected, and whether it holds. */
  expect(text: string, holds: boolean, found?: unknown): void;
  /** A value, indented. */
  show(value: string): void;
  readonly passed: number;
  readonly failed: number;
};

export function openScreen(): Screen {
  let steps = 0;
  let passed = 0;
  let failed = 0;
  const line = (text: string) => process.stdout.write(`${text}\n`);
  return {
    title: (text) => line(`\n${bold(text)}`),
    step(text) {
      steps += 1;
      line(`\n${cyan(`${String(steps).padStart(2)}`)}  ${bold(text)}`);
    },
    say: (text) => line(`    ${text}`),
    expect(text, holds, found) {
      if (holds) passed += 1;
      else failed += 1;
      line(`    ${holds ? green('✓') : red('✗')} ${text}`);
      if (!holds && found !== undefined) line(red(`      found: ${JSON.stringify(found)}`));
    },
    show: (value) =>
      line(
        value
          .split('\n')
          .map((row) => dim(`      ${row}`))
          .join('\n'),
      ),
    get passed() {
      return passed;
    },
    get failed() {
      return failed;
    },
  };
}
