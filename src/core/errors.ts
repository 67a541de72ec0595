// Refusals that any edge may have to say. Each edge translates the codes to its own wire in one table.

export const bridgeErrorCodes = [
  'invalid',
  'unknown_tenant',
  'unknown_connection',
  'unknown_user',
  'unknown_group',
  'unknown_role',
  'unknown_client',
  'unknown_mapping',
  'email_taken',
  'user_name_taken',
  'external_id_taken',
  'group_name_taken',
  'tenant_taken',
  'version_mismatch',
  'protected_user',
  'forbidden',
  'roles_locked',
  'not_downwards',
  'last_owner',
  'deactivated',
  'directory_paused',
  'stale_plan',
  'unavailable',
] as const;

export type BridgeErrorCode = (typeof bridgeErrorCodes)[number];

/** A refusal as a value: a code for machines, and one plain sentence that tells its reader what to do. */
export type Refusal = { readonly kind: 'refused'; readonly code: BridgeErrorCode; readonly message: string };

export function refused(code: BridgeErrorCode, message: string): Refusal {
  return { kind: 'refused', code, message };
}

/**
 * Broken input or a broken machine, thrown. `message` may be shown to the client; `detail` is for the operator's log only.
 */
export class BridgeError extends Error {
  readonly code: BridgeErrorCode;
  readonly detail: string | undefined;

  constructor(code: BridgeErrorCode, message: string, detail?: string) {
    super(message);
    this.name = 'BridgeError';
    this.code = code;
    this.detail = detail;
  }
}
