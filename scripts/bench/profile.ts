// Where the server's time goes, from a CPU profile of V8.

type Node = {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
};
type CpuProfile = {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
};

/** The functions that took most of the busy time themselves, as lines `share  name  file:line`. */
export function hottest(text: string, count: number): readonly string[] {
  const { nodes, samples, timeDeltas } = JSON.parse(text) as CpuProfile;
  const places = new Map(nodes.map((node) => [node.id, placeOf(node)]));
  const micros = new Map<string, number>();
  for (const [index, sample] of samples.entries()) {
    const place = places.get(sample) ?? '(unknown)';
    micros.set(place, (micros.get(place) ?? 0) + (timeDeltas[index] ?? 0));
  }
  micros.delete('(idle)');
  const total = micros.values().reduce((sum, value) => sum + value, 0);
  return [...micros]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([place, value]) => `${((value / total) * 100).toFixed(1).padStart(5)} %  ${place}`);
}

function placeOf({ callFrame: { functionName, url, lineNumber } }: Node): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.replace(/^.*\/node_modules\//, '').replace(/^file:.*?\/(src|scripts)\//, '$1/');
  return `${name}  ${file}:${lineNumber + 1}`;
}
