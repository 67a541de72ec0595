// Messages as functions of data: what is said, never how it is sent. Plain text; nothing that a person typed becomes a link.

import type { Mail } from '../core/change.ts';
import { counted } from '../core/counted.ts';
import { mostTogether } from '../core/mail-window.ts';
import { parseEmail } from '../core/profile.ts';

export type Message = { readonly subject: string; readonly text: string };

type Of<T extends Mail['template']> = Extract<Mail, { template: T }>;

/** Sites and tenants are ours; no subject holds a word that a person chose (T94). */
const words: { readonly [T in Mail['template']]: (mails: readonly [Of<T>, ...Of<T>[]], site: string) => Message } = {
  access_requested: accessRequested,
  invitation: ([mail], site) => ({
    subject: `Set your password for ${mail.tenant}`,
    text: paragraphs(
      `You have been invited to ${mail.tenant} at ${site}.`,
      'Open this link to set your password and confirm your address:',
      mail.link,
      `The link can be used once, until ${minute(mail.expiresAt)}. If you did not expect it, ignore this message.`,
    ),
  }),
  sso_linked: (mails, site) => ({
    subject: `A way to sign in was added to your account in ${mails[0].tenant}`,
    text: paragraphs(
      `From now on you can sign in to ${mails[0].tenant} at ${site} through:`,
      list(mails.map((mail) => plain(mail.connection))),
      'If that was not you, tell your administrator at once.',
    ),
  }),
  directory_paused: directoryPaused,
  address_kept: ([mail], site) => ({
    subject: `Your address in ${mail.tenant} stays as it is`,
    text: paragraphs(
      `The directory ${plain(mail.connection)} now has another address for you in ${mail.tenant} at ${site}.`,
      'Your account keeps this one: how you sign in and where letters to you go has not changed.',
      'If you did not expect it, tell your administrator.',
    ),
  }),
};

/**
 * The one message for mails of the same template to the same address: several that waited are told together. `site` is the host that
 * the server is reached at.
 */
export function message(mails: readonly [Mail, ...Mail[]], site: string): Message {
  const template = mails[0].template;
  const same = mails.filter((mail) => mail.template === template);
  return (words[template] as (mails: readonly Mail[], site: string) => Message)(same, site);
}

const MOST_LISTED = 20;

function accessRequested(mails: readonly [Of<'access_requested'>, ...Of<'access_requested'>[]], site: string): Message {
  const { tenant } = mails[0];
  // A person who asked twice meanwhile is one person, with the message of the last time.
  const people = [...new Map(mails.map((mail) => [mail.address, mail])).values()];
  const listed = people.slice(0, MOST_LISTED).map((mail) => who(mail) + quote(mail.message));
  // As many as there is room for: others may have asked.
  const full = mails.length >= mostTogether;
  const one = people.length === 1 && !full;
  const count = `${people.length}${full ? ' or more' : ''} people`;
  const unlisted = people.length - MOST_LISTED;
  const more = full ? ['… and more'] : unlisted > 0 ? [`… and ${unlisted} more`] : [];
  return {
    subject: one ? `Access requested in ${tenant}` : `Access requested in ${tenant}: ${count}`,
    text: paragraphs(
      `${one ? 'Somebody asks' : `${count} ask`} for access to ${tenant} at ${site}:`,
      list([...listed, ...more]),
      'Assign a role to let them in. They are not told if you do not.',
    ),
  };
}

function directoryPaused(mails: readonly [Of<'directory_paused'>, ...Of<'directory_paused'>[]], site: string): Message {
  const { tenant } = mails[0];
  // A directory that was paused twice meanwhile is told with what it did last.
  const paused = [...new Map(mails.map((mail) => [mail.connection, mail])).values()];
  const one = paused.length === 1;
  const command = (name: string, connection: string) =>
    `drawbridge directory ${name} --tenant ${tenant} --connection ${plain(connection)}`;
  return {
    subject: one
      ? `The directory ${plain(mails[0].connection)} of ${tenant} is paused`
      : `${paused.length} directories of ${tenant} are paused`,
    text: paragraphs(
      `${one ? 'A directory' : 'Directories'} of ${tenant} at ${site} would have taken access from too many people at once. Nothing of the request that went too far was done, and no other change is taken until you decide:`,
      list(
        paused.map(({ connection, people, guard: { people: most, percent, minutes } }) => {
          const line = `${counted(most, 'person', 'people')} or ${percent} percent of its users within ${counted(minutes, 'minute')}`;
          return `${plain(connection)}: ${counted(people, 'person', 'people')}, the line is ${line}\n    ${command('plan', connection)}`;
        }),
      ),
      'That command shows who would be deactivated or leave a group, and what they would lose. Then resume the directory, which does it, or discard what it asked for.',
    ),
  };
}

/** The address always: anybody can call themselves what a colleague is called. */
function who({ person, address }: Of<'access_requested'>): string {
  return person === null || person === address ? plain(address) : `${plain(person)} (${plain(address)})`;
}

function quote(text: string | null): string {
  if (text === null || text.trim() === '') return '';
  const lines = plain(text, true).trim().split('\n').slice(0, 40);
  return `\n${lines.map((line) => `    > ${line}`).join('\n')}`;
}

/**
 * A person's text, so that no mail program makes a link of it (T98): dots and schemes are taken apart, control characters and those
 * that turn the direction of writing are dropped. A plain address stays as it is.
 */
export function plain(text: string, multiline = false): string {
  const kept = text.normalize('NFC').replace(/\r\n?|[\u2028\u2029]/g, '\n');
  const shown = kept
    .replace(/[\p{Cc}\p{Cf}]/gu, (character) => (character === '\n' && multiline ? '\n' : ' '))
    .slice(0, 2_000);
  if (parseEmail(shown) !== null) return shown.trim();
  return shown
    .replace(/:\/\//g, ': //')
    .replace(/\bwww\./gi, 'www .')
    .replace(/([^\s.])\.(?=[^\s.])/gu, '$1[.]');
}

function list(items: readonly string[]): string {
  return items.map((item) => `  - ${item}`).join('\n');
}

function paragraphs(...parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`;
}

function minute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
