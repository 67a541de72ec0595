// Everything that can go wrong, each with one fixed sentence: nothing here says whether an account exists (D1).

import type { SignInRefusal } from '../core/identity.ts';
import { html } from './html.ts';
import { adminContact, type Page } from './layout.ts';

export type Problem =
  | SignInRefusal
  | 'replayed'
  | 'assertion_rejected'
  | 'upstream_refused'
  | 'upstream_unreachable'
  | 'flow_unknown'
  | 'interaction_unknown'
  | 'invitation_unknown'
  | 'not_found'
  | 'bad_request'
  | 'application_refused'
  | 'too_large'
  | 'foreign_form'
  | 'too_many'
  | 'unavailable'
  | 'broken';

type Wording = { readonly status: number; readonly title: string; readonly text: string };

// One wording for all of them: which it was is in the log, under the reference.
const NEUTRAL: Wording = {
  status: 403,
  title: 'You could not be signed in',
  text: 'This sign-in was not accepted. If you expect to have access, ask your administrator and give them the reference below.',
};

const wordings = {
  unknown_person: NEUTRAL,
  deactivated: NEUTRAL,
  connection_disabled: NEUTRAL,
  email_missing: NEUTRAL,
  email_unverified: NEUTRAL,
  domain_not_allowed: {
    status: 403,
    title: 'You could not be signed in',
    text: 'Sorry, this email domain is not approved — contact your administrator.',
  },
  add_sso: {
    status: 403,
    title: 'Add SSO to your account first',
    text: 'This way of signing in is not connected to an account yet. If your administrator has activated Add SSO, sign in the way you did before and add it there; otherwise ask them to.',
  },
  replayed: {
    status: 400,
    title: 'You could not be signed in',
    text: 'This sign-in was already used. Please start again.',
  },
  assertion_rejected: {
    status: 400,
    title: 'You could not be signed in',
    text: 'The answer of your identity provider was not accepted. Please start again; if it happens once more, give your administrator the reference below.',
  },
  upstream_refused: {
    status: 403,
    title: 'You could not be signed in',
    text: 'Your identity provider did not sign you in. Please start again, or ask your administrator.',
  },
  upstream_unreachable: {
    status: 502,
    title: 'Your identity provider cannot be reached',
    text: 'Please try again in a few minutes.',
  },
  flow_unknown: {
    status: 400,
    title: 'This sign-in has expired',
    text: 'It took too long, was already used, or was started in another window. Go back to your application and start again.',
  },
  interaction_unknown: {
    status: 400,
    title: 'This sign-in has expired',
    text: 'It took too long, or was started in another browser. Go back to your application and start again.',
  },
  invitation_unknown: {
    status: 404,
    title: 'This link cannot be used',
    text: 'It has expired, was already used, or was replaced by a newer one. Ask your administrator for a new link.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    text: 'Check the address, or go back to your application.',
  },
  bad_request: { status: 400, title: 'That did not work', text: 'The form could not be read. Go back and try again.' },
  application_refused: {
    status: 400,
    title: 'That did not work',
    text: 'What the application asked for was not accepted. Start there again; if it happens once more, give whoever runs it the code and the reference below.',
  },
  too_large: { status: 413, title: 'That did not work', text: 'The form is too large.' },
  foreign_form: {
    status: 403,
    title: 'That did not work',
    text: 'The form did not come from this site, or is too old. Go back to your application and start again.',
  },
  too_many: { status: 429, title: 'Too many tries', text: 'Please wait a few minutes and try again.' },
  unavailable: { status: 503, title: 'Please try again', text: 'The server is busy. Try again in a moment.' },
  broken: {
    status: 500,
    title: 'Something went wrong',
    text: 'It is not your fault. Please try again; the reference below helps to find the cause.',
  },
} satisfies Record<Problem, Wording>;

export function problemStatus(problem: Problem): number {
  return wordings[problem].status;
}

export type ProblemView = {
  readonly problem: Problem;
  /** What the log knows it by; null where there is nothing to look up. */
  readonly reference: string | null;
  readonly contact: string | null;
  /** Where the person may start again, or null. */
  readonly again: string | null;
  /** For whoever builds the application: the protocol's own code, such as `invalid_redirect_uri`. */
  readonly code?: string;
};

/** The page of a failure: a fixed sentence, the reference for the operator, and the administrator's contact if there is one. */
export function problemPage(view: ProblemView): Page {
  const { title, text } = wordings[view.problem];
  const main = html`<h1>${title}</h1>
<p>${text}</p>
${view.reference === null ? null : html`<p class="reference">Reference <code>${view.reference}</code></p>`}
${view.code === undefined ? null : html`<p class="reference">Code <code>${view.code}</code></p>`}
${adminContact(view.contact)}
${view.again === null ? null : html`<p><a class="button second" href="${view.again}">Start again</a></p>`}`;
  return { title, main };
}
