// Requests to addresses that a tenant's administrator names: their IdP's metadata, keys and endpoints.

import { lookup as resolveName } from 'node:dns';
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

export type OutboundErrorCode = 'refused_address' | 'unreachable' | 'timeout' | 'too_large' | 'redirected';

/** A request that was not made, or whose answer was not taken. The message names the host and the reason, never the query. */
export class OutboundError extends Error {
  readonly code: OutboundErrorCode;

  constructor(code: OutboundErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OutboundError';
    this.code = code;
  }
}

export type OutboundInit = {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | URLSearchParams | undefined;
  readonly signal?: AbortSignal | undefined;
};
export type OutboundFetch = (url: string | URL, init?: OutboundInit) => Promise<Response>;

export type OutboundLimits = {
  /** Loopback, private and shared address space, and plain http to it. Never link-local: cloud metadata lives there. */
  readonly allowPrivateNetwork: boolean;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  /** DNS, as `dns.lookup` with `all: true`. */
  readonly resolve?: (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;
};

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix = ''] = range.split('/');
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

// The IANA special-purpose registries (RFC 6890 and its updates), in two parts: networks that somebody may really run an IdP in …
const privateNetworks = blockList([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1/128',
  'fc00::/7',
]);
// … and addresses that are never a server. NAT64, 6to4 and Teredo carry an IPv4 address past an IPv4 rule.
const neverServers = blockList([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '100:0:0:1::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '2620:4f:8000::/48',
  '3fff::/20',
  '5f00::/16',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  // Where clouds answer for their metadata inside a private range.
  'fd00:ec2::254/128',
  '100.100.100.200/32',
]);

export type AddressKind = 'public' | 'private' | 'never';

/** What an IP address is to an outbound request. IPv4-mapped IPv6 counts as the IPv4 address inside; no IP address is `never`. */
export function addressKind(address: string): AddressKind {
  const version = isIP(address);
  if (version === 0) return 'never';
  const family = version === 6 ? 'ipv6' : 'ipv4';
  if (address !== '::1' && neverServers.check(address, family)) return 'never';
  return privateNetworks.check(address, family) ? 'private' : 'public';
}

const defaultResolve: NonNullable<OutboundLimits['resolve']> = (hostname) =>
  new Promise((resolve, reject) => {
    resolveName(hostname, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });

/**
 * A `fetch` for addresses that others chose. One request, one connection, nothing kept.
 *
 * The whole exchange may take 5 seconds and the body 1 MB, unless the limits say otherwise. Refused with {@link OutboundError}:
 * anything but https; credentials in the URL; a host of which any address is special-use, checked on the very addresses that
 * the socket then connects to, so that a name cannot change its mind in between (T18); redirects; compressed answers.
 *
 * Does not use a proxy, does not judge the status.
 */
export function outboundFetch(limits: OutboundLimits): OutboundFetch {
  const { allowPrivateNetwork, timeoutMs = 5_000, maxBytes = 1_000_000, resolve = defaultResolve } = limits;

  function checkAddress(address: string, url: URL): void {
    const kind = addressKind(address);
    if (kind === 'never' || (kind === 'private' && !allowPrivateNetwork)) {
      throw new OutboundError('refused_address', `${url.host} is the special-use address ${address}`);
    }
    if (kind === 'public' && url.protocol !== 'https:') {
      throw new OutboundError('refused_address', `${url.host} is a public address and must be reached by https`);
    }
  }

  function checkUrl(url: URL): void {
    if (url.protocol !== 'https:' && !(allowPrivateNetwork && url.protocol === 'http:')) {
      throw new OutboundError('refused_address', `${url.protocol}//${url.host} is not https`);
    }
    if (url.username !== '' || url.password !== '') {
      throw new OutboundError('refused_address', `the address of ${url.host} carries credentials`);
    }
    // Node looks up names only: a literal never reaches the lookup below.
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0) checkAddress(literal, url);
  }

  const checkedLookup =
    (url: URL): LookupFunction =>
    (hostname, options, callback) => {
      resolve(hostname)
        .then((addresses) => {
          const [first] = addresses;
          if (first === undefined) throw new OutboundError('unreachable', `${url.host} has no address`);
          for (const { address } of addresses) checkAddress(address, url);
          if (options.all === true) callback(null, [...addresses]);
          else callback(null, first.address, first.family);
        })
        .catch((error) => callback(error, '', 0));
    };

  return async (address, init = {}) => {
    const url = new URL(address);
    checkUrl(url);
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = init.signal === undefined ? deadline : AbortSignal.any([deadline, init.signal]);
    const body = init.body === undefined ? undefined : String(init.body);
    const options: RequestOptions = {
      method: init.method ?? 'GET',
      headers: {
        ...init.headers,
        // A compressed answer could unpack to more than the cap: none is asked for, and none is taken.
        'accept-encoding': 'identity',
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
      agent: false,
      lookup: checkedLookup(url),
      signal,
    };
    try {
      const request = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
      const answer = await send(request, body);
      return await readAnswer(answer, url, maxBytes);
    } catch (error) {
      throw asOutboundError(error, url, deadline);
    }
  };
}

function send(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // Not once: an abort may be reported after the answer began, and would end the process unheard.
    request.on('error', reject);
    request.end(body);
  });
}

async function readAnswer(answer: IncomingMessage, url: URL, maxBytes: number): Promise<Response> {
  const status = answer.statusCode ?? 0;
  const fail = (code: OutboundErrorCode, message: string) => {
    answer.destroy();
    throw new OutboundError(code, message);
  };
  if (status >= 300 && status < 400) fail('redirected', `${url.host} answered with a redirect (${status})`);
  if (status < 200 || status > 599) fail('unreachable', `${url.host} answered with status ${status}`);
  const encoding = answer.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') fail('unreachable', `${url.host} answered with content encoding ${encoding}`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) fail('too_large', `${url.host} answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const empty = status === 204 || status === 205;
  return new Response(empty ? null : Buffer.concat(chunks), { status, headers });
}

function asOutboundError(error: unknown, url: URL, deadline: AbortSignal): OutboundError {
  if (error instanceof OutboundError) return error;
  if (deadline.aborted) return new OutboundError('timeout', `${url.host} did not answer in time`, { cause: error });
  return new OutboundError('unreachable', `${url.host} could not be reached (${reasonOf(error)})`, { cause: error });
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
