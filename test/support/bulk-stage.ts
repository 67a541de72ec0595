// What tests of bulks about people begin with: a directory, a group whose members are editors, and the people of both.

import type { AccessState } from '../../src/core/access.ts';
import { suspend } from '../../src/operations/suspend.ts';
import { bulk, create, idOf } from './bulk.ts';
import { type Guarding, guarding } from './guard-stage.ts';
import { accessState, personOf } from './people.ts';
import { type Body, type DirectoryClient, through, userBody } from './scim.ts';
import { editorsOf, type ScimStage, scimStage } from './scim-stage.ts';
import { interruptedServer } from './watched-server.ts';
import { operator } from './world.ts';

export type Made = { readonly id: string; readonly name: string };

export type BulkStage = ScimStage &
  Guarding & {
    readonly editors: Body;
    /** A name that nobody has. */
    fresh(): string;
    /** New users of the directory. */
    made(count: number): Promise<readonly Made[]>;
    /** Makes users editors. */
    join(ids: readonly string[]): Promise<unknown>;
    /** Of the person behind a user. */
    stateOf(id: string): Promise<AccessState | undefined>;
    /** Suspends the person behind a user. */
    suspendNow(id: string): Promise<void>;
    /** `act` happens once, right after the statement was answered (for the `nth` time) that a request of `client`, or of okta, sent. */
    between(
      statement: string,
      act: () => unknown,
      requests: (client: DirectoryClient) => Promise<void>,
      given?: { readonly nth?: number; readonly client?: DirectoryClient },
    ): Promise<void>;
  };

/** `prefix`: of the names. */
export async function bulkStage(prefix: string): Promise<BulkStage> {
  const stage = await guarding(await scimStage());
  const { world, tenants, okta } = stage;
  const editors = await editorsOf(stage);
  let serial = 0;
  const fresh = () => `${prefix}${++serial}`;
  return {
    ...stage,
    editors,
    fresh,
    async made(count) {
      const names = Array.from({ length: count }, fresh);
      const results = await bulk(
        okta,
        names.map((name) => create(name, userBody(name))),
      );
      return results.map((result, index) => ({ id: idOf(result), name: names[index] as string }));
    },
    join: (ids) =>
      okta.patch(`/Groups/${editors.id}`, { op: 'add', path: 'members', value: ids.map((value) => ({ value })) }),
    stateOf: async (id) => accessState(world, await personOf(world, id)),
    async suspendNow(id) {
      const person = await personOf(world, id);
      const outcome = await suspend(
        world.context(operator),
        tenants.acme,
        { subjectId: person.userId, kind: 'user', person },
        null,
      );
      if (outcome.kind !== 'suspended') throw new Error(JSON.stringify(outcome));
    },
    async between(statement, act, requests, { nth = 1, client = okta } = {}) {
      const server = await interruptedServer(world, statement, act, nth);
      await requests(through(server, client)).finally(() => server.close());
    },
  };
}
