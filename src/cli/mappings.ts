import type { Person } from '../core/ids.ts';
import { mapGuest, unmapGuest } from '../operations/map-guest.ts';
import { nameSubject } from '../operations/standing.ts';
import { accepted, CliError, type CliWorld, type Command, many, required, tenantOf, type Values } from './command.ts';
import { administrator } from './users.ts';

const ends = { tenant: { type: 'string' }, source: { type: 'string' }, user: { type: 'string' } } as const;

export const mappingAdd: Command = {
  usage: "mapping add --tenant TARGET --source HOME --user U [--role 'Workspace: Role']… [--group G]… [--all-roles]",
  summary: 'let a person of a tenant above into this one, with roles there',
  options: {
    ...ends,
    role: { type: 'string', multiple: true },
    group: { type: 'string', multiple: true },
    'all-roles': { type: 'boolean' },
  },
  async run(world, values) {
    const { target, person, name } = await endsOf(world, values);
    const roles = values['all-roles'] === true ? 'all' : many(values, 'role');
    const outcome = accepted(
      await mapGuest(world.context, target, person, { roles, groups: many(values, 'group') }, administrator(world)),
    );
    const held = outcome.suspended
      ? 'suspended there, so no role was given: assign one to lift it'
      : outcome.roles.length === 0
        ? 'without a role yet'
        : `with ${outcome.roles.join('; ')}`;
    return {
      text: `${name} is mapped into ${target.slug}, ${held}.`,
      json: {
        guestId: outcome.guestId,
        tenant: target.slug,
        roles: outcome.roles,
        suspended: outcome.suspended,
        already: outcome.already,
      },
    };
  },
};

export const mappingRemove: Command = {
  usage: 'mapping remove --tenant TARGET --source HOME --user U',
  summary: 'end that; the tenant leaves allowed_tenants at the next refresh',
  options: ends,
  async run(world, values) {
    const { target, person, name } = await endsOf(world, values);
    accepted(await unmapGuest(world.context, target, person, administrator(world)));
    return { text: `${name} is no longer mapped into ${target.slug}.`, json: { tenant: target.slug, removed: true } };
  },
};

async function endsOf(
  world: CliWorld,
  values: Values,
): Promise<{ target: Awaited<ReturnType<typeof tenantOf>>; person: Person; name: string }> {
  const target = await tenantOf(world, values);
  const source = await tenantOf(world, values, 'source');
  const found = accepted(await nameSubject(world.context, source.tenantId, required(values, 'user')));
  if (found.kind === 'guest')
    throw new CliError(`${required(values, 'user')} is a guest in ${source.slug}: mappings are not passed on.`);
  return { target, person: found.person, name: found.email ?? found.userName };
}
