// Leaving in order: load balancers are told first, requests under way finish, kept connections close behind an answer.

import type { Server, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export type Drain = {
  /** Called with the answer of every request before anything is said in it. */
  readonly watch: (response: ServerResponse) => void;
  readonly isDraining: () => boolean;
  /**
   * Resolves when the last request has been answered, or after `seconds`, whichever is first. For the first `noticeSeconds` of
   * them new connections are still taken: whoever asks for readiness hears no, and whoever has not asked yet is still served.
   */
  drain(server: Server, seconds: number, noticeSeconds: number): Promise<void>;
};

export function makeDrain(): Drain {
  let draining = false;
  // Places that are taken again. A Set that loses as many as it gains leaves tables behind, and each keeps what was in it until the
  // whole memory is gone through: every answer of a busy minute.
  const underWay: (ServerResponse | null)[] = [];
  const free: number[] = [];
  return {
    watch(response) {
      if (draining) response.setHeader('connection', 'close');
      const place = free.pop() ?? underWay.length;
      underWay[place] = response;
      response.once('close', () => {
        underWay[place] = null;
        free.push(place);
      });
    },
    isDraining: () => draining,
    async drain(server, seconds, noticeSeconds) {
      const deadline = setTimeout(() => server.closeAllConnections(), seconds * 1000);
      draining = true;
      // A client that is promised its connection would send the next request just as it is closed.
      for (const response of underWay)
        if (response !== null && !response.headersSent) response.setHeader('connection', 'close');
      await sleep(Math.min(noticeSeconds, seconds) * 1000);
      // A connection that just became idle would otherwise wait for its client's next request.
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      clearTimeout(deadline);
      clearInterval(idle);
    },
  };
}
