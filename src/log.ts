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
      serializers: { error: pino.stdSerializers.err },
      redact: { paths, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ fd: options.toStderr === true ? 2 : 1, sync: true }),
  );
}
