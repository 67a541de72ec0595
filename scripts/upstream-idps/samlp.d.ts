/** The part of samlp 8 that the SAML IdP uses; the package has no types of its own. */
declare module 'samlp' {
  import type { Request, RequestHandler } from 'express';

  export type AuthnRequest = {
    readonly id?: string;
    readonly issuer?: string;
    readonly assertionConsumerServiceURL?: string;
    readonly destination?: string;
    readonly forceAuthn?: string;
  };
  export type ProfileMapper = {
    (
      user: unknown,
    ): {
      getClaims(): Readonly<Record<string, string | readonly string[]>>;
      getNameIdentifier(): { readonly nameIdentifier: string; readonly nameIdentifierFormat: string };
    };
    readonly prototype: { readonly metadata: readonly { readonly id: string }[] };
  };
  export type SamlConfig = {
    readonly issuer: string;
    readonly cert: string;
    readonly key: string;
    readonly destination?: string;
    readonly recipient?: string;
    readonly audience?: string;
    readonly inResponseTo?: string;
    readonly signResponse?: boolean;
    readonly signAssertion?: boolean;
    readonly signatureAlgorithm?: 'rsa-sha256' | 'rsa-sha1';
    readonly digestAlgorithm?: 'sha256' | 'sha1';
    readonly lifetimeInSeconds?: number;
    readonly sessionIndex?: string;
    readonly authnContextClassRef?: string;
    readonly profileMapper?: ProfileMapper;
  };

  export function parseRequest(req: Request, callback: (error: Error | null, data?: AuthnRequest) => void): void;
  export function getSamlResponse(
    config: SamlConfig,
    user: unknown,
    callback: (error: Error | null, xml?: string) => void,
  ): void;
  export function metadata(options: {
    readonly issuer: string;
    readonly cert: string;
    readonly redirectEndpointPath: string;
    readonly postEndpointPath: string;
    readonly profileMapper?: ProfileMapper;
  }): RequestHandler;
  export function sendError(
    options: SamlConfig & {
      readonly RelayState?: string;
      readonly error: { readonly code: string; readonly description: string };
      readonly getPostURL: (req: Request, callback: (error: null, url: string) => void) => void;
    },
  ): RequestHandler;
}
