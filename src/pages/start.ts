import express, { type Router } from 'express';
import { html } from './html.ts';
import { sendPage } from './respond.ts';

/** The page at the address itself, for whoever types it: this is where one signs in, and applications are where one begins. */
export function startPage(): Router {
  const router = express.Router();
  router.get('/', (_request, response) =>
    sendPage(response, 200, {
      title: 'Sign-in service',
      main: html`<h1>Sign-in service</h1>
<p>Open the application that you want to use. It brings you here when you need to sign in.</p>`,
    }),
  );
  return router;
}
