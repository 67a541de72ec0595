import type { Bar, Reason } from '../core/access.ts';
import type { Administrator } from '../core/change.ts';
import { approveUser } from '../operations/approve-user.ts';
import { assignRole } from '../operations/assign-role.ts';
import { endRole } from '../operations/end-role.ts';
import { listUsers } from '../operations/list-users.ts';
import { type AccessRead, readAccess } from '../operations/read-access.ts';
import { openRequest } from '../operations/request-access.ts';
import { setActive } from '../operations/set-active.ts';
import { suspend } from '../operations/suspend.ts';
import { accepted, CliError, type CliWorld, type Command, optional, required, subjectOf, tenantOf } from './command.ts';
import { shown } from './shown.ts';
import { table } from './table.ts';
import { iso } from './time.ts';

const who = { tenant: { type: 'string' }, user: { type: 'string' } } as const;

export const userList: Command = {
  usage: 'user list --tenant T',
  summary: 'people of a tenant and its guests, with state and roles',
  options: { tenant: { type: 'string' } },
  async run(world, values) {
    const tenant = await tenantOf(world, values);
    const rows: string[][] = [];
    const json: unknown[] = [];
    for await (const user of listUsers(world.context, tenant)) {
      const roles = user.access.roles.map((role) => role.role);
      const badges = [
        stateText(user),
        ...(user.requestedAt === null ? [] : [`access requested ${day(user.requestedAt)}`]),
      ];
      rows.push([
        user.email ?? user.userName,
        user.kind === 'guest' ? `guest of ${user.homeTenant}` : 'user',
        badges.join(', '),
        roles.join('; '),
      ]);
      json.push({
        id: user.subjectId,
        kind: user.kind,
        homeTenant: user.homeTenant,
        userName: user.userName,
        email: user.email,
        displayName: user.displayName,
        state: user.access.state,
        bars: user.bars,
        roles,
        accessRequestedAt: iso(user.requestedAt),
        lastSignInAt: iso(user.lastSignInAt),
      });
    }
    return { text: table(['USER', 'KIND', 'STATE', 'ROLES'], rows), json };
  },
};

export const userShow: Command = {
  usage: 'user show --tenant T --user U',
  summary: 'one person: state, roles and why',
  options: who,
  async run(world, values) {
    const { tenant, subject } = await subjectOf(world, values);
    const slug = subject.kind === 'guest' ? tenant.slug : null;
    const read = await readAccess(world.context, subject.person, slug);
    if (read === null) throw new CliError('There is no such user.');
    const request = await openRequest(world.context, subject.person, slug);
    const lines = [
      `${subject.name} (${subject.kind} ${subject.subjectId})`,
      `  state            ${stateText(read)}${read.bars.length === 0 ? '' : ' (NO_ACCESS)'}`,
      `  allowed tenants  ${read.allowed.join(', ') || '-'}`,
      `  access requested ${request === null ? '-' : day(request.requestedAt)}`,
      ...read.access.roles.flatMap((role) => [
        `  ${role.role}`,
        ...role.because.map((reason) => `    because ${reasonText(reason)}`),
      ]),
    ];
    return {
      text: lines.map(shown).join('\n'),
      json: {
        id: subject.subjectId,
        kind: subject.kind,
        tenant: tenant.slug,
        homeTenant: read.home,
        userName: read.profile.userName,
        email: read.profile.email,
        displayName: read.profile.displayName,
        state: read.access.state,
        bars: read.bars,
        roles: read.access.roles.map((role) => role.role),
        because: read.access.roles,
        allowedTenants: read.allowed,
        accessRequestedAt: iso(request?.requestedAt ?? null),
      },
    };
  },
};

/** Whoever is kept out by more than one thing is not let in by the end of one of them. */
function stateText({ access, bars }: Pick<AccessRead, 'access' | 'bars'>): string {
  return bars.length > 1 ? bars.join(' and ') : access.state;
}

export const userSuspend: Command = {
  usage: 'user suspend --tenant T --user U [--reason TEXT]',
  summary: 'set to NO_ACCESS until an administrator assigns a role',
  options: { ...who, reason: { type: 'string' } },
  async run(world, values) {
    const { tenant, subject } = await subjectOf(world, values);
    const outcome = accepted(await suspend(world.context, tenant, subject, optional(values, 'reason')));
    const text = outcome.already ? `${subject.name} was suspended before.` : `${subject.name} is suspended: NO_ACCESS.`;
    return { text, json: { id: subject.subjectId, state: 'suspended', already: outcome.already } };
  },
};

export const userAssignRole: Command = {
  usage: "user assign-role --tenant T --user U --role 'Workspace: Role'",
  summary: 'give a role; lifts a suspension',
  options: { ...who, role: { type: 'string' } },
  async run(world, values) {
    const { tenant, subject } = await subjectOf(world, values);
    const outcome = accepted(
      await assignRole(world.context, tenant, subject, required(values, 'role'), administrator(world)),
    );
    const read = await readAccess(world.context, subject.person, subject.kind === 'guest' ? tenant.slug : null);
    const held = read?.access.roles.some((role) => role.role === outcome.role) ?? false;
    const lifted = outcome.lifted ? '; the suspension is lifted' : '';
    const text = held
      ? `${subject.name} holds ${outcome.role}${lifted}.`
      : `${outcome.role} is assigned to ${subject.name}${lifted}; it does not count while they are ${read?.access.state ?? 'gone'}.`;
    return {
      text,
      json: { id: subject.subjectId, role: outcome.role, lifted: outcome.lifted, already: outcome.already },
    };
  },
};

export const userEndRole: Command = {
  usage: "user end-role --tenant T --user U --role 'Workspace: Role'",
  summary: 'take a granted role away; no suspension, what groups map stays',
  options: { ...who, role: { type: 'string' } },
  async run(world, values) {
    const { tenant, subject } = await subjectOf(world, values);
    const outcome = accepted(
      await endRole(world.context, tenant, subject, required(values, 'role'), administrator(world)),
    );
    return {
      text: `${subject.name} no longer has ${outcome.role} by a grant.`,
      json: { id: subject.subjectId, role: outcome.role },
    };
  },
};

export const userApprove: Command = {
  usage: 'user approve --tenant T --user U',
  summary: 'let somebody in who registered and waits; gives no role',
  options: who,
  async run(world, values) {
    const { tenant, subject } = await subjectOf(world, values);
    const outcome = accepted(await approveUser(world.context, tenant, subject, administrator(world)));
    const text = `${subject.name} ${outcome.already ? 'was approved before' : 'is approved'}.`;
    return { text, json: { id: subject.subjectId, approved: true, already: outcome.already } };
  },
};

export const userDeactivate = switchCommand('deactivate', false, 'Is Active off: may not sign in');
export const userActivate = switchCommand('activate', true, 'Is Active on: whatever held before holds again');

/** What keeps somebody out though their switch is on, and until when. */
const stays = {
  deactivated: 'deactivated, until a directory that knows them and is neither held nor switched off has them active',
  pending: 'pending, until an administrator approves them',
  suspended: 'suspended, until an administrator assigns a role',
} as const satisfies Record<Bar, string>;

function switchCommand(name: string, active: boolean, summary: string): Command {
  return {
    usage: `user ${name} --tenant T --user U [--reason TEXT]`,
    summary,
    options: { ...who, reason: { type: 'string' } },
    async run(world, values) {
      const { tenant, subject } = await subjectOf(world, values);
      const outcome = accepted(await setActive(world.context, tenant, subject, active, optional(values, 'reason')));
      const read = await readAccess(world.context, subject.person, null);
      if (read === null) throw new CliError('There is no such user.');
      const { access, bars } = read;
      // Not "active": a suspended person whose switch is on is suspended.
      const done = `Is Active ${outcome.already ? 'was' : 'is now'} ${active ? 'on' : 'off'} for ${subject.name}.`;
      return {
        text: [done, ...(active ? bars.map((bar) => `They stay ${stays[bar]}.`) : [])].join('\n'),
        json: { id: subject.subjectId, active, already: outcome.already, state: access.state, bars },
      };
    },
  };
}

/** The operator behind the command line, who has an administrator's authority. */
export function administrator(world: CliWorld): Administrator {
  const { actor } = world.context.caller;
  if (actor.kind !== 'operator') throw new Error('the command line acts as the operator');
  return actor;
}

export function reasonText(reason: Reason): string {
  if (reason.kind === 'grant') return `assigned by ${reason.by || 'an administrator'} (${reason.source})`;
  const { group } = reason;
  const name = group.kind === 'directory' ? group.displayName : group.kind === 'asserted' ? group.value : group.name;
  return `rule "${reason.rule}" maps group "${name}"`;
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
