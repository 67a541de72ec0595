// What no answer may let slip.

const leaks = [
  // A stack, or a place in it.
  /\n\s+at |node_modules|node:internal|\.[cm]?[jt]s:\d+/,
  // SQL and its server.
  /\b(select|insert into|delete from|update)\b.{0,80}\b(from|where|values|set)\b|syntax error at|postgres|\bpg_|relation "|violates|sqlstate|\$\d::/is,
  // Texts that libraries made.
  /TypeError|ReferenceError|RangeError|SyntaxError|ZodError|Unexpected token|libxml|xmlns\.|ECONN|ENOENT|EPIPE|\[object Object\]|Cannot (read|GET|POST|PUT)/,
];

/** The place where a text tells of the machine behind it, as JSON; or null. */
export function leakOf(text: string): string | null {
  for (const leak of leaks) {
    const found = leak.exec(text);
    if (found !== null) return JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 120));
  }
  return null;
}
