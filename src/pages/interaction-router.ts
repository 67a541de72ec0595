// Signing in, page by page. Every page belongs to an interaction, and so to the browser that holds its cookie.

import express, { type Request, type Response, type Router } from 'express';
import { askForAccess, chooseTenant, resume } from './arrival.ts';
import { checkToken, fieldOf, limited, noHead, pageErrors, readForm, sameOrigin } from './guard.ts';
import { sendOn } from './respond.ts';
import { leave, show, submitConnection, submitEmail, submitPassword } from './sign-in-steps.ts';
import { type InteractionPages, type Turn, takeTurn, tokenOf } from './turn.ts';

/** The pages under `/interaction/:uid`. */
export function interactionRouter(pages: InteractionPages): Router {
  const router = express.Router();
  const asked = [noHead, limited(pages.limit)];
  const posted = [...asked, sameOrigin(pages.publicUrl), readForm];
  const turn = (act: (turn: Turn) => Promise<void>) => async (request: Request, response: Response) =>
    act(await takeTurn(pages, request, response));
  const postedTurn = (act: (turn: Turn) => Promise<void>) =>
    turn(async (one) => {
      checkToken(fieldOf(one.request, 'token'), tokenOf(one));
      await act(one);
    });

  router.get('/interaction/:uid', asked, turn(show));
  router.post('/interaction/:uid/email', posted, postedTurn(submitEmail));
  router.post('/interaction/:uid/connection', posted, postedTurn(submitConnection));
  router.post('/interaction/:uid/password', posted, limited(pages.passwordLimit), postedTurn(submitPassword));
  router.get('/interaction/:uid/resume', asked, turn(resume));
  router.post('/interaction/:uid/request', posted, postedTurn(askForAccess));
  // Links, not forms: Chromium lets no form lead to another origin here, and the application is one. The token keeps other sites out.
  router.get('/interaction/:uid/tenant', asked, turn(chooseTenant));
  router.get('/interaction/:uid/leave', asked, turn(leave));
  // A reload of what a form answered.
  router.get(
    ['/interaction/:uid/email', '/interaction/:uid/connection', '/interaction/:uid/password'],
    (request, response) => sendOn(response, `/interaction/${encodeURIComponent(String(request.params.uid))}?choose=1`),
  );
  router.use(pageErrors(pages.log));
  return router;
}
