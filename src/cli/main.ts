#!/usr/bin/env node
// The command line: the same database as the server's, results on stdout and nothing else there.

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BridgeError } from '../core/errors.ts';
import { openLog } from '../log.ts';
import { readSettings, type ServerSettings } from '../settings.ts';
import { openWorld, type World } from '../world.ts';
import { CliError, type Command, MissingOption } from './command.ts';
import { asksForHelp, findCommand, helpText } from './help.ts';
import { shownLines } from './shown.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let world: World | undefined;
  let usage = '';
  try {
    if (args[0] === '--version' || args[0] === '-v') {
      process.stdout.write(`${version()}\n`);
      return 0;
    }
    if (asksForHelp(args)) {
      process.stdout.write(helpText(args));
      return 0;
    }
    const { command, rest } = findCommand(args);
    usage = command.usage;
    const { values } = parse(command, rest);
    const read = readSettings();
    if (read.kind === 'refused') throw new CliError(read.problems.join('\n'));
    refuseEmptyFolder(read.settings);
    world = await openWorld({ ...read.settings, databasePoolSize: 2 }, openLog('warn', { toStderr: true }));
    const actor = { kind: 'operator', name: operatorName() } as const;
    const context = world.contextFor({ actor, requestId: randomUUID() });
    const result = await command.run({ context, settings: read.settings, world }, values);
    const lines = shownLines(result.text).split('\n');
    const text = lines.map(result.paint ?? ((line) => line)).join('\n');
    process.stdout.write(`${values.json === true ? JSON.stringify(result.json, null, 2) : text}\n`);
    return result.exitCode ?? 0;
  } catch (error) {
    const hint = error instanceof MissingOption ? ` Usage: ${usage}` : '';
    process.stderr.write(`${shownLines(sentence(error))}${hint}\n`);
    return 1;
  } finally {
    await world?.close();
  }
}

function version(): string {
  const { version: of } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return of as string;
}

/** A mistyped folder must not become an installation of its own, in which nobody is found. */
function refuseEmptyFolder({ databaseUrl, dataFolder }: ServerSettings): void {
  if (databaseUrl !== null || existsSync(join(dataFolder, 'postgres'))) return;
  throw new CliError(
    `There is no database in ${dataFolder}: start the server first, and give the command the same environment.`,
  );
}

function parse(command: Command, rest: readonly string[]) {
  try {
    return parseArgs({
      args: [...rest],
      options: { ...command.options, json: { type: 'boolean' } },
      strict: true,
      allowPositionals: false,
    });
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : 'Bad arguments').split(/\.( |$)/);
    throw new CliError(`${reason}. Usage: ${command.usage}`);
  }
}

/** One plain sentence: refusals and known failures as they are, a broken machine without its insides. */
function sentence(error: unknown): string {
  if (error instanceof CliError || error instanceof BridgeError) return error.message;
  if (error instanceof Error) return error.message.split('\n')[0] ?? 'Failed.';
  return 'Failed.';
}

function operatorName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
