// Ids of the real directory's users and groups, and those that stand for them in the scratch tenant.

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;

/** Ids of any kind that a text names: many of them are an identity provider's own. */
export function idsIn(text: string): readonly string[] {
  return [...new Set(text.match(UUID) ?? [])];
}

/**
 * The text with every id that has another one here replaced by it, wherever it stands: in a path, a filter, a member, a manager, a
 * reference. Other ids stay.
 */
export function renamed(text: string, ids: ReadonlyMap<string, string>): string {
  return text.replace(UUID, (id) => ids.get(id) ?? id);
}
