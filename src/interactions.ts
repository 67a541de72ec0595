// The seam between the OpenID provider and the pages: what pages may know of, and do to, a pending authorization.

import type { Request, Response } from 'express';
import type { Person, TenantSlug } from './core/ids.ts';

/** An authorization that waits for its person. It belongs to the browser that holds its cookie. */
export type PendingInteraction = {
  readonly uid: string;
  /** `login`: nobody is signed in (or must sign in again); `access`: somebody is, and may not have a token for the tenant. */
  readonly prompt: 'login' | 'access' | 'consent';
  readonly client: { readonly clientId: string; readonly name: string };
  /** Asked for by `acr_values=tenant:<id>`, or chosen on the tenant page before. */
  readonly tenant: TenantSlug | null;
  readonly loginHint: string | null;
  /** The application wants a fresh proof (`prompt=login`, `max_age`): the identity provider must ask again too. */
  readonly forceLogin: boolean;
  /** Signed in already, with prompt `access`. */
  readonly person: Person | null;
};

export type Interactions = {
  /** The interaction of this request's cookie, or null where there is none (expired, another browser, a stale tab). */
  current(request: Request, response: Response): Promise<PendingInteraction | null>;
  /**
   * Ends the login prompt: the browser goes on to the authorization as this person. Only ever called for a person who is active
   * in some tenant they may choose; the provider asks for itself once more and issues nothing otherwise.
   */
  signIn(
    request: Request,
    response: Response,
    signedIn: { readonly person: Person; readonly method: 'oidc' | 'saml' | 'password' },
  ): Promise<void>;
  /** Ends the access prompt by choosing another tenant for this authorization. */
  chooseTenant(request: Request, response: Response, tenant: TenantSlug): Promise<void>;
  /** Back to the application with `access_denied`. */
  deny(request: Request, response: Response): Promise<void>;
};
