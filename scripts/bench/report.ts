// The result as a table, for the screen and for the documentation.

import { count } from './progress.ts';

/** One line of the table; what does not apply to it is null. */
export type Row = {
  readonly job: string;
  readonly ours: string | null;
  readonly times: string | null;
  readonly cpu: string | null;
  readonly limit: string | null;
  readonly ratio: string | null;
  readonly bar: string | null;
  readonly met: boolean | null;
};

/** A comparison with a bar: `least` for what has to be at least so much, `most` for what may be at most so much. */
export function judged(
  value: number,
  bar: { readonly least: number } | { readonly most: number } | null,
  unit = '',
): Pick<Row, 'ratio' | 'bar' | 'met'> {
  const digits = Math.abs(value) < 10 ? 2 : 0;
  const ratio = `${value.toFixed(digits)}${unit}`;
  if (bar === null) return { ratio, bar: null, met: null };
  if ('least' in bar) return { ratio, bar: `≥ ${bar.least}${unit}`, met: value >= bar.least };
  return { ratio, bar: `≤ ${bar.most}${unit}`, met: value <= bar.most };
}

export const rate = (perSecond: number): string => count(perSecond);
export const times = (p50: number, p99: number): string => `${p50.toFixed(1)} / ${p99.toFixed(1)}`;

const heads = ['job', 'ours', 'p50 / p99 ms', 'CPU µs', 'limit', 'ratio', 'bar', 'met?'];

function cells({ job, ours, times: taken, cpu, limit, ratio, bar, met }: Row): readonly string[] {
  return [
    job,
    ours ?? '',
    taken ?? '',
    cpu ?? '',
    limit ?? '',
    ratio ?? '',
    bar ?? '',
    met === null ? '' : met ? 'yes' : 'NO',
  ];
}

/** The table with aligned columns, every one but the first to the right. */
export function asText(rows: readonly Row[]): string {
  const lines = [heads, ...rows.map(cells)];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function asMarkdown(rows: readonly Row[]): string {
  const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map((row) => line(cells(row)))].join('\n');
}
