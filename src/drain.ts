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
  const underWay = new Set<ServerResponse>();
  return {
    watch(response) {
      if (draining) response.setHeader('connection', 'close');
      underWay.add(response);
      response.once('close', () => underWay.delete(response));
    },
    isDraining: () => draining,
    async drain(server, seconds, noticeSeconds) {
      const deadline = setTimeout(() => server.closeAllConnections(), seconds * 1000);
      draining = true;
      // A client that is promised its connection would send the next request just as it is closed.
      for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close');
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
