// Whom and what the calls of Entra ID are about, and how it asks for them.

export type EntraCast = {
  /** Nobody else has these: names, addresses and ids of this visit alone. */
  readonly userName: string;
  readonly otherName: string;
  readonly thirdName: string;
  readonly externalId: string;
  readonly otherExternalId: string;
  readonly thirdExternalId: string;
  readonly email: string;
  readonly otherEmail: string;
  readonly newEmail: string;
  readonly unknown: string;
  /** Null: every name that was tried is one that a rule speaks of. */
  readonly groupName: string | null;
  readonly groupExternalId: string;
  readonly newGroupExternalId: string;
};

export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

/** The query parameter by which its administrator asks it to keep to the standard. */
export const FLAG = 'aadOptscim062020';

export const findUsers = (filter: string): string => `/Users?filter=${filter}`;
export const findGroups = (filter: string): string => `/Groups?excludedAttributes=members&filter=${filter}`;
