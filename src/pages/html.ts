// HTML that escapes by itself: text becomes markup only through the tag below.

declare const markup: unique symbol;

/** Markup that may be sent as it is. Only {@link html} makes it. */
export type Html = { readonly [markup]: true; readonly text: string };

/** What a template may hold. Blanks (`null`, `undefined`, `false`) leave nothing behind; lists are put one after the other. */
export type Hole = Html | string | number | null | undefined | false | readonly Hole[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text in a form that is safe between tags and between quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

/**
 * Template tag for markup: everything between `${` and `}` that is not itself markup is escaped. Attribute values belong in
 * quotes; an unquoted attribute, a script or a style has no place in a template of ours, and no escaping would make it safe.
 */
export function html(strings: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  const text = strings.reduce((whole, part, index) => whole + fill(holes[index - 1]) + part);
  return { text } as Html;
}

function fill(hole: Hole): string {
  if (hole === null || hole === undefined || hole === false) return '';
  if (typeof hole === 'string') return escapeHtml(hole);
  if (typeof hole === 'number') return String(hole);
  return isList(hole) ? hole.map(fill).join('') : hole.text;
}

function isList(hole: Html | readonly Hole[]): hole is readonly Hole[] {
  return Array.isArray(hole);
}
