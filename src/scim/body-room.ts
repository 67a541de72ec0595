// How much of the memory long bodies may take: what is made of one is several times its length. Counted by each process for itself.

import { BridgeError } from '../core/errors.ts';
import type { ConnectionId } from '../core/ids.ts';
import { ScimError } from './errors.ts';

/** The room of one request. */
export type Room = {
  /**
   * Says how long its body is so far. Refuses with 429 where its directory has too much under way, with 503 where all of them have;
   * both are to be tried again.
   */
  readonly take: (bytes: number) => void;
  /** When the request has been answered; again does nothing. */
  readonly leave: () => void;
};

export type EnterRoom = (connectionId: ConnectionId) => Room;

/** Nearly every body is shorter, and is not counted. */
const FREE = 64 * 1024;
/** Two of the longest bodies. */
const OF_DIRECTORY = 20 * 1024 * 1024;
const OF_ALL = 40 * 1024 * 1024;

/** Room for the bodies of all directories together, and of each. */
export function bodyRooms(rule: { readonly ofDirectory?: number; readonly ofAll?: number } = {}): EnterRoom {
  const { ofDirectory = OF_DIRECTORY, ofAll = OF_ALL } = rule;
  const held = new Map<ConnectionId, number>();
  let all = 0;
  return (connectionId) => {
    let mine = 0;
    const change = (by: number) => {
      mine += by;
      all += by;
      const left = (held.get(connectionId) ?? 0) + by;
      if (left === 0) held.delete(connectionId);
      else held.set(connectionId, left);
    };
    return {
      take(bytes) {
        const more = bytes <= FREE ? 0 : bytes - mine;
        if ((held.get(connectionId) ?? 0) + more > ofDirectory) throw enough();
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
  new ScimError(429, null, 'This directory has enough long requests under way. Send it again when one is through.');
