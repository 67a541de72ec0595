// The pages of a logout.

import type { Response } from 'express';
import { html } from './html.ts';
import { hidden } from './layout.ts';
import { sendPage, sendPageThatLeaves } from './respond.ts';

export type SignOutView = {
  /** Where the form goes, by POST. */
  readonly action: string;
  readonly xsrf: string;
  /** The application that asks, or null. */
  readonly application: string | null;
};

/** Asks before the session ends. The button that ends it is named `logout`. */
export function sendSignOut(response: Response, view: SignOutView): void {
  sendPageThatLeaves(response, {
    title: 'Sign out?',
    main: html`<h1>Sign out?</h1>
<p class="lead">${view.application === null ? null : html`<strong>${view.application}</strong> asks to sign you out.`}</p>
<p>You are signed out of every application that you opened from here.</p>
<form method="post" action="${view.action}">
${hidden({ xsrf: view.xsrf })}
<button type="submit" name="logout" value="yes">Sign out</button>
<button type="submit" class="second">Stay signed in</button>
</form>`,
  });
}

export function sendSignedOut(response: Response): void {
  sendPage(response, 200, {
    title: 'You are signed out',
    main: html`<h1>You are signed out</h1>
<p>You may close this window.</p>`,
  });
}
