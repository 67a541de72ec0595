// The password rule. Hashing lives at the edge that has a clock and a CPU; the rule is pure.

export type PasswordPolicy = { readonly minLength: number; readonly maxLength: number };
export const defaultPasswordPolicy: PasswordPolicy = { minLength: 8, maxLength: 60 };

export type PasswordFault =
  | 'too_short'
  | 'too_long'
  | 'no_upper_case'
  | 'no_lower_case'
  | 'no_digit'
  | 'no_special'
  | 'control_character';

const SPECIAL = /[!@#$%^&*_-]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * What a new password lacks, in the order in which a person would mend it; empty if it is good (R88). Length counts code points.
 * Does not compare it with lists of leaked passwords.
 */
export function passwordFaults(
  password: string,
  policy: PasswordPolicy = defaultPasswordPolicy,
): readonly PasswordFault[] {
  const length = [...password].length;
  const faults: [boolean, PasswordFault][] = [
    [length < policy.minLength, 'too_short'],
    [length > policy.maxLength, 'too_long'],
    [!/\p{Lu}/u.test(password), 'no_upper_case'],
    [!/\p{Ll}/u.test(password), 'no_lower_case'],
    [!/[0-9]/.test(password), 'no_digit'],
    [!SPECIAL.test(password), 'no_special'],
    [CONTROL.test(password), 'control_character'],
  ];
  return faults.filter(([broken]) => broken).map(([, fault]) => fault);
}
