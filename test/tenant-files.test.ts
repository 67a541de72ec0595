import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { readTenantFiles } from '../src/tenant-files.ts';
import { configFolder } from './support/config.ts';

const folder = configFolder();
afterAll(folder.remove);
const pem = readFileSync(
  fileURLToPath(new URL('../config/example/certificates/acme-entra.pem', import.meta.url)),
  'utf8',
);
const certificate = pem.replace(/-----[A-Z ]+-----|\s/g, '');

const metadata = (key: string) => `<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.acme.example">
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    ${key}
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.acme.example/sso"/>
  </IDPSSODescriptor>
</EntityDescriptor>`;
const signing = `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>${certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`;

test('a SAML connection may take its IdP from a metadata file beside the tenants', async () => {
  folder.write({
    acme: 'tenant: acme\nname: Acme\nconnections: { entra: { saml: { metadataFile: entra.xml, clockSkewSeconds: 30 } } }\n',
  });
  writeFileSync(join(folder.path, 'entra.xml'), metadata(signing));
  const [acme] = await folder.read();
  expect(acme?.connections[0]).toMatchObject({
    protocol: 'saml',
    issuer: 'https://idp.acme.example',
    saml: { signOnUrl: 'https://idp.acme.example/sso', certificates: [certificate], clockSkewSeconds: 30 },
  });
});

test('T7 metadata without a signing certificate is refused', async () => {
  writeFileSync(join(folder.path, 'entra.xml'), metadata(''));
  expect((await readTenantFiles(folder.path)).kind).toBe('refused');
});
