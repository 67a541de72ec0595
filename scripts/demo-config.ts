// A configuration folder for the demo and the tests: config/example with the addresses of IdPs that really answer.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLE = fileURLToPath(new URL('../config/example/', import.meta.url));

export type DemoUpstream = {
  readonly oidc: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string };
  readonly saml: { readonly issuer: string; readonly signOnUrl: string; readonly certificate: string };
};

/** Copies the example into `folder` and puts acme's two connections at the upstream's addresses. Secrets become files beside it. */
export function writeDemoConfig(folder: string, upstream: DemoUpstream): void {
  cpSync(EXAMPLE, folder, { recursive: true });
  writeFileSync(join(folder, 'okta.secret'), upstream.oidc.clientSecret, { mode: 0o600 });
  writeFileSync(join(folder, 'certificates/acme-entra.pem'), upstream.saml.certificate);
  editTenantFile(folder, 'acme', [
    ['https://acme.okta.example', upstream.oidc.issuer],
    ['0oa1drawbridge', upstream.oidc.clientId],
    ['{ env: ACME_OKTA_SECRET }', '{ file: okta.secret }'],
    ['https://sts.windows.example/4c1a8f9e-acme/', upstream.saml.issuer],
    ['https://login.windows.example/4c1a8f9e-acme/saml2', upstream.saml.signOnUrl],
  ]);
}

/** Replaces texts in a tenant's file; each must be there once. */
export function editTenantFile(
  folder: string,
  tenant: string,
  edits: readonly (readonly [from: string, to: string])[],
): void {
  const file = join(folder, 'tenants', `${tenant}.yaml`);
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of edits) {
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold ${JSON.stringify(from)} exactly once`);
    text = text.replace(from, () => to);
  }
  writeFileSync(file, text);
}
