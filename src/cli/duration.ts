import { CliError, optional, type Values } from './command.ts';

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30m`, `12h`, `90d`, as an option gives them. */
export function durationOf(text: string, option: string): number {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,5})([mhd])$/.exec(text) ?? [];
  if (count === '') throw new CliError(`--${option} is a time such as 30m, 12h or 90d.`);
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}

const MOST_DAYS = 3650;

/** How long a credential is to live, in milliseconds: `--expires 90d` or `--days 90`, else a year. */
export function lifeOf(values: Values): number {
  const [days, expires] = [optional(values, 'days'), optional(values, 'expires')];
  if (days !== null && expires !== null) throw new CliError('Give --expires or --days, not both.');
  const whole = /^[1-9][0-9]{0,3}$/.test(days ?? '365') && Number(days ?? 365) <= MOST_DAYS;
  if (!whole) throw new CliError(`--days is a whole number from 1 to ${MOST_DAYS}.`);
  const life = expires === null ? Number(days ?? 365) * UNITS.d : durationOf(expires, 'expires');
  if (life > MOST_DAYS * UNITS.d) throw new CliError(`--expires is ${MOST_DAYS}d at most.`);
  return life;
}
