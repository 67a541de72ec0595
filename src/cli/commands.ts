// Every command of the command line, once.

import { apply } from './apply.ts';
import { clientCreate, clientDisable, clientEnable, clientList } from './clients.ts';
import type { Command } from './command.ts';
import { directoryList, directoryRequests, directoryShow } from './directories.ts';
import {
  directoryActivate,
  directoryDiscard,
  directoryHold,
  directoryPlan,
  directoryResume,
} from './directory-guard.ts';
import { explain } from './explain.ts';
import { bootstrapLink, keysRotate } from './installation.ts';
import { mappingAdd, mappingRemove } from './mappings.ts';
import { plan } from './plan.ts';
import { ruleApprove, ruleGroups } from './rules.ts';
import { scimClientCreate, scimClientEnd, scimClientList } from './scim-clients.ts';
import { scimDoctor } from './scim-doctor.ts';
import { scimReplay, scimReplayEnd } from './scim-replay.ts';
import { scimTokenCreate, scimTokenEnd, scimTokenList } from './scim-tokens.ts';
import { tenantCreate, tenantList } from './tenants.ts';
import {
  userActivate,
  userApprove,
  userAssignRole,
  userDeactivate,
  userEndRole,
  userList,
  userShow,
  userSuspend,
} from './users.ts';

export const commands: ReadonlyMap<string, Command> = new Map([
  ['tenant list', tenantList],
  ['tenant create', tenantCreate],
  ['scim-token create', scimTokenCreate],
  ['scim-token list', scimTokenList],
  ['scim-token end', scimTokenEnd],
  ['scim-client create', scimClientCreate],
  ['scim-client list', scimClientList],
  ['scim-client end', scimClientEnd],
  ['client create', clientCreate],
  ['client list', clientList],
  ['client disable', clientDisable],
  ['client enable', clientEnable],
  ['user list', userList],
  ['user show', userShow],
  ['user suspend', userSuspend],
  ['user assign-role', userAssignRole],
  ['user end-role', userEndRole],
  ['user approve', userApprove],
  ['user deactivate', userDeactivate],
  ['user activate', userActivate],
  ['mapping add', mappingAdd],
  ['mapping remove', mappingRemove],
  ['rule groups', ruleGroups],
  ['rule approve', ruleApprove],
  ['directory list', directoryList],
  ['directory show', directoryShow],
  ['directory requests', directoryRequests],
  ['directory plan', directoryPlan],
  ['directory activate', directoryActivate],
  ['directory hold', directoryHold],
  ['directory resume', directoryResume],
  ['directory discard', directoryDiscard],
  ['scim doctor', scimDoctor],
  ['scim replay', scimReplay],
  ['scim replay-end', scimReplayEnd],
  ['plan', plan],
  ['apply', apply],
  ['explain', explain],
  ['keys rotate', keysRotate],
  ['bootstrap', bootstrapLink],
]);
