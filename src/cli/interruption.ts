export type Interruption = {
  /** Aborted as soon as somebody wants the command to stop. */
  readonly signal: AbortSignal;
  /** Signals mean again what they mean elsewhere. */
  done(): void;
};

/**
 * For commands that have something to put away: the first Ctrl-C, SIGTERM or SIGHUP is theirs to hear, so that they stop where it does
 * no harm and clean up. A second one ends the process at once.
 */
export function interruption(): Interruption {
  const controller = new AbortController();
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  for (const name of names) process.on(name, stop);
  return {
    signal: controller.signal,
    done() {
      for (const name of names) process.off(name, stop);
    },
  };
}
