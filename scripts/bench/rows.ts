// The lines that compare measurements of ours with the limit and with each other.

import { type Measured, median } from './measure.ts';
import { judged, type Row, rate, times } from './report.ts';

export function jobRow(one: Measured): Row {
  return {
    job: `${one.job}, ${rate(one.users)} users`,
    ours: rate(one.ops),
    times: times(one.p50, one.p99),
    cpu: one.cpuMicros.toFixed(0),
    limit: rate(one.limit),
    ...judged(median(one.rounds.map(({ ops, limit }) => ops / limit)), one.bar === null ? null : { least: one.bar }),
  };
}

/** The largest group against the smallest, of one directory. */
export function memberRow(measured: readonly Measured[]): readonly Row[] {
  const added = measured.filter(({ job }) => job.startsWith('add 1 member'));
  const [smallest, largest] = [added[0], added.at(-1)];
  if (smallest === undefined || largest === undefined || smallest === largest) return [];
  return [
    {
      job: `${largest.job} ÷ ${smallest.job.replace('add 1 member to ', '')}, ${rate(largest.users)} users`,
      ours: rate(largest.ops),
      times: null,
      cpu: null,
      limit: rate(smallest.ops),
      ...judged(median(growths(largest, smallest)), { least: 0.9 }),
    },
  ];
}

const growths = (small: Measured, large: Measured): readonly number[] =>
  large.rounds.flatMap(({ ops }, round) => {
    const before = small.rounds[round];
    return before === undefined ? [] : [before.ops / ops];
  });

/** How many times slower each job is at the last size than at the first: both were asked in turns. */
export function growthRows(all: readonly Measured[]): readonly Row[] {
  const last = all.at(-1)?.users;
  return all.flatMap((small) => {
    const large = all.find((one) => one.job === small.job && one.users === last);
    if (large === undefined || large === small) return [];
    return [
      {
        job: `growth of ${small.job}, ${rate(small.users)} to ${rate(large.users)} users`,
        ours: rate(large.ops),
        times: null,
        cpu: null,
        limit: rate(small.ops),
        ...judged(median(growths(small, large)), { most: 1.3 }, ' ×'),
      },
    ];
  });
}

export function memoryRow(rssBytes: number): Row {
  return {
    job: 'memory of the server after all of this',
    ours: null,
    times: null,
    cpu: null,
    limit: null,
    ...judged(rssBytes / 1024 / 1024, { most: 300 }, ' MB'),
  };
}
