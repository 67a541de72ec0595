// The command line: as it is run, another process on the database of the test, and without the start of a process.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { CliWorld, CommandResult, Values } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands.ts';
import type { Context } from '../../src/context.ts';
import { contextOf } from '../../src/world.ts';
import { silent, type TestWorld } from './world.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** What a process needs to work on the world's database. */
export function processEnv({ url, masterKey }: TestWorld): Readonly<Record<string, string>> {
  return { DATABASE_URL: url, DRAWBRIDGE_MASTER_KEY: Buffer.from(masterKey).toString('base64') };
}

export type CommandRun = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Starts a command. Of this process's own environment it gets only the path. */
export function startCommand(
  env: NodeJS.ProcessEnv,
  args: readonly string[],
): { readonly child: ChildProcess; readonly ended: Promise<CommandRun> } {
  const child = spawn(process.execPath, ['--disable-proto=delete', main, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (out.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (out.stderr += data.toString()));
  const ended = new Promise<CommandRun>((resolve) => child.on('close', (code) => resolve({ code, ...out })));
  return { child, ended };
}

/** Runs a command to its end. */
export const runCommand = (env: NodeJS.ProcessEnv, args: readonly string[]): Promise<CommandRun> =>
  startCommand(env, args).ended;

/** A command's result, or its error thrown, without the start of a process. `args` begin with the command's two words. */
export async function callCommand(
  world: TestWorld,
  settings: object,
  args: readonly string[],
): Promise<CommandResult & { readonly asJson: boolean }> {
  const command = commands.get(args.slice(0, 2).join(' '));
  if (command === undefined) throw new Error(`there is no command ${args.join(' ')}`);
  const options = { ...command.options, json: { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: args.slice(2), options });
  const { database, secrets } = world;
  const contextFor = (caller: Context['caller']) => contextOf({ database, secrets, log: silent }, caller);
  const cliWorld = {
    context: world.context(),
    settings,
    world: { database, secrets, settings, log: silent, contextFor },
  };
  const result = await command.run(cliWorld as unknown as CliWorld, values as Values);
  return { ...result, asJson: values.json === true };
}
