// A directory that is held, or that its guard has paused: what letting it go on does to people, and doing that.

import { applyHold, planHold } from '../operations/hold-directory.ts';
import type { ConfigReport } from '../operations/plan-config.ts';
import { planResume } from '../operations/plan-resume.ts';
import { showDirectory } from '../operations/read-directories.ts';
import { discardPaused, resumeDirectory } from '../operations/resume-directory.ts';
import { accepted, CliError, type CliWorld, type Command, required, tenantOf, type Values } from './command.ts';
import { type NamedDirectory, pausedJson, pausedText, type Standing, standingText } from './paused-plan.ts';
import { reportJson, reportText } from './plan.ts';
import { filesOf, impossible } from './tenant-files.ts';

const which = { tenant: { type: 'string' }, connection: { type: 'string' } } as const;
const planned = { ...which, digest: { type: 'string' } } as const;

async function named(world: CliWorld, values: Values): Promise<NamedDirectory> {
  const tenant = await tenantOf(world, values);
  const connection = required(values, 'connection');
  return { tenant, connection, options: `--tenant ${tenant.slug} --connection ${connection}` };
}

export const directoryPlan: Command = {
  usage: 'directory plan --tenant T --connection C [--all]',
  summary:
    'who gains what if a held directory is activated; who loses what if a paused one is resumed, or an active one is held',
  options: { ...which, all: { type: 'boolean' } },
  async run(world, values) {
    const directory = await named(world, values);
    const { tenant, connection, options } = directory;
    const standing = accepted(await planResume(world.context, tenant, connection));
    if (standing.kind === 'paused') {
      return {
        text: pausedText(directory, standing, values.all === true),
        json: pausedJson(standing),
      };
    }
    const held = !standing.held;
    const report = accepted(await planHold(world.context, tenant, connection, held));
    const verb = held ? 'hold' : 'activate';
    const file = await fileDisagrees(world, directory, held);
    const lines = [
      `The directory ${connection} of ${tenant.slug} is ${standingText(standing)}.`,
      `If it is ${held ? 'held' : 'activated'}:`,
      '',
      reportText(report),
      '',
      ...(file === null ? [] : [`First: ${file}`]),
      `To do exactly this: drawbridge directory ${verb} ${options} --digest ${report.digest}`,
    ];
    const state = !standing.enabled ? 'off' : standing.held ? 'held' : 'active';
    return { text: lines.join('\n'), json: { state, held: standing.held, file, ...reportJson(report) } };
  },
};

export const directoryActivate = holdCommand('activate', false, 'let the groups of a held directory give their roles');
export const directoryHold = holdCommand(
  'hold',
  true,
  'go on taking pushes, and let the directory’s groups give nobody a role',
);

function holdCommand(name: string, held: boolean, summary: string): Command {
  return {
    usage: `directory ${name} --tenant T --connection C --digest D`,
    summary: `${summary}, if that is exactly the plan with this digest`,
    options: planned,
    async run(world, values) {
      const directory = await named(world, values);
      const digest = required(values, 'digest');
      const file = await fileDisagrees(world, directory, held);
      if (file !== null) throw new CliError(file);
      const outcome = await applyHold(world.context, directory.tenant, directory.connection, held, digest);
      if (outcome.kind === 'impossible') throw impossible(await filesOf(world), outcome.faults);
      const { report } = accepted(outcome);
      const { enabled } = accepted(await showDirectory(world.context, directory.tenant, directory.connection));
      return {
        text: heldText(directory, { enabled, held }, report),
        json: { [held ? 'held' : 'activated']: true, ...reportJson(report) },
      };
    },
  };
}

function heldText(
  { tenant, connection }: NamedDirectory,
  { enabled, held }: Standing,
  { counts }: ConfigReport,
): string {
  const { gaining, losing, sessionsEnding } = counts;
  const state = held ? 'held' : enabled ? 'active' : 'not held any more, but switched off';
  return `The directory ${connection} of ${tenant.slug} is ${state}; gained: ${gaining}, lost: ${losing}, signed out: ${sessionsEnding}.`;
}

/**
 * The file is what holds: where it says otherwise, the next `apply` would undo what is done here. The line to change, or null.
 */
async function fileDisagrees(
  world: CliWorld,
  { tenant, connection }: NamedDirectory,
  held: boolean,
): Promise<string | null> {
  const files = await filesOf(world);
  const file = files.tenants.find((one) => one.slug === tenant.slug);
  const written = file?.connections.find((one) => one.key === connection);
  if (written === undefined || written.scimHeld === held) return null;
  const path = ['connections', connection, 'scimHeld'];
  const found = held ? 'false' : 'true';
  const expected = held ? 'true, so that it stays held when the files are applied' : 'false, or the line taken out';
  return impossible(files, [{ tenant: tenant.slug, path, found, expected }]).message;
}

export const directoryResume: Command = {
  usage: 'directory resume --tenant T --connection C --digest D',
  summary:
    'do what a paused directory asked for, if that is exactly the plan with this digest, and take its pushes again',
  options: planned,
  async run(world, values) {
    const { tenant, connection } = await named(world, values);
    const done = accepted(await resumeDirectory(world.context, tenant, connection, required(values, 'digest')));
    const { deactivated, removed, left, groupsEnded, kept } = done;
    const text = `The directory ${connection} of ${tenant.slug} goes on. Deactivated: ${deactivated}, removed: ${removed}, memberships ended: ${left}, groups ended: ${groupsEnded}, administrators kept: ${kept}.`;
    return { text, json: { resumed: true, deactivated, removed, membershipsEnded: left, groupsEnded, kept } };
  },
};

export const directoryDiscard: Command = {
  usage: 'directory discard --tenant T --connection C',
  summary: 'forget what a paused directory asked for, and take its pushes again',
  options: which,
  async run(world, values) {
    const { tenant, connection } = await named(world, values);
    const { acts } = accepted(await discardPaused(world.context, tenant, connection));
    const count = Object.values(acts).reduce((sum, one) => sum + one, 0);
    const text = `The directory ${connection} of ${tenant.slug} goes on. What it asked for is forgotten (${count}); what it asks for again is counted anew.`;
    return { text, json: { discarded: true, acts } };
  },
};
