// Which command is meant, and what is said where none is.

import { CliError, type Command } from './command.ts';
import { commands } from './commands.ts';

const HELP: ReadonlySet<string> = new Set(['--help', '-h', 'help']);

/** True where help is asked for: by its name in the first place, or by an option anywhere. */
export function asksForHelp(args: readonly string[]): boolean {
  return args.length === 0 || args[0] === 'help' || args.some((word) => word === '--help' || word === '-h');
}

/** The commands whose names begin with these words, each with its use. Refuses words that no command begins with. */
export function helpText(args: readonly string[]): string {
  const given = args.filter((word) => !HELP.has(word) && word !== '--json');
  const option = given.findIndex((word) => word.startsWith('-'));
  const words = option === -1 ? given : given.slice(0, option);
  const chosen = [...commands].filter(([name]) => `${name} `.startsWith(words.map((word) => `${word} `).join('')));
  if (chosen.length === 0) throw unknownCommand(words);
  const lines = chosen.map(([, command]) => `  ${command.usage}\n      ${command.summary}`);
  const end = [
    'Every command takes --json; --version alone says the version. The result is on standard output; an error is on standard error, with exit code 1.',
    'It works on the database of the server: give it the same settings and the same folder. In a checkout: npm run -s cli -- <command>',
  ];
  return `drawbridge <command> [options]\n\n${lines.join('\n')}\n\n${end.join('\n')}\n`;
}

/** The command that the arguments begin with. `--json` may stand before it. */
export function findCommand(given: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  const first = given.findIndex((word) => word !== '--json');
  const args = first < 1 ? given : [...given.slice(first), '--json'];
  for (const words of [2, 1]) {
    const command = commands.get(args.slice(0, words).join(' '));
    if (command !== undefined) return { command, rest: args.slice(words) };
  }
  throw unknownCommand(args.slice(0, 2).filter((word) => !word.startsWith('-')));
}

function unknownCommand(words: readonly string[]): CliError {
  const near = [...commands.keys()].filter((name) => name.split(' ')[0] === words[0]);
  if (near.length > 0)
    return new CliError(`There is no command ${JSON.stringify(words.join(' '))}; there is ${near.join(', ')}.`);
  const none = words.length === 0 ? 'The command is missing' : `There is no command ${JSON.stringify(words.join(' '))}`;
  return new CliError(`${none}: --help shows them all.`);
}
