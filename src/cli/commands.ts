// Every command of the command line, once.

import { apply } from './apply.ts';
import type { Command } from './command.ts';
import { explain } from './explain.ts';
import { mappingAdd, mappingRemove } from './mappings.ts';
import { plan } from './plan.ts';
import { tenantCreate, tenantList } from './tenants.ts';
import { userActivate, userAssignRole, userDeactivate, userList, userShow, userSuspend } from './users.ts';

export const commands: ReadonlyMap<string, Command> = new Map([
  ['tenant list', tenantList],
  ['tenant create', tenantCreate],
  ['user list', userList],
  ['user show', userShow],
  ['user suspend', userSuspend],
  ['user assign-role', userAssignRole],
  ['user deactivate', userDeactivate],
  ['user activate', userActivate],
  ['mapping add', mappingAdd],
  ['mapping remove', mappingRemove],
  ['plan', plan],
  ['apply', apply],
  ['explain', explain],
]);
