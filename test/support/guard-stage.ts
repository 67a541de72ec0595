// What tests of the guard begin with: a directory that is guarded as each of them says, and that nobody has been touched by yet.

import { newServers, setDirectory } from './directory-settings.ts';
import type { DirectoryClient } from './scim.ts';
import { type ScimStage, scimStage } from './scim-stage.ts';
import type { TestWorld } from './world.ts';

/** Nobody was touched, nothing is paused. */
export async function forgetGuards(world: TestWorld): Promise<void> {
  for (const table of ['directory_guard_acts', 'directory_guard_people', 'directory_guards'])
    await world.sql(`delete from ${table}`);
}

/** Without `okta`: which of its clients is meant has to be said, a guarded one or a free one. */
export type GuardStage = Omit<ScimStage, 'okta'> & {
  /** The directory okta with a guard of so many people in an hour, or with none; whom it touched before is forgotten. */
  withGuard(people: number | null): Promise<DirectoryClient>;
  /** Nothing of a guard is left. */
  unguard(): Promise<void>;
};

export type Guarding = Pick<GuardStage, 'withGuard' | 'unguard'>;

export async function guardStage(): Promise<GuardStage> {
  const { okta: _, ...stage } = await guarding(await scimStage());
  return stage;
}

/** For a stage that has more: whoever uses its own client of okta must not have set a guard a second ago. */
export async function guarding<Stage extends ScimStage>(stage: Stage): Promise<Stage & Guarding> {
  const { world, tenants, okta } = stage;
  const servers = newServers(world);
  return {
    ...stage,
    async withGuard(people) {
      await forgetGuards(world);
      await setDirectory(world, tenants.okta, { guard: people === null ? null : guardOf(people) });
      return servers.of('okta', okta.token);
    },
    async unguard() {
      await forgetGuards(world);
      await setDirectory(world, tenants.okta, {});
    },
    async close() {
      await servers.close();
      await stage.close();
    },
  };
}

/** So many in an hour, whatever share of all they are. */
export const guardOf = (people: number) => ({ people, percent: 100, minutes: 60 });
