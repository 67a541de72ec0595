// What a command of the command line is, and how it says no.

import type { ParseArgsConfig } from 'node:util';
import type { Context } from '../context.ts';
import type { Refusal } from '../core/errors.ts';
import { parseTenantSlug, type TenantSlug } from '../core/ids.ts';
import { namedTenant } from '../operations/name-tenant.ts';
import { nameSubject, type SubjectRef, type TenantRef } from '../operations/standing.ts';
import type { ServerSettings } from '../settings.ts';
import type { World } from '../world.ts';

/** What commands may use: the same database that the server uses, and the settings it would start with. */
export type CliWorld = { readonly context: Context; readonly settings: ServerSettings; readonly world: World };

export type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export type Command = {
  readonly usage: string;
  readonly summary: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  run(world: CliWorld, values: Values): Promise<CommandResult>;
};

export type CommandResult = {
  /** `text` for a person, `json` for a program: the same facts. */
  readonly text: string;
  readonly json: unknown;
  /** 0 where nothing is said. */
  readonly exitCode?: number;
  /** Colours a line of the text, where that goes to a terminal that shows colours. */
  readonly paint?: (line: string) => string;
};

/** One plain sentence on stderr and a non-zero exit. */
export class CliError extends Error {}

/** Said with the command's use behind it. */
export class MissingOption extends CliError {}

export function required(values: Values, name: string): string {
  const value = values[name];
  if (typeof value !== 'string' || value === '') throw new MissingOption(`--${name} is missing.`);
  return value;
}

export function optional(values: Values, name: string): string | null {
  const value = values[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

export function many(values: Values, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value : [];
}

export function slugOf(text: string): TenantSlug {
  const slug = parseTenantSlug(text);
  if (slug === null)
    throw new CliError(`${JSON.stringify(text)} is no Tenant ID: those are 2 to 63 of a-z, 0-9 and single hyphens.`);
  return slug;
}

export function accepted<T extends object>(outcome: T | Refusal): Exclude<T, Refusal> {
  if ('kind' in outcome && outcome.kind === 'refused') throw new CliError((outcome as Refusal).message);
  return outcome as Exclude<T, Refusal>;
}

/** The tenant of `--tenant`. */
export async function tenantOf(world: CliWorld, values: Values, name = 'tenant'): Promise<TenantRef> {
  return accepted(await namedTenant(world.context, slugOf(required(values, name))));
}

/** The tenant of `--tenant` and the subject there of `--user`: an id, an address or a user name. */
export async function subjectOf(
  world: CliWorld,
  values: Values,
): Promise<{ tenant: TenantRef; subject: SubjectRef & { name: string } }> {
  const tenant = await tenantOf(world, values);
  const found = accepted(await nameSubject(world.context, tenant.tenantId, required(values, 'user')));
  return { tenant, subject: { ...found, name: found.email ?? found.userName } };
}
