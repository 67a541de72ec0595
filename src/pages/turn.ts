// One request of an interaction, and what the server gives its pages.

import type { Request, Response } from 'express';
import type { Caller, Context, Log } from '../context.ts';
import type { TenantSlug } from '../core/ids.ts';
import type { Email } from '../core/profile.ts';
import type { Interactions, PendingInteraction } from '../interactions.ts';
import { formToken, type Limit, PageProblem, requestIdOf } from './guard.ts';
import type { Problem } from './problem.ts';

/** The sign-ins that the pages begin; other parts do them. */
export type SignIns = {
  begin(
    requestId: string,
    start: {
      readonly tenant: TenantSlug;
      readonly connection: string;
      readonly interactionUid: string;
      readonly loginHint: string | null;
      readonly forceLogin: boolean;
    },
  ): Promise<
    | { readonly kind: 'redirect'; readonly to: string; readonly provider: string }
    | { readonly kind: 'failed'; readonly problem: Problem; readonly reference: string }
  >;
  password(
    requestId: string,
    login: {
      readonly interactionUid: string;
      readonly tenant: TenantSlug | null;
      readonly email: Email;
      readonly password: string;
    },
  ): Promise<{ readonly kind: 'resume'; readonly location: string } | { readonly kind: 'wrong' }>;
};

export type InteractionPages = {
  readonly interactions: Interactions;
  readonly signIns: SignIns;
  readonly contextFor: (caller: Caller) => Context;
  /** Origin of this server, from its settings. */
  readonly publicUrl: string;
  /** For everything that is posted, and for what begins a sign-in. */
  readonly limit: Limit;
  /** For passwords, besides. */
  readonly passwordLimit: Limit;
  readonly log: Log;
};

/** One request of an interaction, with all that its page needs. */
export type Turn = {
  readonly pages: InteractionPages;
  readonly request: Request;
  readonly response: Response;
  readonly pending: PendingInteraction;
  readonly requestId: string;
  readonly ctx: Context;
};

export async function takeTurn(pages: InteractionPages, request: Request, response: Response): Promise<Turn> {
  const pending = await pages.interactions.current(request, response);
  // The cookie decides; an address with another interaction's id is somebody else's, or stale.
  if (pending === null || pending.uid !== request.params.uid) throw new PageProblem('interaction_unknown');
  const requestId = requestIdOf(response);
  const ctx = pages.contextFor({ actor: { kind: 'person', connectionId: null, name: 'somebody' }, requestId });
  return { pages, request, response, pending, requestId, ctx };
}

/** Names what the forms of this interaction came from. */
export function tokenOf({ ctx, pending }: Pick<Turn, 'ctx' | 'pending'>): string {
  return formToken(ctx, 'interaction', pending.uid);
}
