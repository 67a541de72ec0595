// Where a request comes from, behind proxies of our own or not.

import type { IncomingMessage } from 'node:http';

/** A socket that takes both kinds of address writes those of IPv4 as `::ffff:192.0.2.7`: nobody looks for that in a firewall. */
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/**
 * The address that a request comes from: that of its connection; behind `hops` proxies of our own, the one that the outermost of them
 * names in X-Forwarded-For, or the furthest that is named where there are fewer. What anybody else wrote there is not looked at. Empty
 * where the connection is gone. The same as Express reads with a number as `trust proxy`, but an IPv4 address is written as one.
 */
export function clientAddress(request: IncomingMessage, hops: number): string {
  const direct = (request.socket.remoteAddress ?? '').replace(MAPPED, '');
  const header = request.headers['x-forwarded-for'];
  if (hops === 0 || typeof header !== 'string') return direct;
  const named = header
    .split(',')
    .map((part) => part.replace(/^ +| +$/g, ''))
    .filter((part) => part !== '');
  return named.at(-Math.min(hops, named.length)) ?? direct;
}
