// The library's side of the pages' seam: what waits, and how it goes on.

import type { Request, Response } from 'express';
import type Provider from 'oidc-provider';
import { errors, type Interaction, type InteractionResults } from 'oidc-provider';
import { BridgeError } from '../core/errors.ts';
import { formatSub, type Person, parseSub, type TenantSlug } from '../core/ids.ts';
import type { Interactions, PendingInteraction } from '../interactions.ts';
import type { ClientRow } from '../operations/find-client.ts';
import { readAccessOnce, requestState } from './request-state.ts';
import { tenantAsked, tenantChosen } from './tenant-choice.ts';

export type InteractionParts = {
  provider(): Provider;
  findClient(clientId: string): Promise<ClientRow | undefined>;
  /** Runs an act as a request of its own. */
  inRequest<T>(request: Request, response: Response, act: () => Promise<T>): Promise<T>;
};

export function interactionsOf(parts: InteractionParts): Interactions {
  const finish = (request: Request, response: Response, result: InteractionResults, merge: boolean) =>
    forPages(() => {
      return parts.provider().interactionFinished(request, response, result, { mergeWithLastSubmission: merge });
    });
  return {
    current: (request, response) =>
      parts.inRequest(request, response, async () => {
        const details = await detailsOf(parts.provider(), request, response);
        const clientId = String(details?.params.client_id ?? '');
        const client = details === null ? undefined : await parts.findClient(clientId);
        return details === null || client === undefined ? null : pending(details, client);
      }),
    signIn: (request, response, { person, method }) =>
      parts.inRequest(request, response, async () => {
        const details = await detailsOf(parts.provider(), request, response);
        if (details === null) throw gone();
        if (!(await mayChooseATenant(person, tenantOf(details)))) {
          throw new BridgeError(
            'forbidden',
            'You have no access.',
            'a sign-in of somebody without access was to be finished',
          );
        }
        const login = { accountId: formatSub(person), ts: Math.floor(Date.now() / 1000), amr: [method] };
        await finish(request, response, { login }, false);
      }),
    chooseTenant: (request, response, tenant) =>
      parts.inRequest(request, response, async () => {
        const details = await detailsOf(parts.provider(), request, response);
        if (details === null || details.prompt.name !== 'access') throw gone();
        await readEpochs(details);
        await finish(request, response, { access: { tenant } }, true);
      }),
    deny: (request, response) =>
      parts.inRequest(request, response, async () => {
        const details = await detailsOf(parts.provider(), request, response);
        if (details === null) throw gone();
        await readEpochs(details);
        const result = { error: 'access_denied', error_description: 'the person has no access, or went back' };
        await finish(request, response, result, false);
      }),
  };
}

async function detailsOf(provider: Provider, request: Request, response: Response): Promise<Interaction | null> {
  return forPages(async () => {
    try {
      return await provider.interactionDetails(request, response);
    } catch (error) {
      if (error instanceof errors.SessionNotFound) return null;
      throw error;
    }
  });
}

function pending(details: Interaction, client: ClientRow): PendingInteraction {
  const { name } = details.prompt;
  return {
    uid: details.uid,
    prompt: name === 'access' || name === 'consent' ? name : 'login',
    client: { clientId: client.clientId, name: client.settings.name },
    tenant: tenantOf(details),
    loginHint: typeof details.params.login_hint === 'string' ? details.params.login_hint : null,
    forceLogin:
      details.params.max_age !== undefined ||
      String(details.params.prompt ?? '')
        .split(' ')
        .includes('login'),
    person: name === 'access' && details.session !== undefined ? parseSub(details.session.accountId) : null,
  };
}

function tenantOf(details: Interaction): TenantSlug | null {
  const asked = tenantAsked(details.params.acr_values);
  return tenantChosen(details.lastSubmission) ?? (asked === 'malformed' ? null : asked);
}

/** Reads the person's epochs too, under which the interaction is then written: a suspension from here on ends it. */
async function mayChooseATenant(person: Person, asked: TenantSlug | null): Promise<boolean> {
  const state = requestState();
  const first = await readAccessOnce(state, person, asked);
  if (first === null) return false;
  if (first.claims !== null) return true;
  for (const tenant of first.allowed.filter((one) => one !== first.selected)) {
    if ((await readAccessOnce(state, person, tenant))?.claims) return true;
  }
  return false;
}

/** An interaction of somebody is written under their epoch; where finding it did not tell, it is read. */
async function readEpochs(details: Interaction): Promise<void> {
  const person = details.session === undefined ? null : parseSub(details.session.accountId);
  if (person !== null) await readAccessOnce(requestState(), person, null);
}

/** What the library refuses, in words that any edge of ours knows. */
async function forPages<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof errors.OIDCProviderError)) throw error;
    if (error instanceof errors.SessionNotFound) throw gone();
    if (error.statusCode === 503) throw new BridgeError('unavailable', 'The server is busy. Try again.', error.message);
    // The person was barred while this request ran.
    throw new BridgeError('forbidden', 'You have no access.', error.message);
  }
}

function gone(): BridgeError {
  return new BridgeError('invalid', 'This sign-in has expired. Go back to your application and start again.');
}
