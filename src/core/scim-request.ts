// One request of a directory as its log tells of it, and what a process has heard from a directory since it last wrote it down.

import type { ConnectionId, CredentialId, Instant, TenantId } from './ids.ts';

/** What was read otherwise than it was sent, and who is known to send it so. */
export type RequestNote = { readonly note: string; readonly sentBy: string };

/** Kept for hours only, and only where the administrator wants it: what a request can be played again from. */
export type KeptBody = {
  readonly contentType: string | null;
  /** JSON text, its secrets taken out; null: there was none, or see `omitted`. */
  readonly body: string | null;
  readonly omitted: 'cut' | 'not_json' | null;
  /** The `detail` of an error answer. */
  readonly refusal: string | null;
};

/** How the log shows what it leaves out, and how long it shows anything: whoever plays a request again has to know it by that. */
export const REDACTED = '[redacted]';
export const TOO_LONG = '[too long]';
export const CUT = '…';
export const MAX_LOGGED_PATH = 300;
export const MAX_LOGGED_QUERY = 1_000;
/** Of one parameter that is no filter. */
export const MAX_LOGGED_VALUE = 200;

/** Parameters whose values the log shows. Of others not even the name: that is where tokens are put by mistake. */
export const LOGGED_PARAMETERS: ReadonlySet<string> = new Set([
  'filter',
  'startIndex',
  'count',
  'attributes',
  'excludedAttributes',
  'sortBy',
  'sortOrder',
  'aadOptscim062020',
]);

export type ScimRequest = {
  readonly at: Instant;
  readonly requestId: string;
  readonly credentialId: CredentialId;
  /** Address that it came from. */
  readonly source: string | null;
  readonly method: string;
  /** Below the directory: `/Users/…`. */
  readonly path: string;
  /** Parameters of the standard alone; no value that could be a secret. */
  readonly query: string | null;
  /** Null: the client hung up before it was answered. */
  readonly status: number | null;
  readonly scimType: string | null;
  readonly durationMs: number;
  readonly notes: readonly RequestNote[];
  readonly userAgent: string | null;
  /** Of the bodies. */
  readonly bytesIn: number;
  readonly bytesOut: number;
};

export type DirectoryRef = { readonly tenantId: TenantId; readonly connectionId: ConnectionId };

/** A page of a directory's users as it was answered: the `from`th of all and those after it, or by cursor (`from` null). */
export type PageSeen = {
  readonly from: number | null;
  readonly items: number;
  readonly total: number;
  /** Of a cursor's page: nothing comes after it. */
  readonly last: boolean;
};

/** What a request was, in as much as it tells how a directory works through its people. */
export type ReadSeen =
  | { readonly kind: 'page'; readonly page: PageSeen }
  /** `key` tells one look-up from another. */
  | { readonly kind: 'look_up'; readonly key: string };

/** A directory's requests between two flushes, as one sum. */
export type DirectoryTick = DirectoryRef & {
  readonly requests: number;
  readonly refused: number;
  readonly limited: number;
  readonly failed: number;
  /** Counted here and kept nowhere: there were too many. */
  readonly notKept: number;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly lastWriteAt: Instant | null;
  readonly lookUps: number;
  readonly pages: readonly PageSeen[];
  readonly userAgents: readonly string[];
  readonly signs: readonly string[];
};

/** What is written down at once. Bodies belong to requests of the same index. */
export type ScimLogBatch = {
  readonly requests: readonly (DirectoryRef & { readonly request: ScimRequest; readonly kept: KeptBody | null })[];
  readonly ticks: readonly DirectoryTick[];
};
