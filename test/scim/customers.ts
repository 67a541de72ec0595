// Customers beside each other, with the same names in all of them.

import type { DirectoryClient, ScimServer } from '../support/scim.ts';
import { scimStage } from '../support/scim-stage.ts';
import { bulkRequestUrn, enterpriseUrn, patchUrn, userSchemaUrn } from '../support/urns.ts';
import type { TestWorld } from '../support/world.ts';

export const patchOf = (...Operations: readonly object[]) => ({
  schemas: [patchUrn],
  Operations,
});
export const bulkOf = (...Operations: readonly object[]) => ({
  schemas: [bulkRequestUrn],
  Operations,
});
export const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export type Customers = {
  readonly world: TestWorld;
  readonly server: ScimServer;
  readonly acme: DirectoryClient;
  /** Another directory of the same tenant. */
  readonly sibling: DirectoryClient;
  readonly globex: DirectoryClient;
  readonly close: () => Promise<void>;
};

const open: Customers[] = [];
export async function customers(): Promise<Customers> {
  const { okta: acme, entra: sibling, ...stage } = await scimStage();
  const made = { ...stage, acme, sibling };
  open.push(made);
  return made;
}
export async function closeCustomers(): Promise<void> {
  for (const one of open.splice(0)) await one.close();
}

/** The same person in every directory but for what `mark` says. */
export const person = (name: string, mark: string, more: object = {}) => ({
  schemas: [userSchemaUrn, enterpriseUrn],
  userName: `${name}@shared.example`,
  externalId: `ext-${name}`,
  name: { givenName: name, familyName: mark },
  displayName: `${name} of ${mark}`,
  active: true,
  ...more,
});
