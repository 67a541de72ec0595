// The operator's log: JSON lines on stdout, secrets never among them.

import { pino } from 'pino';
import type { Log } from './context.ts';

const SECRETS = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'code',
  'SAMLResponse',
  'client_secret',
  'masterKey',
  'link',
];

/** `toStderr` for the command line, whose stdout belongs to results. */
export function openLog(level: string, options: { readonly toStderr?: boolean } = {}): Log {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `headers.${name}`]);
  return pino(
    {
      level,
      base: null,
      serializers: { error: errorFacts },
      redact: { paths, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ fd: options.toStderr === true ? 2 : 1, sync: true }),
  );
}

/**
 * What an operator needs of an error, and nothing that a library hung on it besides: Node's parser puts the whole request there,
 * the database its parameters. Its code has another name, since `code` would be taken for an authorization code.
 */
function errorFacts(error: unknown): object | string {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack, code } = pino.stdSerializers.err(error);
  return { type, message, stack, ...(code === undefined ? {} : { errorCode: code }) };
}
