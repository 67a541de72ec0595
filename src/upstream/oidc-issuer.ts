// Which issuers a connection may name.

// Microsoft signs in the people of every tenant at these hosts; only the tenant's id in the path says whose they are.
const entraHosts: ReadonlySet<string> = new Set([
  'login.microsoftonline.com',
  'login.microsoftonline.us',
  'login.partner.microsoftonline.cn',
  'login.chinacloudapi.cn',
  'login.microsoftonline.de',
  'login.microsoft.com',
  'login.windows.net',
  'sts.windows.net',
  'sts.chinacloudapi.cn',
]);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function isEntraHost(host: string): boolean {
  return entraHosts.has(host) || host.endsWith('.ciamlogin.com');
}

/**
 * Why an issuer cannot be that of a connection, as one sentence for whoever configures it; null if it can.
 *
 * An issuer is an https URL (http where `allowHttp`) without query and fragment (OpenID Connect Discovery 1.0 §3). Issuers that
 * stand for many tenants at once are refused (T25): a template (`{tenantid}`), and on Microsoft's hosts `common`,
 * `organizations`, `consumers` and anything else than a tenant's id. Does not ask whether anybody answers there.
 */
export function issuerFault(issuer: string, allowHttp: boolean): string | null {
  if (/[{}]/.test(issuer)) return `issuer ${issuer} stands for many tenants: use the one with your own tenant's id`;
  if (!URL.canParse(issuer)) return `issuer ${issuer} is not a URL`;
  const url = new URL(issuer);
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:'))
    return `issuer ${issuer} is not an https URL`;
  if (/[?#]/.test(issuer)) return `issuer ${issuer} has a query or a fragment`;
  if (url.username !== '' || url.password !== '') return 'the issuer carries credentials';
  if (isEntraHost(url.hostname) && entraTenant(issuer) === null) {
    return `issuer ${issuer} stands for many tenants: use the one with your own tenant's id`;
  }
  return null;
}

/** The tenant's id in an issuer of Entra ID, or null for any other issuer. */
export function entraTenant(issuer: string): string | null {
  const url = new URL(issuer);
  if (!isEntraHost(url.hostname)) return null;
  const [, first = ''] = url.pathname.split('/');
  return UUID.test(first) ? first : null;
}
