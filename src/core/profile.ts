// Names and addresses of people in the one form in which they are compared.

/** Canonical address: local part in lower case, domain as A-labels in lower case. Plus-tags are kept. */
export type Email = string & { readonly brand: 'Email' };
export type Domain = string & { readonly brand: 'Domain' };

// RFC 5322 dot-atom. No quoted local part, no comment, no encoded word: those are where two parsers disagree (T95).
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A domain in canonical form, or null. Unicode becomes A-labels; a trailing dot, an address literal, a port and a single label
 * are refused.
 */
export function parseDomain(text: string): Domain | null {
  if (text.length === 0 || text.length > 253 || /[\s/\\:@?#[\]%]/.test(text)) return null;
  let host: string;
  try {
    host = new URL(`http://${text}/`).hostname;
  } catch {
    return null;
  }
  const labels = host.split('.');
  // A number as last label is an IPv4 address to a URL parser.
  const last = labels[labels.length - 1] ?? '';
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label)) || /^[0-9]+$/.test(last)) return null;
  return host as Domain;
}

/**
 * An address in the form in which addresses are compared, or null. Surrounding blanks are dropped, case is folded, a Unicode
 * domain becomes A-labels, a local part outside ASCII is refused (so that `ADMİN@` and full-width twins have no account to hit).
 * Exactly one address: lists, display names and quoted local parts are refused.
 */
export function parseEmail(text: string): Email | null {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf('@');
  if (at < 1 || trimmed.length > 320) return null;
  const local = trimmed.slice(0, at).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const domain = parseDomain(trimmed.slice(at + 1));
  // An encoded word has the form of a dot-atom too, and a mail program may decode it into another address.
  if (domain === null || local.length > 64 || local.includes('=?') || !LOCAL_PART.test(local)) return null;
  return `${local}@${domain}` as Email;
}

export function emailDomain(email: Email): Domain {
  return email.slice(email.lastIndexOf('@') + 1) as Domain;
}

/** What is taken for an address by the keys that make a suspension stick, never for linking. */
export type FoldedAddress = string & { readonly brand: 'FoldedAddress' };

/** The address without its plus-tag. */
export function foldPlusTag(email: Email): FoldedAddress {
  return withoutTag(email);
}

function withoutTag(email: string): FoldedAddress {
  const at = email.lastIndexOf('@');
  const local = email.slice(0, at);
  const plus = local.indexOf('+');
  return (plus > 0 ? `${local.slice(0, plus)}${email.slice(at)}` : email) as FoldedAddress;
}

/**
 * Of a text that somebody wrote as an address. Unlike an {@link Email} it may have any local part, quoted or outside ASCII, compared as
 * userNames are: nobody is linked by such a one, but a suspension follows it to another directory. Null: there is no domain in it.
 */
export function foldAddress(text: string): FoldedAddress | null {
  const email = parseEmail(text);
  if (email !== null) return foldPlusTag(email);
  const folded = text.length > 320 ? '' : text.normalize('NFKC').trim().toLowerCase();
  const at = folded.lastIndexOf('@');
  const domain = at < 1 ? null : parseDomain(folded.slice(at + 1).replace(/\.$/, ''));
  return domain === null ? null : withoutTag(`${unquoted(folded.slice(0, at))}@${domain}`);
}

/** RFC 5321 §4.1.2: quotes, and backslashes within them, are no part of the name. */
function unquoted(local: string): string {
  return local.length > 2 && local.startsWith('"') && local.endsWith('"')
    ? local.slice(1, -1).replace(/\\(.)/gs, '$1')
    : local;
}

/** userName as compared within a directory (RFC 7643 §4.1.1: caseExact false): NFKC, lower case. */
export function userNameKey(userName: string): string {
  return userName.normalize('NFKC').toLowerCase();
}

/** Group name as compared within a directory: NFKC, blanks trimmed, lower case, so `admins ` is no second `Admins` (T56). */
export function groupNameKey(displayName: string): string {
  return displayName.normalize('NFKC').trim().toLowerCase();
}

/** True if the domain is listed exactly, or by `*.parent` where the list says so. */
export function domainMatches(domain: Domain, allowed: readonly string[]): boolean {
  return allowed.some((entry) => (entry.startsWith('*.') ? domain.endsWith(entry.slice(1)) : domain === entry));
}

/** Everything about a person that describes and grants nothing (R73). */
export type Profile = {
  readonly userName: string;
  readonly email: Email | null;
  readonly givenName: string | null;
  readonly familyName: string | null;
  readonly displayName: string | null;
  readonly department: string | null;
  readonly locale: string | null;
  readonly timeZone: string | null;
};
