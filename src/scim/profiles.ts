// What of a request tells whose it is; `recogniseProfile` makes a profile of it.

import type { RequestSign } from '../core/directory-profiles.ts';

export type SignsOf = {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly succeeded: boolean;
  /** Keys of the quirks that the request needed. */
  readonly quirks: readonly string[];
};

/** Keys of its quirks, and what else it shows. */
export function requestSigns({ method, path, query, succeeded, quirks }: SignsOf): readonly string[] {
  const signs: RequestSign[] = [];
  for (const name of query.keys()) if (name.toLowerCase() === 'aadoptscim062020') signs.push('compliance_flag');
  const groupsByName = method === 'GET' && path.length === 1 && path[0] === 'Groups';
  if (
    groupsByName &&
    query.get('excludedAttributes') === 'members' &&
    /^displayName eq /i.test(query.get('filter') ?? '')
  )
    signs.push('groups_without_members');
  if (method === 'PATCH' && succeeded && !quirks.includes('capitalised_ops')) signs.push('standard_ops');
  return signs.length === 0 ? quirks : [...quirks, ...signs];
}
