// Statements whose text is made from what a client asks are prepared as well, up to so many shapes: a hostile client has endless ones.

import type { Statement } from '../context.ts';

const MAX_NAMED = 200;
const named = new Map<string, Statement>();

/** The statement of a shape, whose text is written once. */
export function prepared(shape: string, write: () => string): Statement {
  const known = named.get(shape);
  if (known !== undefined) return known;
  const text = write();
  if (named.size >= MAX_NAMED) return { name: null, text };
  const statement = { name: `directory_page_${named.size}`, text };
  named.set(shape, statement);
  return statement;
}
