// What the checks of a suite come to: a failure, or a check that was skipped, is either explained by name or counts against us.

export type Found = {
  readonly check: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly detail: string;
};
export type Explained = {
  readonly suite: string;
  readonly check: string;
  readonly outcome: 'failed' | 'skipped';
  /** With the section of the standard, as docs/interop.md says it at length. */
  readonly because: string;
};
export type Verdict = {
  readonly passed: number;
  readonly explained: readonly (Found & { readonly because: string })[];
  readonly failed: readonly Found[];
};

/**
 * Sorts what one suite found. Beside checks that fail or are skipped without an explanation, these fail: a suite with fewer checks
 * than `atLeast`, since one that stops early shows nothing; a name that comes twice; an explanation of something that no longer
 * happens, since it would hide the next failure.
 */
export function judge(
  suite: { readonly name: string; readonly atLeast: number },
  found: readonly Found[],
  explanations: readonly Explained[],
): Verdict {
  const own = explanations.filter((explanation) => explanation.suite === suite.name);
  const names = new Set<string>();
  const explained: (Found & { because: string })[] = [];
  const failed: Found[] = [];
  const fail = (check: string, detail: string) => failed.push({ check, outcome: 'failed', detail });
  let passed = 0;
  for (const result of found) {
    if (names.has(result.check)) fail(result.check, 'two checks have this name');
    names.add(result.check);
    const explanation = own.find(({ check, outcome }) => check === result.check && outcome === result.outcome);
    if (result.outcome === 'passed') passed += 1;
    else if (explanation !== undefined) explained.push({ ...result, because: explanation.because });
    else failed.push({ ...result, outcome: 'failed', detail: `${result.outcome}: ${result.detail}` });
  }
  for (const { check, outcome } of own) {
    if (explained.some((each) => each.check === check)) continue;
    fail(check, `explained as ${outcome}, which no longer happens: take the explanation away`);
  }
  if (found.length < suite.atLeast) fail('the whole suite ran', `${found.length} checks instead of ${suite.atLeast}`);
  return { passed, explained, failed };
}
