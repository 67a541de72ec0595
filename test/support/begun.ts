// What a test begins now and awaits later.

/** The same promise. Where it fails before it is awaited, that is no rejection that nobody handled: the test is told when it awaits it. */
export function begun<Awaited extends PromiseLike<unknown>>(promise: Awaited): Awaited {
  promise.then(undefined, () => {});
  return promise;
}
