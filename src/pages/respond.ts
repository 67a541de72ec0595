// How a page leaves the server: never cached, never framed, without script.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import express, { type Response, type Router } from 'express';
import { type Page, render } from './layout.ts';

// `form-action` stays 'self': Chromium holds it against every redirect that follows a form, so no form of ours answers with a
// redirect to another origin; it answers with a page that goes on by itself.
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  // Not no-referrer: that would make browsers send `Origin: null` with our own forms.
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function sendPage(response: Response, status: number, page: Page): void {
  response.status(status).set(HEADERS).type('html').send(render(page));
}

/** A page whose form ends at an application's own address: the one kind that may not hold its forms to ours. */
export function sendPageThatLeaves(response: Response, page: Page): void {
  const policy = CONTENT_SECURITY_POLICY.replace("form-action 'self'; ", '');
  response
    .status(200)
    .set({ ...HEADERS, 'Content-Security-Policy': policy })
    .type('html')
    .send(render(page));
}

/** On to another page of ours, or out of a page that no form led to. */
export function sendOn(response: Response, location: string): void {
  response.set(HEADERS).redirect(303, location);
}

/** The one stylesheet. It may be kept by the browser, which asks by its ETag whether it still holds. */
export function stylesheetRouter(): Router {
  const style = readFileSync(new URL('./style.css', import.meta.url));
  const etag = `"${createHash('sha256').update(style).digest('base64url').slice(0, 22)}"`;
  const router = express.Router();
  router.get('/style.css', (_request, response) => {
    response
      .set({ 'Cache-Control': 'no-cache', ETag: etag, 'X-Content-Type-Options': 'nosniff' })
      .type('css')
      .send(style);
  });
  return router;
}
