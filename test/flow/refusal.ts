// What every answer to bad input must be: a refusal in the protocol's own form, that tells nothing of the machine behind it.

import { expect } from 'vitest';
import { leakOf } from '../../scripts/fuzz/leaks.ts';
import type { Answer } from './http.ts';
import type { Flow } from './servers.ts';

/** The forms in which the parts of the server refuse. `bare`: Node's own HTTP parser, before anything of ours has seen the request. */
export type Form = 'scim' | 'oauth' | 'page' | 'application' | 'bare';

const scimError = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** Says what is wrong with a refusal, or null. */
export function faultOf(form: Form, answer: Answer): string | null {
  const type = answer.headers['content-type'] ?? '';
  const { status, text } = answer;
  const leak = leakIn(answer);
  if (leak !== null) return `tells of its machine: ${leak}`;
  if (form === 'bare') return status === 400 || status === 431 || status === 408 ? null : `status ${status}`;
  // A head that is too large ends in Node's own parser, whatever it was for; of what is no SCIM it is told in a plain sentence.
  if (status === 431 && form !== 'scim')
    return type.startsWith('text/plain') ? null : `no sentence but ${type}: ${text}`;
  if (form === 'application') {
    const to = URL.parse(answer.headers.location ?? '');
    const error = to?.searchParams.get('error') ?? new URLSearchParams(to?.hash.slice(1)).get('error');
    return status === 303 && to?.origin === 'https://app.example' && error
      ? null
      : `no error to the application: ${status} ${text}`;
  }
  // 501: not offered yet, and said so.
  if (status < 400 || (status >= 500 && !(form === 'scim' && status === 501))) return `status ${status}: ${text}`;
  if (form === 'page') {
    return type.startsWith('text/html') && text.includes('<main>') ? null : `no page but ${type}: ${text}`;
  }
  const body = parsed(text);
  if (form === 'oauth') {
    const said = /^application\/json\b/.test(type) && typeof body?.error === 'string';
    return said ? null : `no error of OAuth but ${type}: ${text}`;
  }
  const said =
    body?.status === String(status) && String(body?.schemas) === scimError && typeof body?.detail === 'string';
  return /^application\/(scim\+)?json\b/.test(type) && said ? null : `no error of SCIM but ${type}: ${text}`;
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What an answer lets slip, or null. */
export function leakIn(answer: Answer): string | null {
  const told = `${answer.headers.location ?? ''}\n${answer.headers['www-authenticate'] ?? ''}\n${answer.text}`;
  const leak = leakOf(told);
  if (leak !== null) return leak;
  return 'x-powered-by' in answer.headers ? 'X-Powered-By' : null;
}

// What a request may leave behind without having changed anything: the trail, the queue's own, the ways of a sign-in, and
// the log of a directory's requests.
const SCRATCH =
  /^(audit_events.*|login_flows|sign_in_handles|seen_assertions|oidc_artifacts|scim_request.*|directory_activity|knex_.*)$/;

/** All that matters in the database, or of it what is one tenant's, as one value per table; and how many artifacts belong to somebody. */
export async function snapshot(flow: Pick<Flow, 'world'>, tenantId?: string): Promise<Record<string, unknown>> {
  const { sql } = flow.world;
  const tables = await sql<{ name: string; of_tenants: boolean }>(
    `select tablename as name, exists (select from pg_attribute where attrelid = tablename::regclass and attname = 'tenant_id') as of_tenants
     from pg_tables where schemaname = 'public' order by 1`,
  );
  const picture: Record<string, unknown> = {};
  for (const { name, of_tenants } of tables.filter((table) => !SCRATCH.test(table.name))) {
    if (tenantId !== undefined && !of_tenants) continue;
    // When a token was last used is no change of anything.
    const row = name === 'scim_credentials' ? `to_jsonb(t) - 'last_used_at'` : 'to_jsonb(t)';
    const where = tenantId === undefined ? '' : `where tenant_id = '${tenantId}'`;
    const [found] = await sql(
      `select count(*)::int as rows, md5(coalesce(string_agg(r::text, '' order by r::text), '')) as content from (select ${row} as r from "${name}" t ${where}) x`,
    );
    picture[name] = found;
  }
  const [issued] = await sql(`select count(*)::int as rows from oidc_artifacts where account_user_id is not null`);
  return { ...picture, issued };
}

/** Runs the tries; the answers must be refusals and nothing may have changed. */
export async function expectRefusals(
  flow: Pick<Flow, 'world'>,
  tries: readonly { readonly name: string; readonly form: Form; readonly send: () => Promise<Answer> }[],
): Promise<void> {
  const before = await snapshot(flow);
  const faults: string[] = [];
  for (const { name, form, send } of tries) {
    const fault = await send().then(
      (answer) => faultOf(form, answer),
      (error: Error) => `no answer: ${error.message}`,
    );
    if (fault !== null) faults.push(`${name}: ${fault.slice(0, 400)}`);
  }
  expect(faults).toEqual([]);
  expect(await snapshot(flow)).toEqual(before);
}
