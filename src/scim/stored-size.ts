// How much of what a directory sends can be stored: lengths of columns and of rows.

/** Characters of the JSON of one stored resource: a page of 200 of them has to fit in memory. */
export const MAX_STORED_JSON = 256 * 1024;

/** What a b-tree page can index. */
export const MAX_INDEXED_BYTES = 2000;

/** True if a column of so many characters, and its index, can hold the text. */
export function fits(text: string, characters: number): boolean {
  return text.length <= characters && Buffer.byteLength(text) <= MAX_INDEXED_BYTES;
}
