// The text of a bulk, cut into its operations before any of them is parsed, so that megabytes of them hold nobody up.

import { invalidSyntax, tooLarge } from './errors.ts';
import { defaultLimits, jsonOf, stringEnd } from './json.ts';
import { MAX_VALUES, tooManyValues } from './json-pieces.ts';
import { nameKey } from './schema.ts';

/** One operation as text, and how many members that names. */
export type BulkPiece = { readonly text: string; readonly members: number };

/**
 * The text of each operation, and the text around them, with an empty list in their place. Refuses with 413 more operations than
 * `maxOperations` and more values than memory is for, with 400 invalidSyntax nesting that is too deep. What else is no JSON is found
 * when the pieces are parsed.
 */
export function cutBulk(
  json: string,
  maxOperations: number,
): { readonly envelope: string; readonly pieces: readonly BulkPiece[] } {
  const pieces: BulkPiece[] = [];
  let envelope: string | null = null;
  /** Where the list begins; -1 outside of it. */
  let list = -1;
  let start = 0;
  let members = 0;
  let values = 0;
  let depth = 0;
  let name = '';
  const end = (at: number) => {
    const text = json.slice(start, at);
    if (pieces.length > 0 || text.trim() !== '') pieces.push({ text, members });
    if (pieces.length > maxOperations) {
      throw tooLarge(`The number of operations exceeds the maxOperations (${maxOperations}).`);
    }
    start = at + 1;
    members = 0;
  };
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x22: {
        const close = stringEnd(json, at);
        if (close === -1) throw invalidSyntax('The request body is not JSON.');
        if (depth === 1) name = json.slice(at, close + 1);
        at = close;
        break;
      }
      case 0x3a:
        members++;
        break;
      case 0x2c:
        if (++values > MAX_VALUES) throw tooManyValues();
        if (list !== -1 && depth === 2) end(at);
        break;
      case 0x5b:
      case 0x7b:
        if (++values > MAX_VALUES) throw tooManyValues();
        if (++depth > defaultLimits.depth) {
          throw invalidSyntax(`The request body is nested deeper than ${defaultLimits.depth} levels.`);
        }
        if (
          depth === 2 &&
          envelope === null &&
          json[at] === '[' &&
          nameKey(String(jsonOf(name || '""'))) === 'operations'
        ) {
          list = at;
          start = at + 1;
          members = 0;
        }
        break;
      case 0x5d:
      case 0x7d:
        if (--depth !== 1 || list === -1) break;
        if (json[at] !== ']') throw invalidSyntax('The request body is not JSON.');
        end(at);
        envelope = `${json.slice(0, list)}[]${json.slice(at + 1)}`;
        list = -1;
        break;
    }
  }
  return { envelope: envelope ?? json, pieces };
}
