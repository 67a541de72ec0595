import { counted } from '../core/counted.ts';
import { applyConfig } from '../operations/apply-config.ts';
import { accepted, type Command, required } from './command.ts';
import { reportJson } from './plan.ts';
import { filesOf, impossible } from './tenant-files.ts';

export const apply: Command = {
  usage: 'apply --digest D',
  summary: 'bring the configuration files into force, if that is exactly the plan with this digest',
  options: { digest: { type: 'string' } },
  async run(world, values) {
    const digest = required(values, 'digest');
    const files = await filesOf(world);
    const outcome = await applyConfig(world.context, files.tenants, digest);
    if (outcome.kind === 'impossible') throw impossible(files, outcome.faults);
    const { report } = accepted(outcome);
    const { gaining, losing, sessionsEnding } = report.counts;
    const changes = counted(report.changes.length, 'change');
    const text = `Applied: ${changes}; gained: ${gaining}, lost: ${losing}, signed out: ${sessionsEnding}.`;
    return { text, json: { applied: true, ...reportJson(report) } };
  },
};
