// Where a person without access lands: why, whom to ask, and the button that asks. It needs no session and gives none.

import type { AccessState } from '../core/access.ts';
import type { Instant } from '../core/ids.ts';
import { type Html, html } from './html.ts';
import { adminContact, hidden, type Page } from './layout.ts';

export type LandingView = {
  readonly uid: string;
  readonly token: string;
  /** Names the proven sign-in where there is no session yet. */
  readonly handle: string | null;
  readonly clientName: string;
  readonly person: string;
  readonly tenantName: string;
  readonly state: Exclude<AccessState, 'active'>;
  readonly contact: string | null;
  readonly requestedAt: Instant | null;
  /** Whether asking can change anything: not for a deactivated person, nor for one whose account waits already. */
  readonly mayAsk: boolean;
  /** Other tenants that this person may choose. */
  readonly tenants: readonly { readonly slug: string; readonly displayName: string }[];
  readonly notice: string | null;
};

/** The same calm words for a suspended person and for one without a role: neither is told which (R23). */
export function landingPage(view: LandingView): Page {
  const title = titles[view.state];
  const main = html`<h1>${title}</h1>
<p class="who"><span>${view.person}</span>${
    view.handle === null ? null : html` <a href="/interaction/${view.uid}?choose=1">Use another account</a>`
  }</p>
<p>${why(view)}</p>
${view.mayAsk ? request(view) : notice(view, null)}
${adminContact(view.contact)}
${chooser(view)}
<p class="leave"><a href="/interaction/${view.uid}/leave?token=${encodeURIComponent(view.token)}">Back to ${view.clientName}</a></p>`;
  return { title, main };
}

const NO_ACCESS = 'You need access';

const titles = {
  no_access: NO_ACCESS,
  suspended: NO_ACCESS,
  pending: 'Account awaiting administrator approval',
  deactivated: 'This account cannot be used',
} satisfies Record<LandingView['state'], string>;

function why(view: LandingView): Html {
  if (view.state === 'pending') {
    return html`Your sign-in worked. An administrator of ${view.tenantName} has to approve your account before you can use it.`;
  }
  if (view.state === 'deactivated') return html`Your account is not active. An administrator can tell you more.`;
  return html`Your sign-in worked, but you have no access to <strong>${view.tenantName}</strong> at the moment. An administrator has to give it to you.`;
}

function request(view: LandingView): Html {
  const form = html`<form method="post" action="/interaction/${view.uid}/request">
${hidden({ token: view.token, ...(view.handle === null ? {} : { handle: view.handle }) })}
<div class="field">
<label for="message">Message to the administrators <span class="optional">(optional)</span></label>
<textarea id="message" name="message" rows="3" maxlength="2000"></textarea>
</div>
<button type="submit">${view.requestedAt === null ? 'Request access' : 'Replace the message'}</button>
</form>`;
  if (view.requestedAt === null) return html`${notice(view, null)}${form}`;
  return html`${notice(view, 'It waits for an administrator.')}
<details><summary>Change your message</summary>${form}</details>`;
}

/** What was done just now, and since when somebody waits, in one place that is read out. */
function notice(view: LandingView, more: string | null): Html | null {
  if (view.notice === null && view.requestedAt === null) return null;
  const requested = view.requestedAt === null ? null : html`Access requested on ${day(view.requestedAt)}. ${more}`;
  return html`<p class="notice" role="status">${view.notice} ${requested}</p>`;
}

function chooser(view: LandingView): Html | null {
  if (view.tenants.length === 0) return null;
  const token = encodeURIComponent(view.token);
  const items = view.tenants.map(
    (tenant) => html`<li><a class="choice" href="/interaction/${view.uid}/tenant?tenant=${tenant.slug}&token=${token}">
<span>${tenant.displayName}</span>${tenant.displayName === tenant.slug ? null : html` <span class="slug">${tenant.slug}</span>`}</a></li>`,
  );
  return html`<nav aria-labelledby="tenants-title">
<h2 id="tenants-title">Continue with another tenant</h2>
<ul class="tenants">${items}</ul>
</nav>`;
}

/** A day as people say it, in UTC, which is what the servers agree on. */
function day(at: Instant): Html {
  const date = new Date(at);
  const words = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  }).format(date);
  return html`<time datetime="${date.toISOString()}">${words}</time>`;
}
