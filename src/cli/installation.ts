import { invitationLink } from '../operations/accept-invitation.ts';
import { bootstrap } from '../operations/bootstrap.ts';
import { rotateSigningKeys } from '../operations/signing-keys.ts';
import { CliError, type Command } from './command.ts';

export const keysRotate: Command = {
  usage: 'keys rotate',
  summary: 'publish new signing keys; they sign once every application has had time to fetch them',
  options: {},
  async run({ context }) {
    const rotated = (await rotateSigningKeys(context)).map((key) => ({
      ...key,
      signsFrom: new Date(key.signsFrom).toISOString(),
    }));
    return {
      text: rotated.map((key) => `${key.algorithm}  ${key.kid}  signs from ${key.signsFrom}`).join('\n'),
      json: rotated,
    };
  },
};

export const bootstrapLink: Command = {
  usage: 'bootstrap',
  summary: 'the link for the first administrator, as long as nobody has used it',
  options: {},
  async run({ context, settings }) {
    const link = await bootstrap(context);
    if (link.kind !== 'link') throw new CliError('The first administrator has set a password already.');
    const url = invitationLink(settings.publicUrl, link.tenant, link.secret);
    return { text: url, json: { link: url, expiresAt: new Date(link.expiresAt).toISOString() } };
  },
};
