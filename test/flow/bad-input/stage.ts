// Two customers with people, groups, tokens and an application, for whoever sends them bad input.

import { createScimCredential } from '../../../src/operations/create-scim-credential.ts';
import { endScimCredential } from '../../../src/operations/end-scim-credential.ts';
import { userBody } from '../../support/scim.ts';
import { groupSchemaUrn } from '../../support/urns.ts';
import { type Answer, type Ask, send, strangeAddress } from '../http.ts';
import { newDirectory } from '../scim.ts';
import { type Flow, startFlow } from '../servers.ts';
import { type Application, codeRequest, newApplication, type Tokens, type Visitor, visitor } from '../visitor.ts';

export const NUL = '\u0000';
export const UNKNOWN = '00000000-0000-7000-8000-000000000000';
export const LONG = 'a'.repeat(10_000);

export type Stage = {
  readonly flow: Flow;
  readonly port: number;
  readonly app: Application;
  /** Signed in at her provider, with tokens of acme. */
  readonly ann: Visitor;
  readonly refreshToken: string;
  /** Ids of what the directories pushed: acme's okta, the same tenant's entra, and another tenant's. */
  readonly ids: {
    readonly user: string;
    readonly group: string;
    readonly entraUser: string;
    readonly foreignUser: string;
  };
  /** Bearer tokens of directories. `okta` is good for acme's okta; each of the others for something else, or no more. */
  readonly tokens: {
    readonly okta: string;
    readonly oktaEnded: string;
    readonly entra: string;
    readonly entraExpired: string;
    readonly globex: string;
  };
  /** A request of acme's directory, with its good token. */
  scim(
    method: string,
    path: string,
    body?: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** A request from an address of its own that would like to see a page. */
  page(path: string, ask?: Ask): Promise<Answer>;
  /** What the server says in its log of failures of its own. */
  failures(): readonly string[];
};

const emailAttribute = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress';

export async function startStage(): Promise<Stage> {
  const flow = await startFlow({
    people: [
      {
        login: 'ann',
        password: 'horse',
        oidc: { sub: 'ext-ann', claims: { email: 'ann@acme.example', email_verified: true } },
        saml: { nameId: 'ext-ann', attributes: { [emailAttribute]: 'ann@acme.example' } },
      },
    ],
  });
  const [server] = flow.servers;
  const port = server?.port ?? 0;
  const acme = await flow.tenant('acme');
  const issue = async (connection: string) => {
    const made = await createScimCredential(flow.world.context(), acme, connection, null);
    if (made.kind === 'refused') throw new Error(made.message);
    return made;
  };
  const expired = await issue('entra');
  await flow.world.sql(`update scim_credentials set expires_at = now() where credential_id = $1`, [
    expired.credentialId,
  ]);
  const ended = await issue('okta');
  await endScimCredential(flow.world.context(), acme, ended.credentialId);
  const okta = await newDirectory(flow, 'acme', 'okta');
  const entra = await newDirectory(flow, 'acme', 'entra');
  const globex = await newDirectory(flow, 'globex', 'okta');

  const pushed = async (directory: typeof okta, name: string, more = {}): Promise<string> =>
    (await directory.at(port).post('/Users', userBody(name, more))).body.id;
  const user = await pushed(okta, 'ann');
  const group = { schemas: [groupSchemaUrn], displayName: 'Acme Viewers', members: [{ value: user }] };
  const app = await newApplication(flow, 'acme');
  const ids = {
    user,
    group: (await okta.at(port).post('/Groups', group)).body.id,
    entraUser: await pushed(entra, 'eve'),
    foreignUser: await pushed(globex, 'far', { userName: 'far@globex.example' }),
  };
  const ann = visitor(flow, app, { email: 'ann@acme.example', login: 'ann', password: 'horse' });
  const answer = await send(port, '/oidc/token', codeRequest(app, await ann.signIn(port)));
  return {
    flow,
    port,
    app,
    ann,
    ids,
    refreshToken: (JSON.parse(answer.text) as Tokens).refresh_token,
    tokens: {
      okta: okta.token,
      oktaEnded: ended.token,
      entra: entra.token,
      entraExpired: expired.token,
      globex: globex.token,
    },
    scim(method, path, body, headers = {}) {
      const given = { authorization: `Bearer ${okta.token}`, 'content-type': 'application/scim+json', ...headers };
      return send(port, `/scim/v2/acme/okta${path}`, { method, body, headers: given });
    },
    page: (path, ask = {}) =>
      send(port, path, {
        ...ask,
        headers: { accept: 'text/html', 'x-forwarded-for': strangeAddress(), ...ask.headers },
      }),
    failures: () => (server?.output() ?? '').split('\n').filter((line) => /"level":(50|60)/.test(line)),
  };
}
