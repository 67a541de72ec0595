// Ory Polis' directory sync behind the smallest HTTP server there is: what its own service does, without the rest of it.
// Arguments: the file of the library, the port, the database, the file to write the directory's address and token to.

import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { pathToFileURL } from 'node:url';

type Answer = { readonly status: number; readonly data: unknown };
type DirectorySync = {
  readonly directories: {
    create(directory: object): Promise<{ data: { id: string; scim: { secret: string } } | null; error: unknown }>;
  };
  readonly requests: { handle(request: object, callback: () => Promise<void>): Promise<Answer> };
};
type Polis = { default: { controllers(options: object): Promise<{ directorySyncController: DirectorySync }> } };

const [entry = '', port = '', url = '', file = ''] = process.argv.slice(2);
const library = (await import(pathToFileURL(entry).href)) as Polis;
const externalUrl = `http://127.0.0.1:${port}`;
const { directorySyncController: sync } = await library.default.controllers({
  externalUrl,
  samlPath: '/saml',
  samlAudience: externalUrl,
  noAnalytics: true,
  db: { engine: 'sql', type: 'postgres', url },
  logger: { info() {}, warn() {}, error: (...text: unknown[]) => console.error(...text) },
});
const made = await sync.directories.create({
  name: 'Bench',
  tenant: 'bench',
  product: 'bench',
  type: 'generic-scim-v2',
});
if (made.data === null) throw new Error(`the peer made no directory: ${JSON.stringify(made.error)}`);

createServer(async (request, response) => {
  try {
    const { pathname, searchParams } = new URL(request.url ?? '/', externalUrl);
    const [, directoryId, resourceType, resourceId] = pathname.split('/');
    const text = await bodyOf(request);
    const number = (name: string) => (searchParams.has(name) ? Number(searchParams.get(name)) : undefined);
    const answer = await sync.requests.handle(
      {
        method: request.method,
        body: text === '' ? undefined : JSON.parse(text),
        directoryId,
        resourceType,
        resourceId,
        apiSecret: request.headers.authorization?.replace('Bearer ', '') ?? null,
        query: {
          count: number('count'),
          startIndex: number('startIndex'),
          filter: searchParams.get('filter') ?? undefined,
        },
      },
      async () => {},
    );
    response.writeHead(answer.status, { 'content-type': 'application/scim+json' }).end(JSON.stringify(answer.data));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}).listen(Number(port), '127.0.0.1', () => {
  writeFileSync(file, JSON.stringify({ baseUrl: `${externalUrl}/${made.data?.id}`, token: made.data?.scim.secret }));
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
