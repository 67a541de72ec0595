// What tests of what a directory was seen to do begin with: five people of okta, a log that is told of every request, and nothing
// that it knows yet.

import { requestKeeper } from '../../src/operations/keep-scim-requests.ts';
import { type DirectoryView, showDirectory } from '../../src/operations/read-directories.ts';
import { type RequestLog, requestLog } from '../../src/scim/request-log.ts';
import { type Acme, acme } from './acme.ts';
import { type NewServers, newServers } from './directory-settings.ts';
import { type DirectoryClient, directory, type ScimServer, userBody } from './scim.ts';
import { silent, type TestWorld, testWorld } from './world.ts';

export const USERS = 5;

export type ActivityStage = {
  readonly world: TestWorld;
  readonly tenants: Acme;
  readonly log: RequestLog;
  readonly servers: NewServers;
  readonly server: ScimServer;
  readonly okta: DirectoryClient;
  /** What is shown of a directory after all that was asked until now. */
  shown(key?: 'okta' | 'entra'): Promise<DirectoryView>;
  /** Nothing that a directory was seen to do is known. */
  forget(): Promise<unknown>;
  close(): Promise<void>;
};

export async function activityStage(): Promise<ActivityStage> {
  const world = await testWorld();
  const tenants = await acme(world);
  const log = requestLog({ write: requestKeeper(world.context()), log: silent, flushMs: 10 });
  const servers = newServers(world, { requestLog: log });
  const server = await servers.server();
  const okta = await directory(world, server, tenants.acme, 'okta');
  for (let index = 0; index < USERS; index += 1) await okta.post('/Users', userBody(`user${index}`));
  await log.close();
  const forget = () =>
    world.sql(
      'update directory_activity set profile = null, profile_by = null, profile_since = null, last_cycle_at = null, last_cycle_began_at = null, last_cycle_kind = null, run_at = null, run_began_at = null, run_look_ups = 0, run_total = null, run_by_cursor = 0, run_cursor_ended = false, run_covered = default',
    );
  await forget();
  return {
    world,
    tenants,
    log,
    servers,
    server,
    okta,
    async shown(key = 'okta') {
      await log.close();
      const view = await showDirectory(world.context(), tenants.acme, key);
      if ('code' in view) throw new Error(view.message);
      return view;
    },
    forget,
    async close() {
      await servers.close();
      await log.close();
      await world.close();
    },
  };
}
