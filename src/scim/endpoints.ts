// What is at which address below a directory (RFC 7644 §3.2), and which methods it has.

import { postBulk } from './bulk.ts';
import { bulkLimits } from './bulk-message.ts';
import { resourceType, resourceTypes, schemaByUrn, schemas, serviceProviderConfig } from './discovery.ts';
import { ScimError } from './errors.ts';
import type { Exchange, Handler } from './exchange.ts';
import { deleteGroup, getGroup, patchGroup, postGroup, putGroup } from './groups.ts';
import { noMe } from './me.ts';
import { errorReply, type Reply } from './respond.ts';
import { listAll, listGroups, listUsers, searchAll, searchGroups, searchUsers } from './search.ts';
import { deleteUser, getUser, patchUser, postUser, putUser } from './users.ts';

type Methods = Readonly<Partial<Record<'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', Handler>>>;
type Endpoint = {
  readonly name: string;
  readonly takesId: boolean;
  /** True for what is asked at `.search` below the name. */
  readonly search?: true;
  readonly methods: Methods;
};

const features = { bulk: bulkLimits, sort: true } as const;
const describe = (text: (exchange: Exchange, id: string) => string | null): Methods => ({
  GET: (exchange, id) => described(exchange.query, text(exchange, id)),
});

/** Nothing that a query says counts here, and nobody is to believe that a filter did (RFC 7644 §4). */
function described(query: URLSearchParams, body: string | null): Reply {
  if (query.has('filter')) throw new ScimError(403, null, 'What the server says of itself cannot be filtered.');
  if (body === null) throw new ScimError(404, null, 'There is no schema or resource type of this name.');
  const { meta } = JSON.parse(body) as { readonly meta?: { readonly location: string } };
  return { status: 200, headers: meta === undefined ? {} : { 'Content-Location': meta.location }, body };
}

/** What a client is told of the server; a filter beside it is refused. */
export function describeProvider(query: URLSearchParams, baseUrl: string): Reply {
  return described(query, serviceProviderConfig(baseUrl, features));
}

const endpoints: readonly Endpoint[] = [
  { name: 'Users', takesId: false, methods: { GET: listUsers, POST: postUser } },
  { name: 'Users', takesId: true, methods: { GET: getUser, PUT: putUser, PATCH: patchUser, DELETE: deleteUser } },
  { name: 'Groups', takesId: false, methods: { GET: listGroups, POST: postGroup } },
  { name: 'Groups', takesId: true, methods: { GET: getGroup, PUT: putGroup, PATCH: patchGroup, DELETE: deleteGroup } },
  {
    name: 'ServiceProviderConfig',
    takesId: false,
    methods: describe(({ baseUrl }) => serviceProviderConfig(baseUrl, features)),
  },
  {
    name: 'ResourceTypes',
    takesId: false,
    methods: describe((exchange) => resourceTypes(exchange.baseUrl, exchange.schemas)),
  },
  {
    name: 'ResourceTypes',
    takesId: true,
    methods: describe((exchange, id) => resourceType(id, exchange.baseUrl, exchange.schemas)),
  },
  { name: 'Schemas', takesId: false, methods: describe((exchange) => schemas(exchange.baseUrl, exchange.schemas)) },
  {
    name: 'Schemas',
    takesId: true,
    methods: describe((exchange, id) => schemaByUrn(id, exchange.baseUrl, exchange.schemas)),
  },
  { name: 'Bulk', takesId: false, methods: { POST: postBulk } },
  {
    name: 'Me',
    takesId: false,
    methods: { GET: noMe, POST: noMe, PUT: noMe, PATCH: noMe, DELETE: noMe },
  },
  { name: '', takesId: false, methods: { GET: listAll } },
  { name: '.search', takesId: false, methods: { POST: searchAll } },
  { name: 'Users', takesId: false, search: true, methods: { POST: searchUsers } },
  { name: 'Groups', takesId: false, search: true, methods: { POST: searchGroups } },
];

const OTHER_VERSION = /^v(?!2$)\d+(\.\d+)*$/i;

/** Lets the endpoint at a path answer. Refuses what is at none, another version, and a method that the endpoint does not have. */
export function dispatch(exchange: Exchange, path: readonly string[] | null): Promise<Reply> | Reply {
  if (path === null || path.includes('')) throw new ScimError(404, null, 'There is nothing at this address.');
  const [name = '', id, ...more] = path;
  const search = id === '.search';
  const found = endpoints.find(
    (endpoint) =>
      endpoint.name === name &&
      (search ? endpoint.search === true : !endpoint.search && endpoint.takesId === (id !== undefined)),
  );
  if (found === undefined && OTHER_VERSION.test(name)) {
    throw new ScimError(400, 'invalidVers', 'This server speaks version 2 of SCIM: use v2, or no version here.');
  }
  if (found === undefined || more.length > 0) throw new ScimError(404, null, 'There is nothing at this address.');
  const method = exchange.request.method === 'HEAD' ? 'GET' : exchange.request.method;
  const handler = Object.hasOwn(found.methods, method ?? '') ? found.methods[method as keyof Methods] : undefined;
  if (handler !== undefined) return handler(exchange, id ?? '');
  const allow = Object.keys(found.methods)
    .flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one]))
    .join(', ');
  return errorReply(new ScimError(405, null, `Use one of ${allow} here.`), { Allow: allow });
}
