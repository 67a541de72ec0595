// Refusals as SCIM says them (RFC 7644 §3.12). Every text here is a fixed sentence: nothing of a client's input, of the database
// or of another person is repeated in it.

import type { BridgeErrorCode } from '../core/errors.ts';
import { unknownMember as noSuchMember } from '../operations/precondition.ts';

export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue'
  | 'invalidVers'
  | 'sensitive'
  | 'invalidCursor'
  | 'expiredCursor'
  | 'invalidCount';

export type ScimStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 412 | 413 | 415 | 429 | 431 | 500 | 501 | 503;

export const errorSchema = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** A refusal on its way to the client. `detail` is read by the administrator of an identity provider: it says what to change. */
export class ScimError extends Error {
  readonly status: ScimStatus;
  readonly scimType: ScimType | null;
  readonly detail: string;
  /** Null where it is the protocol's own, and nothing that the core refused. */
  readonly code: BridgeErrorCode | null;

  constructor(status: ScimStatus, scimType: ScimType | null, detail: string, code: BridgeErrorCode | null = null) {
    super(detail);
    this.name = 'ScimError';
    this.status = status;
    this.scimType = scimType;
    this.detail = detail;
    this.code = code;
  }
}

/** How SCIM says what the core refuses. Codes that no SCIM request can meet are 400, so that none becomes a 500 by mistake. */
export const scimErrors = {
  invalid: [400, 'invalidValue'],
  unknown_tenant: [404, null],
  unknown_connection: [404, null],
  unknown_user: [404, null],
  unknown_group: [404, null],
  unknown_role: [400, 'invalidValue'],
  unknown_client: [400, 'invalidValue'],
  unknown_mapping: [400, 'invalidValue'],
  email_taken: [409, 'uniqueness'],
  user_name_taken: [409, 'uniqueness'],
  external_id_taken: [409, 'uniqueness'],
  group_name_taken: [409, 'uniqueness'],
  tenant_taken: [409, 'uniqueness'],
  version_mismatch: [412, null],
  protected_user: [403, null],
  forbidden: [403, null],
  roles_locked: [403, null],
  not_downwards: [403, null],
  last_owner: [403, null],
  deactivated: [403, null],
  directory_paused: [503, null],
  stale_plan: [409, null],
  unavailable: [503, null],
} as const satisfies Record<BridgeErrorCode, readonly [ScimStatus, ScimType | null]>;

/** A refusal of the core in SCIM's words. Its message is already one that a client may read. */
export function scimRefusal(refusal: { readonly code: BridgeErrorCode; readonly message: string }): ScimError {
  const [status, scimType] = scimErrors[refusal.code];
  return new ScimError(status, scimType, refusal.message, refusal.code);
}

/** The body of an error answer (RFC 7644 §3.12): `status` is a string there. */
export function encodeError(error: Pick<ScimError, 'status' | 'scimType' | 'detail'>): string {
  return JSON.stringify({
    schemas: [errorSchema],
    status: String(error.status),
    ...(error.scimType === null ? {} : { scimType: error.scimType }),
    detail: error.detail,
  });
}

export const invalidSyntax = (detail: string): ScimError => new ScimError(400, 'invalidSyntax', detail);
export const invalidValue = (detail: string): ScimError => new ScimError(400, 'invalidValue', detail);
export const invalidCount = (detail: string): ScimError => new ScimError(400, 'invalidCount', detail);
export const invalidPath = (detail: string): ScimError => new ScimError(400, 'invalidPath', detail);
export const invalidFilter = (detail: string): ScimError => new ScimError(400, 'invalidFilter', detail);
export const noTarget = (detail: string): ScimError => new ScimError(400, 'noTarget', detail);
export const mutability = (detail: string): ScimError => new ScimError(400, 'mutability', detail);
export const tooLarge = (detail: string): ScimError => new ScimError(413, null, detail);

/** For no token, one that opens nothing here, and one that was ended meanwhile. */
export const needsToken = (): ScimError => new ScimError(401, null, 'The request needs a token of this directory.');

/** The same words for a member of another tenant, of another directory and of none, so that they cannot be told apart (T37, T55). */
export const unknownMember = (): ScimError => scimRefusal(noSuchMember());
