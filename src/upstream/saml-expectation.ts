import type { KeyObject } from 'node:crypto';
import type { Instant } from '../core/ids.ts';
import { SignInError } from './connector.ts';

/** What a response must answer to: everything here is ours, from configuration and the login flow; nothing is the browser's. */
export type ExpectedResponse = {
  /** RelayState of our request. */
  readonly flowId: string;
  /** ID of our AuthnRequest, or null where nobody asked and the IdP began by itself. */
  readonly requestId: string | null;
  readonly allowUnsolicited: boolean;
  /** Entity ID of the connection's IdP. */
  readonly issuer: string;
  /** Our entity ID. */
  readonly audience: string;
  /** Our assertion consumer service for this connection. */
  readonly acs: string;
  /** The only keys that may have signed. */
  readonly keys: readonly KeyObject[];
  readonly allowSha1: boolean;
  /** Tolerated difference of clocks, in milliseconds. */
  readonly clockSkew: number;
  readonly now: Instant;
  /** Where a fresh login was asked for: the login must not be older than this. */
  readonly authenticatedSince: Instant | null;
};

/** One rule of acceptance: null where it holds, else what is wrong, in words for the operator's log. */
export type Check<T> = (subject: T, expected: ExpectedResponse) => string | SignInError | null;

/** Refuses at the first check that fails, by the check's name. */
export function holdAll<T>(checks: readonly Check<T>[], subject: T, expected: ExpectedResponse): void {
  for (const check of checks) {
    const fault = check(subject, expected);
    if (fault === null) continue;
    const { code, detail } =
      fault instanceof SignInError ? fault : { code: 'assertion_rejected' as const, detail: fault };
    throw new SignInError(code, `${check.name}: ${detail}`.slice(0, 500));
  }
}
