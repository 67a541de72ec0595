// What a failure of ours is called on the wire of OAuth.

import { errors } from 'oidc-provider';
import { BridgeError } from '../core/errors.ts';

/** A database that is away is no fault of the client: 503, so that it tries again. */
export async function translated<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BridgeError) || error.code !== 'unavailable') throw error;
    const translation = new errors.OIDCProviderError(503, 'temporarily_unavailable', { cause: error });
    translation.expose = true;
    translation.error_description = 'the server is busy, try again';
    throw translation;
  }
}
