// A connection in a plan, as a person reads it.

import { canonical } from '../core/canonical.ts';
import { counted } from '../core/counted.ts';
import type { BlastGuard, DirectorySettings, ExtensionSchema } from '../core/directory-settings.ts';
import type { ConnectionSettings } from '../core/tenant.ts';
import { schemaChange } from './schema-change.ts';

const MOST_SHOWN = 100;

/** What a connection is, in a few words: how people sign in, whether a directory pushes and how it is kept in hand, its domains. */
export function connectionText({ protocol, scim, scimHeld, enabled, directory, domains }: ConnectionSettings): string {
  const pushes = scim ? `scim${scimHeld ? ' held' : ''}${directory.guard === null ? '' : ' guarded'}` : null;
  return [...(enabled ? [] : ['off']), protocol, pushes, ...domains].filter((word) => word !== null).join(', ');
}

/** Each field that differs, as `from -> to`; long ones by name alone, and of a schema the names within it. */
export function changedFields(from: ConnectionSettings, to: ConnectionSettings): readonly string[] {
  const before = flat(from);
  const after = flat(to);
  const schemas = new Map(
    from.directory.schemas.flatMap((old) => {
      const schema = to.directory.schemas.find(({ urn }) => urn === old.urn);
      return schema === undefined ? [] : [[schemaField(old), `${schemaField(old)} ${schemaChange(old, schema)}`]];
    }),
  );
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => schemas.get(key) ?? changeText(key, before.get(key), after.get(key)));
}

function changeText(key: string, before: string | undefined, after: string | undefined): string {
  const long = [before, after].some((text) => text !== undefined && text.length > MOST_SHOWN);
  if (!long) return `${key} ${before ?? 'none'} -> ${after ?? 'none'}`;
  return `${key} is ${before === undefined ? 'new' : after === undefined ? 'gone' : 'another'}`;
}

/** Every field by a name of its own, that of the file; one that says nothing is left out. */
function flat(connection: ConnectionSettings): ReadonlyMap<string, string> {
  const nested =
    connection.protocol === 'oidc' ? connection.oidc : connection.protocol === 'saml' ? connection.saml : {};
  const common = Object.entries(connection).filter(([key]) => key !== 'oidc' && key !== 'saml' && key !== 'directory');
  return new Map(
    [...common, ...Object.entries(nested), ...directoryFields(connection.directory)].flatMap(([key, one]) =>
      one === null || one === undefined ? [] : [[key, typeof one === 'string' ? one : canonical(one)]],
    ),
  );
}

/** The lines of a guard, as they are said everywhere. */
export function guardText({ people, percent, minutes }: BlastGuard): string {
  return `${counted(people, 'person', 'people')} or ${percent} % within ${counted(minutes, 'minute')}`;
}

/** One by one, so that a reader sees a guard go. */
function directoryFields({ guard, requestLog, schemas, ...rest }: DirectorySettings): (readonly [string, unknown])[] {
  const fields: readonly (readonly [string, unknown])[] = [
    ...Object.entries(rest),
    ['guard', guard === null ? null : guardText(guard)],
    ...Object.entries(requestLog).map(([key, one]) => [`requestLog.${key}`, one] as const),
  ];
  return [
    ...fields.map(([key, one]) => [`directory.${key}`, one] as const),
    ...schemas.map((schema) => [schemaField(schema), canonical(schema)] as const),
  ];
}

function schemaField({ urn }: ExtensionSchema): string {
  return `directory.schemas[${urn}]`;
}
