/** One PostgreSQL for the whole run: the one that `DRAWBRIDGE_TEST_DATABASE_URL` names, or an embedded one. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { createDatabase, startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Addresses of the server under a user that may make databases and roles, and of the empty template under its owner. */
    readonly testServer: { readonly url: string; readonly templateUrl: string };
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const template = `drawbridge_template_${randomBytes(4).toString('hex')}`;
  const given = process.env.DRAWBRIDGE_TEST_DATABASE_URL;
  if (given === undefined || given === '') {
    const server = await startEmbeddedPostgres({ ephemeral: true });
    project.provide('testServer', { url: server.url, templateUrl: await createDatabase(server.url, template) });
    return () => server.stop();
  }
  // A role of this run's own: one named as in production may be in use there.
  project.provide('testServer', { url: given, templateUrl: await createDatabase(given, template, template) });
  return async () => {
    const client = new pg.Client({ connectionString: given });
    await client.connect();
    await client.query(`drop database if exists ${template} with (force)`);
    await client.query(`drop role if exists ${template}`);
    await client.end();
  };
}
