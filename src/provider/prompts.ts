// What an authorization asks of its person, in this order: who they are, whether they have access, and nothing else.

import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { requestState } from './request-state.ts';
import { tenantAsked } from './tenant-choice.ts';

/** login, then access, then consent, which first-party applications never need. */
export function promptPolicy() {
  const { base, Check, Prompt } = interactionPolicy;
  const policy = base();
  policy.get('login')?.checks.add(
    // Without it a session of somebody who is gone fails later, in the library's own code.
    new Check('account_gone', 'the signed-in person does not exist any more', 'login_required', (ctx) => {
      return ctx.oidc.session?.accountId !== undefined && ctx.oidc.account === undefined;
    }),
  );
  const access = new Prompt(
    { name: 'access' },
    new Check('no_access', 'the person has no access to this tenant', 'interaction_required', (ctx) => {
      // Only what was read in this very request lets anybody pass.
      return ctx.oidc.account === undefined || !requestState().access?.claims;
    }),
  );
  // `prompt=consent` is accepted, since many libraries send it for offline_access; there is nothing to ask.
  const consent = new Prompt({ name: 'consent', requestable: true });
  consent.checks.remove('consent_prompt');
  policy.remove('consent');
  policy.add(access);
  policy.add(consent);
  return policy;
}

/** T77: a Tenant ID has one form; whatever looks otherwise is a mistake of the application, and no tenant. */
export function checkAcrValues(_ctx: KoaContextWithOIDC, value: string | undefined): void {
  if (tenantAsked(value) === 'malformed') throw new errors.InvalidRequest('acr_values must name one tenant by its id');
}

/**
 * The prompts that were asked for. The library drops offline_access unless consent is asked for too; here the registration of the
 * client is the consent, so that counts as asked for, and for nothing else.
 */
export function promptsAsked(prompt: unknown): Set<string> {
  const asked = new Set(typeof prompt === 'string' && prompt !== '' ? prompt.split(' ') : []);
  const has = asked.has.bind(asked);
  return Object.assign(asked, { has: (name: string) => name === 'consent' || has(name) });
}
