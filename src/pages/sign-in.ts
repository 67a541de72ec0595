// The sign-in page: the address first, then the ways that there are for it.

import type { Html } from './html.ts';
import { html } from './html.ts';
import { type FieldFault, faultSummary, field, hidden, type Page } from './layout.ts';

/** One way in through an identity provider. */
export type ConnectionChoice = { readonly tenant: string; readonly connection: string; readonly displayName: string };

export type SignInView = {
  readonly uid: string;
  readonly token: string;
  readonly clientName: string;
  /** Name of the tenant that the application asks for, or null. */
  readonly tenantName: string | null;
  readonly faults: readonly FieldFault[];
};

const goal = (view: SignInView): Html =>
  html`<p class="lead">to continue to <strong>${view.clientName}</strong>${
    view.tenantName === null ? null : html` for <strong>${view.tenantName}</strong>`
  }</p>`;

/** First step: whose sign-in is it? */
export function emailPage(view: SignInView & { readonly email: string }): Page {
  const main = html`<h1>Sign in</h1>
${goal(view)}
${faultSummary(view.faults)}
<form method="post" action="/interaction/${view.uid}/email" novalidate>
${hidden({ token: view.token })}
${field({ name: 'email', label: 'Email address', type: 'email', autocomplete: 'username', value: view.email, faults: view.faults, focus: true })}
<button type="submit">Continue</button>
</form>
${leave(view)}`;
  return { title: view.faults.length > 0 ? 'Error: Sign in' : 'Sign in', main };
}

/** Second step: the ways there are. It is the same for every address of a domain, known or not (T89). */
export function methodPage(
  view: SignInView & {
    readonly email: string;
    readonly connections: readonly ConnectionChoice[];
    readonly password: boolean;
  },
): Page {
  const carried = { token: view.token, email: view.email };
  const connections = view.connections.map(
    (choice) => html`<form method="post" action="/interaction/${view.uid}/connection">
${hidden({ ...carried, tenant: choice.tenant, connection: choice.connection })}
<button type="submit" class="${view.password ? 'second' : 'first'}">Continue with ${choice.displayName}</button>
</form>`,
  );
  const password = html`<form method="post" action="/interaction/${view.uid}/password" novalidate>
${hidden({ token: view.token })}
<input type="email" name="email" value="${view.email}" autocomplete="username" class="carried" tabindex="-1" aria-hidden="true" readonly>
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', faults: view.faults, focus: true })}
<button type="submit">Sign in</button>
</form>`;
  const main = html`<h1>Sign in</h1>
${goal(view)}
${faultSummary(view.faults)}
<p class="who"><span>${view.email}</span> <a href="/interaction/${view.uid}?choose=1">Change<span class="aside"> email address</span></a></p>
${view.password ? password : null}
${view.password && connections.length > 0 ? html`<p class="or"><span>or</span></p>` : null}
${connections.length > 0 ? html`<div class="choices">${connections}</div>` : null}
${view.password || connections.length > 0 ? null : html`<p>There is no way to sign in with this address here.</p>`}
${leave(view)}`;
  return { title: view.faults.length > 0 ? 'Error: Sign in' : 'Sign in', main };
}

/** A page that goes on by itself: the way out of a form to another origin. */
export function onwardPage(to: string, name: string): Page {
  const main = html`<h1>One moment</h1>
<p class="lead">Taking you to ${name}.</p>
<p><a class="button" href="${to}">Continue</a></p>`;
  return { title: 'One moment', main, goOnTo: to };
}

/** A person whom their provider sent without being asked, where the connection allows that. Nothing was issued. */
export function arrivedPage(provider: string): Page {
  const main = html`<h1>You are signed in</h1>
<p class="lead">${provider} has confirmed who you are.</p>
<p>Open your application now: it will let you in.</p>`;
  return { title: 'Signed in', main };
}

function leave(view: SignInView): Html {
  return html`<p class="leave"><a href="/interaction/${view.uid}/leave?token=${encodeURIComponent(view.token)}">Back to ${view.clientName}</a></p>`;
}
