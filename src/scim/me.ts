// `/Me` (RFC 7644 §3.11): see docs/decisions/0011-scim-me.md.

import { ScimError } from './errors.ts';
import type { Handler } from './exchange.ts';

/** The caller is a directory and no person, so there is no resource that the alias could stand for. */
export const noMe: Handler = () => {
  throw new ScimError(501, null, 'A directory’s token stands for no person. Use /Users/{id}, or a filter on /Users.');
};
