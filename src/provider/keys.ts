// Follows the signing keys of the database: every server uses the same, and takes part in letting new ones sign.

import type { Context, Log } from '../context.ts';
import {
  advanceSigningKeys,
  type KeyTiming,
  keysChanged,
  loadSigningKeys,
  type SigningKey,
} from '../operations/signing-keys.ts';

export type KeySource = {
  readonly context: Context;
  listen(channel: string, onNotice: () => void): Promise<() => Promise<void>>;
  readonly log: Log;
  readonly timing: KeyTiming;
  /** How often the database is asked, where no notice of a change comes through. */
  readonly pollSeconds: number;
};

/** Calls `use` with the keys now, and again whenever they change. Returns a stopper. Throws where they cannot be read at first. */
export async function followSigningKeys(
  source: KeySource,
  use: (keys: readonly SigningKey[]) => void,
): Promise<() => Promise<void>> {
  let used = '';
  const load = async () => {
    await advanceSigningKeys(source.context, source.timing);
    const keys = await loadSigningKeys(source.context);
    const fingerprint = JSON.stringify(keys.map((key) => [key.kid, key.state]));
    if (fingerprint !== used) use(keys);
    used = fingerprint;
  };
  await load();
  // One after the other, so that an older answer never replaces a newer one.
  let loading: Promise<void> = Promise.resolve();
  const reload = () => {
    loading = loading
      .then(load)
      .catch((error: unknown) => source.log.error({ error }, 'the signing keys could not be read; the last ones stay'));
  };
  const stop = await source.listen(keysChanged, reload);
  const timer = setInterval(reload, source.pollSeconds * 1000);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await stop();
    await loading;
  };
}
