// The people whom the upstream IdPs know, and the login form at which they say who they are.

/** Somebody with an account at one or both IdPs. Without a part for an IdP they cannot sign in there. */
export type UpstreamPerson = {
  readonly login: string;
  readonly password: string;
  /** What the OpenID provider says: `sub`, and claims as they are (`email`, `email_verified`, `groups`, `oid`, …). */
  readonly oidc?: { readonly sub: string; readonly claims: Readonly<Record<string, unknown>> };
  /** What the SAML IdP says: NameID, its format (persistent if left out), and attributes as they are. */
  readonly saml?: {
    readonly nameId: string;
    readonly nameIdFormat?: string;
    readonly attributes: Readonly<Record<string, string | readonly string[]>>;
  };
};

export type Roster = {
  /** Adds somebody, or puts them in the place of whoever had the login. */
  put(person: UpstreamPerson): void;
  remove(login: string): void;
  /** The person with this login, if the password is theirs. */
  authenticate(login: unknown, password: unknown): UpstreamPerson | undefined;
  byLogin(login: string): UpstreamPerson | undefined;
  bySub(sub: string): UpstreamPerson | undefined;
};

export function rosterOf(people: readonly UpstreamPerson[]): Roster {
  const byLogin = new Map(people.map((person) => [person.login, person]));
  return {
    put: (person) => void byLogin.set(person.login, person),
    remove: (login) => void byLogin.delete(login),
    authenticate(login, password) {
      const person = typeof login === 'string' ? byLogin.get(login) : undefined;
      return person?.password === password ? person : undefined;
    },
    byLogin: (login) => byLogin.get(login),
    bySub: (sub) => [...byLogin.values()].find((person) => person.oidc?.sub === sub),
  };
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head><body>${body}</body></html>`;
}

/** Fields `login` and `password`; the buttons send `action` = `sign-in` or `cancel`. */
export function loginPage(options: {
  readonly title: string;
  readonly action: string;
  readonly hint: string;
  readonly hidden?: Readonly<Record<string, string>>;
  readonly failed?: boolean;
}): string {
  const hidden = Object.entries(options.hidden ?? {}).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  return page(
    options.title,
    `<h1>${escapeHtml(options.title)}</h1>${options.failed ? '<p role="alert">Wrong login or password.</p>' : ''}
<form method="post" action="${escapeHtml(options.action)}">${hidden.join('')}
<label>Login <input name="login" value="${escapeHtml(options.hint)}" autofocus></label>
<label>Password <input name="password" type="password"></label>
<button name="action" value="sign-in">Sign in</button> <button name="action" value="cancel">Cancel</button></form>`,
  );
}
