// What the operator reads when an upstream OpenID provider's answer was not taken.

import { SignInError, type SignInErrorCode } from './connector.ts';
import { OutboundError } from './outbound-fetch.ts';

// The codes of openid-client's errors that are not about what was asserted; all others are.
const codes: Readonly<Record<string, SignInErrorCode>> = {
  OAUTH_AUTHORIZATION_RESPONSE_ERROR: 'upstream_refused',
  OAUTH_RESPONSE_BODY_ERROR: 'upstream_refused',
  OAUTH_WWW_AUTHENTICATE_CHALLENGE: 'upstream_refused',
  OAUTH_RESPONSE_IS_NOT_CONFORM: 'upstream_unreachable',
  OAUTH_RESPONSE_IS_NOT_JSON: 'upstream_unreachable',
  OAUTH_TIMEOUT: 'upstream_unreachable',
  OAUTH_ABORT: 'upstream_unreachable',
};

/**
 * The refusal that an error of the library, or of {@link file://./outbound-fetch.ts}, amounts to. Whatever is not known as
 * something else is `assertion_rejected`: a strange answer is not an identity.
 *
 * `detail` has the sentences of the error and its causes, and the single claim, header or OAuth error they are about. It has no
 * token, no authorization code and no secret.
 */
export function refusalOf(error: unknown, note = ''): SignInError {
  if (error instanceof SignInError) return error;
  const chain = causesOf(error);
  const outbound = chain.find((cause) => cause instanceof OutboundError);
  if (outbound !== undefined) return refusal('upstream_unreachable', `${outbound.message}${note}`, error);
  const code = chain.map((cause) => codes[String(field(cause, 'code'))]).find((found) => found !== undefined);
  const sentences = chain
    .flatMap((cause) => (cause instanceof Error ? [cause.message] : []))
    .concat(chain.flatMap(factsOf));
  return refusal(code ?? 'assertion_rejected', `${[...new Set(sentences)].join('; ')}${note}`, error);
}

function refusal(code: SignInErrorCode, detail: string, cause: unknown): SignInError {
  const error = new SignInError(code, detail);
  error.cause = cause;
  return error;
}

function causesOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let cause = error; cause !== undefined && cause !== null && chain.length < 6; cause = field(cause, 'cause'))
    chain.push(cause);
  return chain;
}

/** The few members that say what was wrong, by name: the rest of a cause holds codes and tokens. */
function factsOf(cause: unknown): readonly string[] {
  const claim = field(cause, 'claim');
  const facts: readonly (readonly [string, unknown])[] = [
    ['error', cause instanceof URLSearchParams ? undefined : field(cause, 'error')],
    ['error_description', field(cause, 'error_description')],
    ['status', field(cause, 'status')],
    ['expected', field(cause, 'expected')],
    [String(claim), typeof claim === 'string' ? field(field(cause, 'claims'), claim) : undefined],
    ['alg', field(field(cause, 'header'), 'alg') ?? field(cause, 'alg')],
    ['kid', field(field(cause, 'header'), 'kid')],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${shown(value)}`]));
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 300);
}
