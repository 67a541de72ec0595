// The operator's log: JSON lines on stdout, secrets never among them.

import { pino } from 'pino';
import type { Log } from './context.ts';

const SECRETS: ReadonlySet<string> = new Set([
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
]);

/**
 * `toStderr` for the command line, whose stdout belongs to results. Each line is written before the call returns: what a process said
 * last, before it ended or was killed, is what somebody will look for.
 */
export function openLog(level: string, options: { readonly toStderr?: boolean } = {}): Log {
  return pino(
    {
      level,
      base: null,
      serializers: { error: errorFacts },
      formatters: { log: (facts) => withoutSecrets(facts, 0) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ fd: options.toStderr === true ? 2 : 1, sync: true }),
  );
}

type Facts = Record<string, unknown>;

/** Facts lie at most so deep; further in nothing is shown. */
const DEEPEST = 4;

// Not the library's own way, which takes longer than all else of a line. Nearly always there is nothing to hide, and nothing is copied.
function withoutSecrets(facts: Facts, depth: number): Facts {
  let shown = facts;
  for (const name of Object.keys(facts)) {
    const value = SECRETS.has(name) ? '[redacted]' : shownValue(name, facts[name], depth);
    if (value === facts[name]) continue;
    if (shown === facts) shown = { ...facts };
    shown[name] = value;
  }
  return shown;
}

function shownValue(name: string, value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // Of an error little is shown, and what names its kind is called `code`: see errorFacts.
  if (depth === 0 && name === 'error' && value instanceof Error) return value;
  if (depth === DEEPEST) return '[deep]';
  if (!Array.isArray(value)) return withoutSecrets(value as Facts, depth + 1);
  const items = value.map((item) => shownValue('', item, depth + 1));
  return items.every((item, index) => item === value[index]) ? value : items;
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
