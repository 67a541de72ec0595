/** A line for a terminal. Directories name people and groups: no control character of theirs may act there, or begin a line. */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}

/** The same for a whole answer, whose own lines stay. */
export function shownLines(text: string): string {
  return text.split('\n').map(shown).join('\n');
}
