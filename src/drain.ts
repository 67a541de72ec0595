// Leaving in order: no new connections, requests under way finish, kept-alive ones are told to close.

import type { Server } from 'node:http';
import type { RequestHandler } from 'express';

export type Drain = {
  /** Put before every other handler. */
  readonly middleware: RequestHandler;
  readonly isDraining: () => boolean;
  /** Resolves when the last request has been answered, or after `seconds`, whichever is first. */
  drain(server: Server, seconds: number): Promise<void>;
};

export function makeDrain(): Drain {
  let draining = false;
  return {
    middleware(_request, response, next) {
      if (draining) response.set('connection', 'close');
      next();
    },
    isDraining: () => draining,
    drain(server, seconds) {
      draining = true;
      return new Promise((resolve) => {
        const deadline = setTimeout(() => server.closeAllConnections(), seconds * 1000);
        // A connection that just became idle would otherwise wait for its client's next request.
        const idle = setInterval(() => server.closeIdleConnections(), 50);
        server.close(() => {
          clearTimeout(deadline);
          clearInterval(idle);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}
