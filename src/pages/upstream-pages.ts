// The pages with which a sign-in ends at its callback, for the part that answers there.

import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { Log } from '../context.ts';
import { type Limit, limited, noHead, pageErrors } from './guard.ts';
import { type Problem, problemPage, problemStatus } from './problem.ts';
import { sendPage } from './respond.ts';
import { arrivedPage } from './sign-in.ts';

export type UpstreamPages = {
  readonly failed: (
    response: Response,
    failure: { readonly problem: Problem; readonly reference: string; readonly contact: string | null },
  ) => void;
  readonly arrived: (response: Response, provider: string) => void;
  /** Before anything is read: lets the request through, or ends it. */
  readonly guards: readonly RequestHandler[];
  readonly errors: ErrorRequestHandler;
};

export function upstreamPages({ limit, log }: { readonly limit: Limit; readonly log: Log }): UpstreamPages {
  return {
    failed: (response, failure) =>
      sendPage(response, problemStatus(failure.problem), problemPage({ ...failure, again: null })),
    arrived: (response, provider) => sendPage(response, 200, arrivedPage(provider)),
    guards: [noHead, limited(limit)],
    errors: pageErrors(log),
  };
}
