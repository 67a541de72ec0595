// The pages of a logout where nobody brings nicer ones.

import type { Response } from 'express';

export type SignOutView = {
  /** Where the form goes, by POST. */
  readonly action: string;
  /** Hidden field `xsrf` of the form. The button that ends the session is named `logout`, with any value. */
  readonly xsrf: string;
  /** The application that asks, or null. */
  readonly application: string | null;
};

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escapeText = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

export function plainSignOut(response: Response, view: SignOutView): void {
  const who = view.application === null ? '' : `<p>${escapeText(view.application)} asks to sign you out.</p>`;
  send(
    response,
    'Sign out?',
    `${who}<p>You are signed out of every application that you opened from here.</p>
<form method="post" action="${escapeText(view.action)}"><input type="hidden" name="xsrf" value="${escapeText(view.xsrf)}">
<button type="submit" name="logout" value="yes">Sign out</button> <button type="submit">Stay signed in</button></form>`,
  );
}

export function plainSignedOut(response: Response): void {
  send(response, 'You are signed out', '<p>You may close this window.</p>');
}

function send(response: Response, title: string, main: string): void {
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${title}</title><link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,"></head>
<body><main><h1>${title}</h1>${main}</main></body></html>
`;
  response.status(200).type('html').send(page);
}
