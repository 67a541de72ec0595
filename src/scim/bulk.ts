// /Bulk (RFC 7644 §3.7).

import type { ConnectionId, TenantId } from '../core/ids.ts';
import { readBytes } from './body.ts';
import { bulkLimits, bulkResponse, payloadTooLarge, readBulk } from './bulk-message.ts';
import { runBulk } from './bulk-run.ts';
import { ScimError } from './errors.ts';
import type { Handler } from './exchange.ts';
import { pace } from './pace.ts';
import { errorReply } from './respond.ts';

// Bytes of bulks that are read or at work: their operations take up several times as much memory.
const OF_DIRECTORY = 2 * bulkLimits.maxPayloadSize;
const OF_ALL = 8 * bulkLimits.maxPayloadSize;
/** However many directories a tenant has, half of the room is for the others. */
const OF_TENANT = OF_ALL / 2;
const atWork = new Map<ConnectionId, { readonly tenantId: TenantId; readonly bytes: number }>();

function bytesAtWork(tenantId: TenantId | null): number {
  return atWork
    .values()
    .reduce((sum, one) => (tenantId === null || one.tenantId === tenantId ? sum + one.bytes : sum), 0);
}

/**
 * A bulk: 200 with the result of each operation that was tried. What a directory has at work beside may be eight megabytes, and those of
 * a tenant sixteen; more is 429, and more of all directories together 503, each to be tried again.
 */
export const postBulk: Handler = async (exchange) => {
  const { connectionId, tenantId } = exchange.directory;
  const announced = Number(exchange.request.headers['content-length'] ?? Number.NaN);
  const bytes = Number.isSafeInteger(announced)
    ? Math.min(announced, bulkLimits.maxPayloadSize)
    : bulkLimits.maxPayloadSize;
  const held = atWork.get(connectionId)?.bytes ?? 0;
  if (held + bytes > OF_DIRECTORY)
    return busy(429, 'This directory has enough bulks at work. Send it again when one is through.');
  if (bytesAtWork(tenantId) + bytes > OF_TENANT)
    return busy(429, 'The directories of this tenant have enough bulks at work. Send it again when one is through.');
  if (bytesAtWork(null) + bytes > OF_ALL) return busy(503, 'The server is busy. Try again.');
  atWork.set(connectionId, { tenantId, bytes: held + bytes });
  try {
    const between = pace();
    const body = await readBytes(exchange.request, bulkLimits.maxPayloadSize, payloadTooLarge);
    const since = performance.now();
    const request = await readBulk(body, exchange.notes, between);
    return { status: 200, body: bulkResponse(await runBulk(exchange, request, between, since)) };
  } finally {
    const left = (atWork.get(connectionId)?.bytes ?? 0) - bytes;
    if (left > 0) atWork.set(connectionId, { tenantId, bytes: left });
    else atWork.delete(connectionId);
  }
};

function busy(status: 429 | 503, detail: string) {
  return errorReply(new ScimError(status, null, detail), { 'Retry-After': '1' });
}
