// Every command of the command line, once.

import type { Command } from './command.ts';
import { mappingAdd, mappingRemove } from './mappings.ts';
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
]);
