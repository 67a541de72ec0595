// The server's settings: environment first, then config/server.yaml, then the defaults. The only reader of process.env.

import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { formatProblem, problemAt, problemsOf, quote } from './config-files/problem.ts';
import { readYamlText, type YamlText } from './config-files/yaml-text.ts';
import { parseEmail } from './core/profile.ts';

export type ServerSettings = {
  readonly port: number;
  /** Address to listen on; null: all of them. */
  readonly host: string | null;
  /** Origin under which people and IdPs reach this server, without a slash at the end. Never taken from a request (T88). */
  readonly publicUrl: string;
  readonly configFolder: string;
  readonly dataFolder: string;
  /** Null: the embedded database in the data folder. */
  readonly databaseUrl: string | null;
  readonly databasePoolSize: number;
  /** 32 bytes; null: kept in the data folder, see master-key. */
  readonly masterKey: Uint8Array | null;
  /** Null: messages are written to `mailFolder`. */
  readonly smtpUrl: string | null;
  readonly mailFrom: string;
  readonly mailFolder: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Loopback port for /metrics; null: none. */
  readonly metricsPort: number | null;
  /** Bearer token for /metrics on the main port; null: not there. */
  readonly metricsToken: string | null;
  readonly trustProxyHops: number;
  readonly drainSeconds: number;
  readonly dangerouslyAllowPrivateNetwork: boolean;
};

export type SettingsResult =
  | { readonly kind: 'read'; readonly settings: ServerSettings; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

const text = (expected: string, test: (value: string) => boolean) => z.string(expected).refine(test, expected);
const whole = (from: number, to: number) => {
  const expected = `a whole number from ${from} to ${to}`;
  return z.int(expected).min(from, expected).max(to, expected);
};
const path = text('a path', (value) => value !== '' && !value.includes('\0'));
const secretExpected = '{ env: NAME } or { file: PATH }';
const secretRef = z.union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: path })], secretExpected);

const publicUrl = text(
  'an https address without a path, such as https://login.example.com (http only on this machine)',
  isPublicUrl,
);
const databaseUrl = text('a postgres:// address', (value) => /^postgres(ql)?:\/\/./.test(value) && URL.canParse(value));
const smtpUrl = text('an smtp:// or smtps:// address', (value) => /^smtps?:\/\/./.test(value) && URL.canParse(value));
const masterKey = text('32 bytes as base64 or 64 hexadecimal digits', (value) => keyBytes(value) !== null);
const metricsToken = text('at least 16 characters without blanks', (value) => /^[\x21-\x7e]{16,}$/.test(value));
const mailFrom = text('an email address, or Name <address>', isMailbox);

type Field = {
  readonly env: string;
  readonly type: 'text' | 'number' | 'boolean' | 'secret';
  readonly schema: z.ZodType;
};

/** Every setting by its key in server.yaml. A secret may also come from the file that `<variable>_FILE` names. */
const fields = {
  port: { env: 'PORT', type: 'number', schema: whole(1, 65_535) },
  host: {
    env: 'DRAWBRIDGE_HOST',
    type: 'text',
    schema: text('an IP address or host name', (value) => /^[\w.:-]+$/.test(value)),
  },
  publicUrl: { env: 'DRAWBRIDGE_PUBLIC_URL', type: 'text', schema: publicUrl },
  data: { env: 'DRAWBRIDGE_DATA', type: 'text', schema: path },
  databaseUrl: { env: 'DATABASE_URL', type: 'secret', schema: databaseUrl },
  databasePoolSize: { env: 'DRAWBRIDGE_DATABASE_POOL_SIZE', type: 'number', schema: whole(2, 100) },
  masterKey: { env: 'DRAWBRIDGE_MASTER_KEY', type: 'secret', schema: masterKey },
  smtpUrl: { env: 'SMTP_URL', type: 'secret', schema: smtpUrl },
  mailFrom: { env: 'DRAWBRIDGE_MAIL_FROM', type: 'text', schema: mailFrom },
  mailFolder: { env: 'DRAWBRIDGE_MAIL_FOLDER', type: 'text', schema: path },
  logLevel: {
    env: 'DRAWBRIDGE_LOG_LEVEL',
    type: 'text',
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent'], 'one of debug, info, warn, error, silent'),
  },
  metricsPort: { env: 'DRAWBRIDGE_METRICS_PORT', type: 'number', schema: whole(1, 65_535) },
  metricsToken: { env: 'DRAWBRIDGE_METRICS_TOKEN', type: 'secret', schema: metricsToken },
  trustProxyHops: { env: 'DRAWBRIDGE_TRUST_PROXY_HOPS', type: 'number', schema: whole(0, 10) },
  drainSeconds: { env: 'DRAWBRIDGE_DRAIN_SECONDS', type: 'number', schema: whole(0, 14) },
  dangerouslyAllowPrivateNetwork: {
    env: 'DRAWBRIDGE_DANGEROUSLY_ALLOW_PRIVATE_NETWORK',
    type: 'boolean',
    schema: z.boolean('true or false'),
  },
} as const satisfies Record<string, Field>;
type Key = keyof typeof fields;

/** Variables that hold settings of the server; a tenant's file may not name them as secrets. */
export const settingsVariables: ReadonlySet<string> = new Set(
  Object.values(fields).flatMap((field) => (field.type === 'secret' ? [field.env, `${field.env}_FILE`] : [field.env])),
);

const serverFile = z.strictObject(
  Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [
      key,
      (field.type === 'secret' ? secretRef : field.schema).nullable().optional(),
    ]),
  ),
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `one of ${Object.keys(fields).join(', ')}` : 'a mapping of settings',
  },
);

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The settings of this process. A variable that is empty counts as not set. Paths come back absolute.
 *
 * Refused with one sentence for each problem, naming the variable or the line: values out of range, unknown keys in server.yaml,
 * a secret written into it, a public URL that is neither https nor on this machine, DATABASE_URL without a master key. Secrets are
 * never repeated. Reads files and nothing else: whether the database answers is found out later.
 */
export function readSettings(env: Env = process.env, folder: string = process.cwd()): SettingsResult {
  const problems: string[] = [];
  const configFolder = resolve(folder, env.DRAWBRIDGE_CONFIG || 'config');
  if (env.DRAWBRIDGE_CONFIG && !existsSync(configFolder))
    problems.push(`DRAWBRIDGE_CONFIG names no folder; expected the path of one.`);
  const file = readServerFile(join(configFolder, 'server.yaml'), problems);
  const values = new Map<Key, unknown>();
  for (const key of Object.keys(fields) as Key[]) {
    const value = fromEnvironment(key, env, folder, problems) ?? fromFile(key, file, env, configFolder, problems);
    if (value !== undefined) values.set(key, value);
  }
  const get = <T>(key: Key, otherwise: T): T => (values.get(key) as T | undefined) ?? otherwise;

  const port = get('port', 3000);
  const dataFolder = resolve(folder, get('data', 'data'));
  const masterKeyText = get<string | null>('masterKey', null);
  const settings: ServerSettings = {
    port,
    host: get('host', null),
    publicUrl: get('publicUrl', `http://localhost:${port}`).replace(/\/$/, ''),
    configFolder,
    dataFolder,
    databaseUrl: get('databaseUrl', null),
    databasePoolSize: get('databasePoolSize', 8),
    masterKey: masterKeyText === null ? null : keyBytes(masterKeyText),
    smtpUrl: get('smtpUrl', null),
    mailFrom: get('mailFrom', 'Drawbridge <no-reply@drawbridge.invalid>'),
    mailFolder: resolve(folder, get('mailFolder', join(dataFolder, 'mail'))),
    logLevel: get('logLevel', 'info'),
    metricsPort: get('metricsPort', null),
    metricsToken: get('metricsToken', null),
    trustProxyHops: get('trustProxyHops', 0),
    drainSeconds: get('drainSeconds', 10),
    dangerouslyAllowPrivateNetwork: get('dangerouslyAllowPrivateNetwork', false),
  };
  // Sealed rows outlive the machine: a key generated on one of them would be lost with it.
  if (
    settings.databaseUrl !== null &&
    settings.masterKey === null &&
    !problems.some((problem) => /MASTER_KEY|masterKey/.test(problem))
  ) {
    problems.push(
      'DRAWBRIDGE_MASTER_KEY is missing; with DATABASE_URL it is required: 32 bytes as base64, as `openssl rand -base64 32` makes them.',
    );
  }
  if (settings.smtpUrl !== null && !values.has('mailFrom'))
    problems.push('DRAWBRIDGE_MAIL_FROM is missing; with SMTP_URL a sender is required.');
  if (settings.metricsPort === settings.port)
    problems.push('DRAWBRIDGE_METRICS_PORT is the port of the server itself; expected another one.');
  return problems.length > 0
    ? { kind: 'refused', problems }
    : { kind: 'read', settings, warnings: unknownVariables(env) };
}

const variables: ReadonlySet<string> = new Set([
  'DRAWBRIDGE_CONFIG',
  ...Object.values(fields).flatMap((field) =>
    field.type === 'secret' ? [field.env, `${field.env}_FILE`] : [field.env],
  ),
]);
// Where a service of the cluster is called drawbridge, Kubernetes sets these for every container beside it.
const OF_KUBERNETES = /^DRAWBRIDGE_(SERVICE_|PORT(_|$))/;

/** A mistyped variable would leave its setting at the default. Not refused: the prefix is not ours alone. */
function unknownVariables(env: Env): readonly string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('DRAWBRIDGE_') && !variables.has(name) && !OF_KUBERNETES.test(name))
    .map((name) => `The variable ${name} is no setting of this server, and has no effect.`);
}

function readServerFile(file: string, problems: string[]): YamlText | null {
  if (!existsSync(file)) return null;
  const read = readYamlText(file, readFileSync(file, 'utf8'));
  if (read.kind === 'refused') {
    problems.push(formatProblem(read.problem));
    return null;
  }
  // A file whose every line is a comment is empty.
  const parsed = serverFile.safeParse(read.yaml.value ?? {});
  if (parsed.success) return read.yaml;
  problems.push(...problemsOf(parsed.error, read.yaml).map(formatProblem));
  return null;
}

function fromEnvironment(key: Key, env: Env, folder: string, problems: string[]): unknown {
  const field = fields[key];
  const fileName = field.type === 'secret' ? env[`${field.env}_FILE`] : undefined;
  const given =
    env[field.env] || (fileName ? secretFile(resolve(folder, fileName), `${field.env}_FILE`, problems) : undefined);
  if (!given) return undefined;
  const value =
    field.type === 'number' && /^\d+$/.test(given)
      ? Number(given)
      : field.type === 'boolean'
        ? ({ true: true, false: false }[given] ?? given)
        : given;
  const parsed = field.schema.safeParse(value);
  if (parsed.success) return value;
  const found = field.type === 'secret' ? 'something else' : quote(given);
  problems.push(`${field.env} is ${found}; expected ${parsed.error.issues[0]?.message}.`);
  return undefined;
}

function fromFile(key: Key, file: YamlText | null, env: Env, configFolder: string, problems: string[]): unknown {
  const value = file?.at([key]) ?? undefined;
  const field = fields[key];
  if (file === null || value === undefined || field.type !== 'secret') return value;
  const ref = value as { env?: string; file?: string };
  const fail = (found: string, expected: string) => {
    problems.push(formatProblem(problemAt(file, [key], found, expected)));
    return undefined;
  };
  const secret =
    ref.env !== undefined ? env[ref.env] : secretFile(resolve(configFolder, ref.file ?? ''), key, problems);
  if (ref.env !== undefined && !secret)
    return fail(`the variable ${ref.env}, which is not set`, 'a variable that holds the secret');
  if (secret === undefined) return undefined;
  const parsed = field.schema.safeParse(secret);
  return parsed.success ? secret : fail('something else', parsed.error.issues[0]?.message ?? secretExpected);
}

function secretFile(file: string, name: string, problems: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    problems.push(`${name} names ${quote(file)}, which cannot be read.`);
    return undefined;
  }
}

function isPublicUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  return bare && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)));
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d+){3}$/.test(hostname)
  );
}

function isMailbox(value: string): boolean {
  const named = /^[^<>\r\n"]+ <([^<>]+)>$/.exec(value);
  return parseEmail(named?.[1] ?? value) !== null;
}

function keyBytes(value: string): Uint8Array | null {
  const isHex = /^[0-9a-fA-F]{64}$/.test(value);
  if (!isHex && !/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) return null;
  const bytes = Buffer.from(value, isHex ? 'hex' : 'base64');
  return bytes.length === 32 ? bytes : null;
}

/**
 * The text that a secret's reference names: a variable of this process, or a file (relative to the configuration folder) without
 * the line break at its end.
 *
 * Throws an error whose sentence names the variable or the file and never its content. The server's own secrets are not to be had:
 * a tenant's file that names one would send it to that tenant's IdP.
 */
export function readSecret(
  ref: { readonly env: string } | { readonly file: string },
  configFolder: string,
  env: Env = process.env,
): string {
  if ('env' in ref) {
    const value = settingsVariables.has(ref.env) ? undefined : env[ref.env];
    if (!value) throw new Error(`The variable ${ref.env} is not set; expected it to hold a secret of a connection.`);
    return value;
  }
  const file = isAbsolute(ref.file) ? ref.file : join(configFolder, ref.file);
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch {
    throw new Error(`The file ${file} cannot be read; expected it to hold a secret of a connection.`);
  }
}
