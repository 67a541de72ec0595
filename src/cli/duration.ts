import type { Instant } from '../core/ids.ts';
import { CliError, optional, type Values } from './command.ts';

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30m`, `12h`, `90d`, as an option gives them. */
export function durationOf(text: string, option: string): number {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,5})([mhd])$/.exec(text) ?? [];
  if (count === '') throw new CliError(`--${option} is a time such as 30m, 12h or 90d.`);
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** `30m` for so long ago, or a moment such as 2026-11-22T05:00Z, as an option gives them. */
export function momentOf(text: string, option: string, now: Instant): Instant {
  if (/^\d+[mhd]$/.test(text)) return (now - durationOf(text, option)) as Instant;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new CliError(`--${option} is a time such as 30m, 12h or 2026-11-22T05:00Z.`);
  return at as Instant;
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
