// What most tests of the wire begin with: the tenants of acme.ts in a database of their own, the real server, and their directories.

import { type Acme, acme, addRule } from './acme.ts';
import { type Body, type DirectoryClient, directory, type ScimServer, scimServer } from './scim.ts';
import { type TestWorld, testWorld } from './world.ts';

export type ScimStage = {
  readonly world: TestWorld;
  readonly tenants: Acme;
  readonly server: ScimServer;
  /** Directories of the tenant acme, and one of globex. */
  readonly okta: DirectoryClient;
  readonly entra: DirectoryClient;
  readonly globex: DirectoryClient;
  readonly close: () => Promise<void>;
};

/** To be closed by whoever opened it: `beforeAll` may return its `close`. */
export async function scimStage(): Promise<ScimStage> {
  const world = await testWorld();
  try {
    const tenants = await acme(world);
    const server = await scimServer(world);
    const close = async () => {
      await server.close();
      await world.close();
    };
    const okta = await directory(world, server, tenants.acme, 'okta');
    const entra = await directory(world, server, tenants.acme, 'entra');
    const globex = await directory(world, server, tenants.globex, 'okta');
    return { world, tenants, server, okta, entra, globex, close };
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** A group of acme's directory okta that makes its members editors. */
export async function editorsOf({
  world,
  tenants,
  okta,
}: Pick<ScimStage, 'world' | 'tenants' | 'okta'>): Promise<Body> {
  const role = tenants.role(tenants.acme, 'Editor');
  await addRule(world, tenants.acme, { connection: tenants.okta, kind: 'name', value: 'Editors', role });
  return (await okta.post('/Groups', { displayName: 'Editors' })).body;
}
