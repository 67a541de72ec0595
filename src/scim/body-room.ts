// How much of the memory long bodies may take: what is made of one is several times its length. Counted by each process for itself.

import { BridgeError } from '../core/errors.ts';
import type { TenantId } from '../core/ids.ts';
import { ScimError } from './errors.ts';

/** The room of one request. */
export type Room = {
  /**
   * Says how long its body is so far. Refuses with 429 where its tenant has too much under way, with 503 where all of them have;
   * both are to be tried again.
   */
  readonly take: (bytes: number) => void;
  /** When the request has been answered; again does nothing. */
  readonly leave: () => void;
};

export type EnterRoom = (tenantId: TenantId) => Room;

/** Nearly every body is shorter, and is not counted. */
const FREE = 64 * 1024;
/** Two of the longest bodies. However many directories a tenant has, half of the room is for the others. */
const OF_TENANT = 20 * 1024 * 1024;
const OF_ALL = 2 * OF_TENANT;

/** Room for the bodies of all directories together, and of each. */
export function bodyRooms(rule: { readonly ofTenant?: number; readonly ofAll?: number } = {}): EnterRoom {
  const { ofTenant = OF_TENANT, ofAll = OF_ALL } = rule;
  const held = new Map<TenantId, number>();
  let all = 0;
  return (tenantId) => {
    let mine = 0;
    const change = (by: number) => {
      mine += by;
      all += by;
      const left = (held.get(tenantId) ?? 0) + by;
      if (left === 0) held.delete(tenantId);
      else held.set(tenantId, left);
    };
    return {
      take(bytes) {
        const more = bytes <= FREE ? 0 : bytes - mine;
        if ((held.get(tenantId) ?? 0) + more > ofTenant) throw enough();
        if (all + more > ofAll) throw new BridgeError('unavailable', 'The server is busy. Try again.', 'long bodies');
        if (more !== 0) change(more);
      },
      leave: () => {
        if (mine !== 0) change(-mine);
      },
    };
  };
}

const enough = () =>
  new ScimError(
    429,
    null,
    'The directories of this tenant have enough long requests under way. Send it again when one is through.',
  );
