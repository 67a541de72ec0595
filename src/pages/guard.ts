// What every form passes before anything reads it: whose it is, where it comes from, how large it is, how often.

import { randomUUID, timingSafeEqual } from 'node:crypto';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import type { Context, Log } from '../context.ts';
import { BridgeError } from '../core/errors.ts';
import { referenceOf } from '../core/reference.ts';
import { type Problem, problemPage, problemStatus } from './problem.ts';
import { sendPage } from './respond.ts';

/** Seconds until the address may try again, or null where it may now. */
export type Limit = (address: string) => number | null;

/** Thrown to end a request with the page of a problem. */
export class PageProblem extends Error {
  readonly problem: Problem;
  readonly retryAfterSeconds: number | null;

  constructor(problem: Problem, retryAfterSeconds: number | null = null) {
    super(problem);
    this.name = 'PageProblem';
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const MOST_FORM_BYTES = 16 * 1024;

/** HEAD changes nothing and tells nothing: what these pages do, they do for somebody who reads them (I13). */
export const noHead: RequestHandler = (request, response, next) => {
  if (request.method === 'HEAD') response.status(405).set('Allow', 'GET').end();
  else next();
};

/** Reads a form of ours. Compressed and large ones are refused before they are read, repeated fields when they are asked for. */
export const readForm: RequestHandler = express.urlencoded({
  extended: false,
  limit: MOST_FORM_BYTES,
  parameterLimit: 20,
  inflate: false,
});

/**
 * Refuses a form that another site posted: by `Sec-Fetch-Site` and `Origin`, each where the browser sends it (T101). The token in
 * the form is checked besides, where it is known what it must name.
 */
export function sameOrigin(publicUrl: string): RequestHandler {
  const own = new URL(publicUrl).origin;
  return (request, _response, next) => {
    const site = request.get('sec-fetch-site');
    const origin = request.get('origin');
    const foreign = (site !== undefined && site !== 'same-origin') || (origin !== undefined && origin !== own);
    next(foreign ? new PageProblem('foreign_form') : undefined);
  };
}

export function limited(limit: Limit): RequestHandler {
  return (request, _response, next) => {
    const wait = limit(addressOf(request));
    next(wait === null ? undefined : new PageProblem('too_many', wait));
  };
}

/** The client's address as a limit counts it: an IPv6 network of 64 bits is one household. */
export function addressOf(request: Request): string {
  const address = request.ip ?? '';
  return address.includes(':') && !address.startsWith('::ffff:') ? address.split(':').slice(0, 4).join(':') : address;
}

/** A field that is there once, as text; an empty one where it is missing. Twice is a form that we did not make (T90). */
export function fieldOf(request: Request, name: string): string {
  const body: Readonly<Record<string, unknown>> = request.body ?? {};
  return single(body[name]);
}

/** The same for the address's query. */
export function queryOf(request: Request, name: string): string {
  const values = new URL(request.originalUrl, 'http://localhost').searchParams.getAll(name);
  return single(values.length > 1 ? values : values[0]);
}

function single(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value !== 'string' || value.includes('\0')) throw new PageProblem('bad_request');
  return value;
}

/** A token that only this server can make for what it names: proof that a form or a link came from the page that it stands on. */
export function formToken(ctx: Pick<Context, 'keyHash'>, ...names: readonly string[]): string {
  return ctx.keyHash(JSON.stringify(['form', ...names])).slice(0, 43);
}

export function checkToken(given: string, expected: string): void {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  if (a.length !== b.length || !timingSafeEqual(a, b)) throw new PageProblem('foreign_form');
}

/** The id under which the log and the audit trail know this request; made here where nobody did before. */
export function requestIdOf(response: Response): string {
  const { locals } = response;
  if (typeof locals.requestId !== 'string') locals.requestId = randomUUID();
  return locals.requestId as string;
}

/** Ends whatever went wrong with a page: a fixed sentence for the person, the rest for the log under the reference. */
export function pageErrors(log: Log): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const problem = problemOf(error);
    const reference = problem === 'broken' || error instanceof BridgeError ? referenceOf(requestIdOf(response)) : null;
    if (reference !== null)
      log.error({ reference, requestId: requestIdOf(response), error }, 'a page could not be shown');
    const wait = error instanceof PageProblem ? error.retryAfterSeconds : problem === 'unavailable' ? 2 : null;
    if (wait !== null) response.set('Retry-After', String(Math.max(1, Math.ceil(wait))));
    sendPage(response, problemStatus(problem), problemPage({ problem, reference, contact: null, again: null }));
  };
}

function problemOf(error: unknown): Problem {
  if (error instanceof PageProblem) return error.problem;
  if (error instanceof BridgeError) {
    // The provider refuses what it no longer knows, and whoever lost their access a moment ago.
    const over = error.code === 'invalid' || error.code === 'forbidden';
    return error.code === 'unavailable' ? 'unavailable' : over ? 'flow_unknown' : 'broken';
  }
  // What the body parser and the router refuse carries a status.
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : 500;
  if (status === 413) return 'too_large';
  return typeof status === 'number' && status >= 400 && status < 500 ? 'bad_request' : 'broken';
}
