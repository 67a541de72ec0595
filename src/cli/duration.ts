import { CliError } from './command.ts';

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30m`, `12h`, `90d`, as an option gives them. */
export function durationOf(text: string, option: string): number {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,5})([mhd])$/.exec(text) ?? [];
  if (count === '') throw new CliError(`--${option} is a time such as 30m, 12h or 90d.`);
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}
