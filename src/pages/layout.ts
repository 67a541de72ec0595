// The frame around every page that a person sees.

import { type Html, html } from './html.ts';

export type Page = {
  readonly title: string;
  readonly main: Html;
  /** Where the browser goes on by itself. The page says so too and carries the same link. */
  readonly goOnTo?: string;
};

/** A drawbridge, half open. Colours come from the stylesheet. */
const mark = html`<svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">
<path d="M4 28V9h2V6h3v3h2v19zM21 28V9h2V6h3v3h2v19z"/><path class="deck" d="M11 25.5 21 17"/><path class="chain" d="M11 12 21 17"/></svg>`;

/** The whole document, as text. Nothing in it runs a script, and all style is in the one stylesheet. */
export function render(page: Page): string {
  const whole = html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${page.goOnTo === undefined ? null : html`<meta http-equiv="refresh" content="0; url=${page.goOnTo}">`}
<title>${page.title} – Drawbridge</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<main>
<div class="brand">${mark}<span>Drawbridge</span></div>
${page.main}
</main>
</body>
</html>
`;
  return `<!doctype html>\n${whole.text}`;
}

/**
 * What an administrator wrote as contact, as a link where it is an address or a web page and as text where it is neither.
 * Nothing where none is configured (R24).
 */
export function adminContact(contact: string | null): Html | null {
  if (contact === null || contact.trim() === '') return null;
  const text = contact.trim();
  const target = /^[^\s@<>"?&]+@[^\s@<>"?&]+$/.test(text)
    ? `mailto:${text}`
    : /^https:\/\/[^\s"<>]+$/.test(text)
      ? text
      : null;
  const named = target === null ? html`${text}` : html`<a href="${target}">${text}</a>`;
  return html`<p class="contact">Administrator contact: ${named}</p>`;
}

export type FieldFault = {
  readonly field: string;
  readonly message: string;
  /** What stands beside the field, where the message is too long to be said twice. */
  readonly beside?: string;
};

/** What has to be mended, at the top of the page, each with a link to its field. */
export function faultSummary(faults: readonly FieldFault[]): Html | null {
  if (faults.length === 0) return null;
  const items = faults.map((fault) => html`<li><a href="#${fault.field}">${fault.message}</a></li>`);
  return html`<div class="faults" role="alert" aria-labelledby="faults-title">
<h2 id="faults-title">There is a problem</h2>
<ul>${items}</ul>
</div>`;
}

export type Field = {
  readonly name: string;
  readonly label: string;
  readonly type: 'email' | 'password' | 'text';
  readonly autocomplete: string;
  readonly value?: string;
  readonly hint?: Html;
  readonly faults: readonly FieldFault[];
  readonly focus?: boolean;
};

/** A labelled input; its hint and its faults are read out with it. */
export function field(field: Field): Html {
  const own = field.faults.filter((fault) => fault.field === field.name);
  const described = [
    field.hint === undefined ? '' : `${field.name}-hint`,
    own.length === 0 ? '' : `${field.name}-fault`,
  ]
    .filter((id) => id !== '')
    .join(' ');
  // A client-side `required` would keep the form from telling all that is missing at once; the server does.
  return html`<div class="field">
<label for="${field.name}">${field.label}</label>
${field.hint === undefined ? null : html`<div class="hint" id="${field.name}-hint">${field.hint}</div>`}
${own.length === 0 ? null : html`<p class="fault" id="${field.name}-fault">${own.map((fault) => html`<span>${fault.beside ?? fault.message}</span> `)}</p>`}
<input id="${field.name}" name="${field.name}" type="${field.type}" autocomplete="${field.autocomplete}" value="${field.value ?? ''}"${
    described === '' ? null : html` aria-describedby="${described}"`
  }${own.length === 0 ? null : html` aria-invalid="true"`}${field.focus === true ? html` autofocus` : null}${
    field.type === 'email' ? html` inputmode="email" spellcheck="false" autocapitalize="none" maxlength="320"` : null
  }>
</div>`;
}

export function hidden(values: Readonly<Record<string, string>>): readonly Html[] {
  return Object.entries(values).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`);
}
