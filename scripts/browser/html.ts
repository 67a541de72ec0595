// What of a page a person can act on: its forms, its links and its words. Enough HTML for pages that are made with care.

export type Field = {
  readonly name: string;
  /** The type of an input, or `textarea`, `select`. */
  readonly type: string;
  readonly value: string;
  readonly checked: boolean;
  readonly disabled: boolean;
  readonly required: boolean;
  /** Values of a select's options. */
  readonly options: readonly string[];
};
export type Button = {
  readonly name: string | null;
  readonly value: string;
  readonly text: string;
  readonly action: string | null;
};
export type Form = {
  readonly id: string | null;
  readonly action: string;
  readonly method: string;
  readonly enctype: string;
  readonly fields: readonly Field[];
  readonly buttons: readonly Button[];
};
export type Link = { readonly href: string; readonly text: string };
export type Document = { readonly forms: readonly Form[]; readonly links: readonly Link[]; readonly text: string };

type Token =
  | { readonly kind: 'open' | 'close'; readonly tag: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly kind: 'text'; readonly text: string };

const TAG = /<!--[\s\S]*?(?:-->|$)|<![^>]*>|<(\/?)([a-zA-Z][^\s/>]*)((?:"[^"]*"|'[^']*'|[^"'>])*)>/g;
const ATTRIBUTE = /([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g;
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}

function* tokensOf(html: string, scripting: boolean): Generator<Token> {
  const raw = new Set(['script', 'style', 'template', 'textarea', 'title', ...(scripting ? ['noscript'] : [])]);
  let at = 0;
  TAG.lastIndex = 0;
  for (let match = TAG.exec(html); match !== null; match = TAG.exec(html)) {
    if (match.index > at) yield { kind: 'text', text: decode(html.slice(at, match.index)) };
    at = TAG.lastIndex;
    const tag = match[2]?.toLowerCase();
    if (tag === undefined) continue;
    const attributes = new Map<string, string>();
    for (const [, name = '', double, single, bare] of (match[3] ?? '').matchAll(ATTRIBUTE)) {
      if (!attributes.has(name.toLowerCase()))
        attributes.set(name.toLowerCase(), decode(double ?? single ?? bare ?? ''));
    }
    yield { kind: match[1] === '/' ? 'close' : 'open', tag, attributes };
    if (match[1] === '/' || !raw.has(tag)) continue;
    const end = html.slice(at).search(new RegExp(`</${tag}[\\s>]`, 'i'));
    const stop = end === -1 ? html.length : at + end;
    // What a script, a template or a hidden fallback says is not on the page.
    if (tag === 'textarea' || tag === 'title') yield { kind: 'text', text: decode(html.slice(at, stop)) };
    at = stop;
    TAG.lastIndex = stop;
  }
  if (at < html.length) yield { kind: 'text', text: decode(html.slice(at)) };
}

type Open<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** Reads a page. With `scripting`, what is in `noscript` is not there, as in a browser that runs scripts. */
export function readHtml(html: string, scripting: boolean): Document {
  const forms: Form[] = [];
  const links: Link[] = [];
  const words: string[] = [];
  let form: Open<Form> | null = null;
  let link: Open<Link> | null = null;
  let button: Open<Button> | null = null;
  let area: Open<Field> | null = null;
  let select: Open<Field> | null = null;

  for (const token of tokensOf(html, scripting)) {
    if (token.kind === 'text') {
      if (area !== null) area.value += token.text;
      else words.push(token.text);
      if (link !== null) link.text += token.text;
      if (button !== null) button.text += token.text;
      continue;
    }
    const { tag, kind } = token;
    const attribute = (name: string) => token.attributes.get(name) ?? null;
    const opens = kind === 'open';
    if (tag === 'form' && opens && form === null) {
      form = {
        id: attribute('id'),
        action: attribute('action') ?? '',
        method: (attribute('method') ?? 'get').toLowerCase(),
        enctype: (attribute('enctype') ?? 'application/x-www-form-urlencoded').toLowerCase(),
        fields: [],
        buttons: [],
      };
      forms.push(form);
    } else if (tag === 'form' && !opens) form = null;
    else if (tag === 'a' && opens && attribute('href') !== null) {
      link = { href: attribute('href') ?? '', text: '' };
      links.push(link);
    } else if (tag === 'a') link = null;
    else if (tag === 'textarea') {
      area = opens ? fieldOf(token.attributes, 'textarea') : null;
      if (area !== null) form?.fields.push(area);
    } else if (tag === 'select') {
      select = opens ? fieldOf(token.attributes, 'select') : null;
      if (select !== null) form?.fields.push(select);
    } else if (tag === 'option' && opens && select !== null) {
      const value = attribute('value') ?? '';
      if (select.options.length === 0 || attribute('selected') !== null) select.value = value;
      select.options.push(value);
    } else if (tag === 'button' && opens) {
      const isSubmit = (attribute('type') ?? 'submit').toLowerCase() === 'submit' && attribute('disabled') === null;
      button = { name: attribute('name'), value: attribute('value') ?? '', text: '', action: attribute('formaction') };
      if (isSubmit) form?.buttons.push(button);
    } else if (tag === 'button') button = null;
    else if (tag === 'input' && opens) {
      const type = (attribute('type') ?? 'text').toLowerCase();
      if (type === 'submit') {
        const value = attribute('value') ?? '';
        form?.buttons.push({ name: attribute('name'), value, text: value, action: attribute('formaction') });
      } else if (attribute('name') !== null) form?.fields.push(fieldOf(token.attributes, type));
    }
  }
  return { forms, links, text: words.join(' ').replace(/\s+/g, ' ').trim() };
}

function fieldOf(attributes: ReadonlyMap<string, string>, type: string): Open<Field> {
  const box = type === 'checkbox' || type === 'radio';
  return {
    name: attributes.get('name') ?? '',
    type,
    value: attributes.get('value') ?? (box ? 'on' : ''),
    checked: attributes.has('checked'),
    disabled: attributes.has('disabled'),
    required: attributes.has('required'),
    options: [],
  };
}
