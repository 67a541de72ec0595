// Statements whose text is made from what a client asks are prepared as well, up to so many shapes: a hostile client has endless ones.
// None is ever given up: a connection keeps each name with its text until it ends, and refuses it for another one.

import type { Statement } from '../context.ts';
import type { TenantId } from '../core/ids.ts';

const MAX_NAMED = 200;
/** So many shapes are named because one tenant asked first: an identity provider has a dozen, and whose are alike share them. */
const MAX_OF_TENANT = 40;
const named = new Map<string, Statement>();
const namedFor = new Map<TenantId, number>();

/** The statement of a shape, whose text is written once. */
export function prepared(tenantId: TenantId, shape: string, write: () => string): Statement {
  const known = named.get(shape);
  if (known !== undefined) return known;
  const text = write();
  const count = namedFor.get(tenantId) ?? 0;
  if (named.size >= MAX_NAMED || count >= MAX_OF_TENANT) return { name: null, text };
  const statement = { name: `directory_page_${named.size}`, text };
  named.set(shape, statement);
  namedFor.set(tenantId, count + 1);
  return statement;
}
