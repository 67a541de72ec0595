/** `npm run schema`: writes db/schema.sql, the schema as the migrations leave it, from an embedded database of its own. */
import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { createDatabase, startEmbeddedPostgres } from '../src/store/embedded-postgres.ts';
import { migrate } from '../src/store/migrate.ts';
import { dumpSchema } from './schema/dump.ts';

const server = await startEmbeddedPostgres({ ephemeral: true });
try {
  const url = await createDatabase(server.url, 'drawbridge_schema');
  await migrate(url);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  writeFileSync(new URL('../db/schema.sql', import.meta.url), await dumpSchema(client));
  await client.end();
  process.stdout.write('Wrote db/schema.sql.\n');
} finally {
  await server.stop();
}
