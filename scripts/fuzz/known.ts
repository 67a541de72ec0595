// What the attacker knows: what a directory may know of itself, and more than it may know of others.

import type { Random } from './random.ts';

/** A person who was suspended by an administrator, and is to stay so. */
export type Suspended = { readonly id: string; readonly userName: string; readonly externalId: string };

export type Known = {
  /** `/scim/v2/target/okta` */
  readonly base: string;
  readonly token: string;
  /** Tokens that are good elsewhere, or nowhere. */
  readonly wrongTokens: readonly string[];
  /** Grow while answers come in. */
  readonly users: string[];
  readonly groups: string[];
  readonly cursors: string[];
  readonly suspended: Suspended;
  /** Of another directory of the tenant, and of another tenant. */
  readonly foreign: readonly string[];
  /** Tenants and connections that there are. */
  readonly names: readonly string[];
  readonly userTemplates: readonly object[];
  readonly groupTemplates: readonly object[];
  readonly patchTemplates: readonly object[];
};

const KEPT = 200;

/** Puts it among those that are known, in the place of the oldest where there are many. */
export function remember(list: string[], value: string): void {
  if (list.length < KEPT) list.push(value);
  else {
    list.shift();
    list.push(value);
  }
}

/** The last ones rather than the first: those are more likely still there. */
export function recent(random: Random, list: readonly string[]): string {
  const last = list.slice(-20);
  return random.pick(random.oneIn(5) ? list : last);
}
