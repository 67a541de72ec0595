// What the forms of the files are made of. Every message is the phrase after "expected".

import { z } from 'zod';

export const fits = (expected: string, test: (value: string) => boolean, description = expected) =>
  z.string(expected).refine(test, expected).meta({ description });

export const flag = z.boolean('true or false');

export const choice = <const T extends string>(values: readonly T[]) =>
  z.enum(values as readonly [T, ...T[]], `one of ${values.join(', ')}`);

export const whole = (from: number, to: number) => {
  const expected = `a whole number from ${from} to ${to}`;
  return z.int(expected).min(from, expected).max(to, expected);
};

/** A mapping with these keys and no others. */
export const fields = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `one of ${Object.keys(shape).join(', ')}`
        : `a mapping with ${Object.keys(shape).join(', ')}`,
  });

/** Text on one line, without blanks around it. */
export const isLine = (value: string, most: number): boolean =>
  value.length > 0 && value.length <= most && value === value.trim() && !/\p{C}/u.test(value);
