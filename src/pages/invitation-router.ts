// One-time links: looking at one changes nothing, only the form of its page does (T84).

import express, { type Request, type Response, type Router } from 'express';
import type { Caller, Context, Log } from '../context.ts';
import { parseTenantSlug, type TenantSlug } from '../core/ids.ts';
import { defaultPasswordPolicy, passwordFaults } from '../core/password.ts';
import { type Email, parseEmail } from '../core/profile.ts';
import { acceptInvitation, type OpenInvitation, readInvitation } from '../operations/accept-invitation.ts';
import {
  addressOf,
  checkToken,
  fieldOf,
  formToken,
  type Limit,
  limited,
  PageProblem,
  pageErrors,
  readForm,
  requestIdOf,
  sameOrigin,
} from './guard.ts';
import { type InvitationView, invitationPage, passwordFaultText, passwordSetPage } from './invitation.ts';
import type { FieldFault } from './layout.ts';
import { sendPage } from './respond.ts';

export type InvitationPages = {
  readonly contextFor: (caller: Caller) => Context;
  readonly hashPassword: (password: string) => Promise<string>;
  readonly publicUrl: string;
  readonly limit: Limit;
  /** For links that are not (any more): what guessing is held to (T82). Many colleagues may share one address. */
  readonly guessLimit: Limit;
  readonly log: Log;
};

const SECRET = /^[A-Za-z0-9_-]{22,128}$/;

type Visit = {
  readonly ctx: Context;
  readonly tenant: TenantSlug;
  readonly secret: string;
  readonly open: OpenInvitation;
};

export function invitationRouter(pages: InvitationPages): Router {
  const router = express.Router();
  const path = '/t/:tenant/invitation/:secret';
  const guarded = [limited(pages.limit)];

  const visit = async (request: Request, response: Response): Promise<Visit> => {
    const tenant = parseTenantSlug(String(request.params.tenant));
    const secret = String(request.params.secret);
    const actor = { kind: 'person', connectionId: null, name: 'invited person' } as const;
    const ctx = pages.contextFor({ actor, requestId: requestIdOf(response) });
    const open = tenant === null || !SECRET.test(secret) ? null : await readInvitation(ctx, tenant, secret);
    // One page for a link that is used up, past its time, replaced or made up (T83).
    if (tenant === null || open === null) {
      const wait = pages.guessLimit(addressOf(request));
      throw wait === null ? new PageProblem('invitation_unknown') : new PageProblem('too_many', wait);
    }
    return { ctx, tenant, secret, open };
  };

  router.get(path, guarded, async (request: Request, response: Response) => {
    sendPage(response, 200, invitationPage(viewOf(await visit(request, response), '', [])));
  });

  router.post(path, guarded, sameOrigin(pages.publicUrl), readForm, async (request: Request, response: Response) => {
    const one = await visit(request, response);
    checkToken(fieldOf(request, 'token'), tokenOf(one));
    const { ctx, open, secret } = one;
    const typed = fieldOf(request, 'email').slice(0, 320);
    const email = open.email ?? parseEmail(typed);
    const password = fieldOf(request, 'password');
    const faults = faultsOf(email, password, fieldOf(request, 'confirm'));
    if (faults.length > 0 || email === null) return sendPage(response, 422, invitationPage(viewOf(one, typed, faults)));
    const passwordHash = await pages.hashPassword(password);
    const outcome = await acceptInvitation(ctx, open.tenantId, secret, { email, passwordHash });
    if (outcome.kind === 'accepted') return sendPage(response, 200, passwordSetPage(open.tenantName));
    if (outcome.reason === 'unknown') throw new PageProblem('invitation_unknown');
    const taken = { field: 'email', message: 'This address cannot be used here. Choose another one.' };
    sendPage(response, 422, invitationPage(viewOf(one, typed, [taken])));
  });

  router.use(pageErrors(pages.log));
  return router;
}

/** Only the page of this link carries it, so that whatever merely follows links cannot use one up. */
function tokenOf({ ctx, tenant, secret }: Visit): string {
  return formToken(ctx, 'invitation', tenant, secret);
}

function viewOf(visit: Visit, typedEmail: string, faults: readonly FieldFault[]): InvitationView {
  const { tenant, secret, open } = visit;
  return {
    action: `/t/${tenant}/invitation/${secret}`,
    token: tokenOf(visit),
    purpose: open.purpose,
    tenantName: open.tenantName,
    email: open.email,
    typedEmail,
    policy: defaultPasswordPolicy,
    faults,
  };
}

function faultsOf(email: Email | null, password: string, confirm: string): readonly FieldFault[] {
  // As it is hashed, so that what is counted is what is kept.
  const missing = passwordFaults(password.slice(0, 2_048).normalize('NFC'), defaultPasswordPolicy);
  const address =
    email === null ? [{ field: 'email', message: 'Enter one email address, like name@example.com.' }] : [];
  const same = password === confirm ? [] : [{ field: 'confirm', message: 'The two passwords are not the same.' }];
  const policy = missing.map((fault) => ({
    field: 'password',
    message: passwordFaultText(fault, defaultPasswordPolicy),
  }));
  return [...address, ...policy, ...same];
}
