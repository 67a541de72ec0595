// The page behind a one-time link: set a password, and with it prove the address.

import type { PasswordFault, PasswordPolicy } from '../core/password.ts';
import { html } from './html.ts';
import { type FieldFault, faultSummary, field, hidden, type Page } from './layout.ts';

export type InvitationView = {
  readonly action: string;
  readonly token: string;
  readonly purpose: 'invite' | 'reset' | 'bootstrap';
  readonly tenantName: string;
  /** The invited address; null where the person names their own (the first administrator). */
  readonly email: string | null;
  readonly typedEmail: string;
  readonly policy: PasswordPolicy;
  readonly faults: readonly FieldFault[];
};

const titles = {
  invite: 'Set your password',
  reset: 'Set a new password',
  bootstrap: 'Welcome, first administrator',
} satisfies Record<InvitationView['purpose'], string>;

export function invitationPage(view: InvitationView): Page {
  const title = titles[view.purpose];
  const own = view.email === null;
  const main = html`<h1>${title}</h1>
<p class="lead">${lead(view)}</p>
${faultSummary(view.faults)}
<form method="post" action="${view.action}" novalidate>
${hidden({ token: view.token })}
${
  own
    ? field({
        name: 'email',
        label: 'Email address',
        type: 'email',
        autocomplete: 'username',
        value: view.typedEmail,
        faults: view.faults,
        focus: true,
      })
    : html`<p class="who"><span>${view.email}</span></p>
<input type="email" name="username" value="${view.email}" autocomplete="username" class="carried" tabindex="-1" aria-hidden="true" readonly>`
}
${field({
  name: 'password',
  label: 'New password',
  type: 'password',
  autocomplete: 'new-password',
  hint: html`${view.policy.minLength} to ${view.policy.maxLength} characters, with an upper-case letter, a lower-case letter, a digit and one of ! @ # $ % ^ & * _ -`,
  faults: view.faults,
  focus: !own,
})}
${field({ name: 'confirm', label: 'The same password again', type: 'password', autocomplete: 'new-password', faults: view.faults })}
<button type="submit">Set password</button>
</form>`;
  return { title: view.faults.length > 0 ? `Error: ${title}` : title, main };
}

export function passwordSetPage(tenantName: string): Page {
  const main = html`<h1>Your password is set</h1>
<p class="lead">You can sign in to ${tenantName} with it from now on.</p>
<p>This link is used up. You may close this window and open your application.</p>`;
  return { title: 'Your password is set', main };
}

/** What each fault of the policy asks for (R88). */
export function passwordFaultText(fault: PasswordFault, policy: PasswordPolicy): string {
  const texts = {
    too_short: `The password needs at least ${policy.minLength} characters.`,
    too_long: `The password may have at most ${policy.maxLength} characters.`,
    no_upper_case: 'The password needs an upper-case letter.',
    no_lower_case: 'The password needs a lower-case letter.',
    no_digit: 'The password needs a digit.',
    no_special: 'The password needs one of ! @ # $ % ^ & * _ -',
    control_character: 'The password has a character that cannot be typed.',
  } satisfies Record<PasswordFault, string>;
  return texts[fault];
}

function lead(view: InvitationView): string {
  if (view.purpose === 'bootstrap')
    return 'Choose the address and the password that you will administer this installation with.';
  return view.purpose === 'invite'
    ? `You are invited to ${view.tenantName}. Setting your password confirms your address.`
    : `Choose a new password for ${view.tenantName}.`;
}
