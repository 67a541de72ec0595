// What the audit trail says of each change of a configuration.

import { type AuditEvent, done } from '../core/change.ts';
import type { ConfigChange } from '../core/config-change.ts';
import type { TenantId } from '../core/ids.ts';
import { roleLabel } from '../core/tenant.ts';

/** The event of one change that has real ids, in the tenant that it changes. */
export function changeEvent(change: ConfigChange, tenantId: TenantId): AuditEvent {
  return { ...event(change, tenantId), inTenant: tenantId };
}

function event(change: ConfigChange, tenantId: TenantId): AuditEvent {
  switch (change.kind) {
    case 'create_tenant':
      return done('tenant.created', 'tenant', tenantId, {
        slug: change.tenant,
        parent: change.parent,
        managedBy: 'config',
      });
    case 'take_over_tenant':
      return done('tenant.managed_by_config', 'tenant', tenantId);
    case 'change_tenant':
    case 'change_setting':
      return done('tenant.changed', 'tenant', tenantId, { field: change.field, from: change.from, to: change.to });
    case 'add_allowed_domain':
      return done('allowed_domain.added', 'tenant', tenantId, { domain: change.domain });
    case 'remove_allowed_domain':
      return done('allowed_domain.removed', 'tenant', tenantId, { domain: change.domain });
    case 'add_role':
      return done('role.created', 'role', change.roleId, { role: roleLabel(change.role), rights: change.role.rights });
    case 'change_role':
      return done('role.changed', 'role', change.roleId, { from: change.from, to: change.to });
    case 'remove_role':
      return done('role.removed', 'role', change.roleId, { role: roleLabel(change.role) });
    case 'add_connection':
      return done('connection.created', 'connection', change.connectionId, { connection: change.connection });
    case 'change_connection':
      return done('connection.changed', 'connection', change.connectionId, { from: change.from, to: change.to });
    case 'remove_connection':
      return done('connection.removed', 'connection', change.connectionId, { key: change.connection.key });
    case 'add_rule':
      return done('rule.created', 'rule', change.ruleId, { rule: change.rule });
    case 'change_rule':
      return done('rule.changed', 'rule', change.ruleId, { rule: change.key, from: change.from, to: change.to });
    case 'remove_rule':
      return done('rule.removed', 'rule', change.ruleId, { rule: change.key, role: change.role });
  }
}
