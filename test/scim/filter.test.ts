import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ScimError } from '../../src/scim/errors.ts';
import { type FilterNode, parseFilter, parsePath } from '../../src/scim/filter.ts';
import { enterpriseUserUrn, groupSchema, pathName, userSchema } from '../../src/scim/schema.ts';
import { cpuTime } from '../support/cpu-time.ts';
import { refusal } from './payload.ts';

/** A tree as text with every grouping shown, names as the schema spells them. */
function show(node: FilterNode): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.terms.map(show).join(` ${node.kind} `)})`;
    case 'not':
      return `not${show(node.term)}`;
    case 'pr':
      return `${pathName(node.path)} pr`;
    case 'cmp':
      return `${pathName(node.path)} ${node.op} ${JSON.stringify(node.value)}`;
    case 'valuePath':
      return `${pathName(node.path)}[${show(node.filter)}]`;
    case 'constant':
      return String(node.holds);
  }
}

const user = (text: string): string => show(parseFilter(text, userSchema));
const filterRefusal = (text: string) => refusal(() => parseFilter(text, userSchema));

describe('a filter', () => {
  test.each([
    ['userName eq "bjensen"', 'userName eq "bjensen"'],
    ['USERNAME EQ "x"', 'userName eq "x"'],
    ['username Sw "x" AND title PR', '(userName sw "x" and title pr)'],
    [
      'title pr and userType eq "Employee" or active eq true',
      '((title pr and userType eq "Employee") or active eq true)',
    ],
    ['title pr and (userType eq "E" or active eq false)', '(title pr and (userType eq "E" or active eq false))'],
    ['not (title pr) and active eq true', '(nottitle pr and active eq true)'],
    ['NOT(title pr)', 'nottitle pr'],
    ['emails eq "a@b.c"', 'emails.value eq "a@b.c"'],
    ['emails[type eq "work"].value eq "x"', 'emails[(emails.type eq "work" and emails.value eq "x")]'],
    [
      'emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp"]',
      '(emails[(emails.type eq "work" and emails.value co "@example.com")] or ims[ims.type eq "xmpp"])',
    ],
    ['emails[not (type eq "work")]', 'emails[notemails.type eq "work"]'],
    ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"', 'userName sw "J"'],
    [`${enterpriseUserUrn}:manager.value eq "x"`, `${enterpriseUserUrn}:manager.value eq "x"`],
    ['id eq "X" and manager eq "Y"', `(id eq "X" and ${enterpriseUserUrn}:manager.value eq "Y")`],
    ['meta.lastModified ge "2011-05-13T04:42:34Z"', 'meta.lastModified ge "2011-05-13T04:42:34.000Z"'],
    ['userName eq "a \\"quoted\\" \\u00e9 \\\\ name"', 'userName eq "a \\"quoted\\" é \\\\ name"'],
    ['title eq null', 'title eq null'],
    ['  userName   eq   "x"  ', 'userName eq "x"'],
    ['roles[primary eq "True"]', 'roles[roles.primary eq true]'],
    ['userName eq "and or not ("', 'userName eq "and or not ("'],
    ['schemas eq "urn:x"', 'schemas eq "urn:x"'],
  ])('%s is the tree %s (RFC 7644 §3.4.2.2)', (text, tree) => expect(user(text)).toBe(tree));

  test('of groups may ask for a member (Entra ID)', () => {
    expect(show(parseFilter('id eq "G" and members eq "U"', groupSchema))).toBe('(id eq "G" and members.value eq "U")');
  });

  test('in text for a boolean is noted', () => {
    const notes: string[] = [];
    parseFilter('active eq "True"', userSchema, notes);
    expect(notes).toEqual(['active as text read as true']);
  });

  test.each([
    '',
    '   ',
    'userName',
    'userName eq',
    'userName eq ',
    'userName eq bjensen',
    "userName eq 'bjensen'",
    'userName eq True',
    'userName eq "x" and',
    'userName eq "x" title pr',
    'userName eq "x")',
    '(userName eq "x"',
    'userName xx "x"',
    'userName eq "x',
    'userName eq "\\x"',
    'userName eq {}',
    'userName eq ["x"]',
    'userName eq "x" "y"',
    'userName like "x"',
    'userName np',
    'userName eq"x"',
    'eq "x"',
    'not userName pr',
    'emails[type eq "work"',
    'emails[]',
    'emails[type eq "work"].',
    'emails[type eq "work"].nothing eq "x"',
    'emails[type eq "work"].value',
    'emails[emails[type eq "work"]]',
    'emails[userName eq "x"]',
    'userName[value eq "x"]',
    'emails.value[type eq "work"]',
    'name eq "x"',
    'meta eq "x"',
    'active gt true',
    'active co "tr"',
    'active eq "yes"',
    'userName eq true',
    'userName eq 5',
    'userName gt null',
    'x509Certificates.value gt "aa"',
    'meta.created eq "yesterday"',
    'meta.created co "2011"',
    'meta.created eq "2023-02-30T00:00:00Z"',
    'userName eq "\\u0000"',
    'userName eq "\\ud800"',
    'userName; drop table x',
    'pg_sleep(6)',
    'userName\' eq "x"',
    'a..b eq "x"',
    'emails[pg_sleep(6) eq "x"]',
  ])('outside the grammar or the types is 400 invalidFilter: %s (T44)', (text) =>
    expect(filterRefusal(text)).toEqual([400, 'invalidFilter']),
  );

  test('by a secret or by what does not exist is refused in the same words (T45)', () => {
    const said = ['password', 'passwrd1', 'tenantId', 'token', '__proto__', 'constructor'].map((name) => {
      try {
        return parseFilter(`${name} eq "x"`, userSchema);
      } catch (error) {
        return (error as ScimError).detail;
      }
    });
    expect(new Set(said).size).toBe(1);
    expect(filterRefusal('password pr')).toEqual([400, 'invalidFilter']);
    expect(filterRefusal('urn:ietf:params:scim:schemas:core:2.0:User:password sw "a"')).toEqual([400, 'invalidFilter']);
  });

  test('that names prototype members anywhere changes no prototype (T43)', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    for (const name of ['__proto__', 'constructor.prototype', 'name.__proto__', 'toString']) {
      expect(filterRefusal(`${name} eq "polluted"`)).toEqual([400, 'invalidFilter']);
      expect(filterRefusal(`emails[${name} eq "polluted"]`)).toEqual([400, 'invalidFilter']);
      expect(refusal(() => parsePath(`emails[type eq "x"].${name}`, userSchema))[0]).toBe(400);
      expect(refusal(() => parsePath(name, userSchema))).toEqual([400, 'invalidPath']);
    }
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });

  test('has limits: 2,000 characters, depth 10, 50 terms (T46)', () => {
    const nested = (depth: number): string => `${'('.repeat(depth)}title pr${')'.repeat(depth)}`;
    const long = (terms: number): string => Array.from({ length: terms }, () => 'title pr').join(' or ');
    expect(user(nested(10))).toBe('title pr');
    expect(filterRefusal(nested(11))).toEqual([400, 'invalidFilter']);
    expect(parseFilter(long(50), userSchema).kind).toBe('or');
    expect(filterRefusal(long(51))).toEqual([400, 'invalidFilter']);
    const text = `userName eq "${'x'.repeat(2000 - 14)}"`;
    expect(text).toHaveLength(2000);
    expect(parseFilter(text, userSchema).kind).toBe('cmp');
    expect(filterRefusal(`${text} `)).toEqual([400, 'invalidFilter']);
  });

  test('of any length and nesting is answered at once (T46)', () => {
    const hostile = [
      '('.repeat(1_000_000),
      'not ('.repeat(400),
      `${'(title pr or title pr) and '.repeat(70)}title pr`,
      `userName eq "${'\\"'.repeat(900)}`,
      `userName eq "${'\\'.repeat(1900)}`,
      `emails[${'('.repeat(1900)}`,
      ' '.repeat(2000),
      `${'a'.repeat(1990)} eq 1`,
      `${'urn:'.repeat(490)}x pr`,
      `userName eq ${'1'.repeat(1900)}`,
    ];
    const worked = cpuTime();
    for (let round = 0; round < 20; round++) {
      for (const text of hostile) expect(filterRefusal(text)).toEqual([400, 'invalidFilter']);
    }
    expect(worked()).toBeLessThan(1000);
  });

  test('is parsed or refused as a SCIM error, whatever text it is', () => {
    const word = fc.constantFrom(
      'userName',
      'emails',
      'emails.value',
      'active',
      'meta.created',
      'manager',
      'and',
      'or',
      'not',
      'eq',
      'ne',
      'co',
      'pr',
      'gt',
      '(',
      ')',
      '[',
      ']',
      '].value',
      '"x"',
      '"',
      'true',
      'null',
      '5',
      '"2020-01-01T00:00:00Z"',
      ' ',
      '.',
      'type',
      'urn:x:y',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 14 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(text, (filter) => {
        for (const parse of [parseFilter, parsePath]) {
          try {
            parse(filter, userSchema);
          } catch (error) {
            expect(error).toBeInstanceOf(ScimError);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('that was written from a tree is that tree', () => {
    const names = ['userName', 'name.givenName', 'emails.value', 'title', `${enterpriseUserUrn}:department`];
    const leaf = fc.oneof(
      fc
        .tuple(
          fc.constantFrom(...names),
          fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'le'),
          fc.string({ unit: 'grapheme' }),
        )
        .map(([name, op, value]) => ({
          text: `${name} ${op} ${JSON.stringify(value)}`,
          tree: `${name} ${op} ${JSON.stringify(value)}`,
        })),
      fc.constantFrom(...names).map((name) => ({ text: `${name} pr`, tree: `${name} pr` })),
    );
    const { node } = fc.letrec<{ node: { text: string; tree: string } }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.tuple(tie('node'), tie('node'), fc.constantFrom('and', 'or')).map(([a, b, word]) => ({
          // A group of its own on both sides, so that the tree shows what was meant.
          text: `(${a.text}) ${word} (${b.text})`,
          tree: `(${a.tree} ${word} ${b.tree})`,
        })),
        tie('node').map((term) => ({ text: `not (${term.text})`, tree: `not${term.tree}` })),
      ),
    }));
    fc.assert(
      fc.property(node, ({ text, tree }) => {
        fc.pre(text.length <= 2000 && !text.includes('\\u0000'));
        expect(user(text)).toBe(tree);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a PATCH path', () => {
  const show2 = (text: string): string => {
    const target = parsePath(text, userSchema);
    if (target.kind === 'schema') return target.schema.id;
    return `${pathName(target.path)}${target.filter === null ? '' : ` [${show(target.filter)}]`}`;
  };

  test.each([
    ['active', 'active'],
    ['name.familyName', 'name.familyName'],
    ['emails[type eq "work"].value', 'emails.value [emails.type eq "work"]'],
    ['emails[type eq "other"].Value', 'emails.value [emails.type eq "other"]'],
    [
      'emails[type eq "work" and value ew "example.com"]',
      'emails [(emails.type eq "work" and emails.value ew "example.com")]',
    ],
    ['emails', 'emails'],
    [`${enterpriseUserUrn}:manager`, `${enterpriseUserUrn}:manager`],
    [`${enterpriseUserUrn}:manager.value`, `${enterpriseUserUrn}:manager.value`],
    [enterpriseUserUrn, enterpriseUserUrn],
    ['urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department', `${enterpriseUserUrn}:department`],
    ['urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"]', 'emails [emails.type eq "work"]'],
    ['manager', `${enterpriseUserUrn}:manager`],
  ])('%s is %s (RFC 7644 §3.5.2)', (text, shown) => expect(show2(text)).toBe(shown));

  test.each([
    ['', 'invalidPath'],
    ['a..b', 'invalidPath'],
    ['name..givenName', 'invalidPath'],
    ['name.', 'invalidPath'],
    ['unknown', 'invalidPath'],
    ['emails[type eq "work"', 'invalidFilter'],
    ['emails[', 'invalidFilter'],
    ['emails[type eq work].value', 'invalidFilter'],
    ['emails[type eq "work"].nothing', 'invalidPath'],
    ['emails[type eq "work"]x', 'invalidPath'],
    ['emails[type eq "work"].value.x', 'invalidPath'],
    ['emails.value[type eq "work"]', 'invalidFilter'],
    ['urn:ietf:params:scim:schemas:extension:enterprise:2.0:Usr:manager', 'invalidPath'],
    ['urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:', 'invalidPath'],
    [' active', 'invalidPath'],
    ['active ', 'invalidPath'],
    ['x'.repeat(2001), 'invalidPath'],
  ])('that is none is 400: %s (T57)', (text, scimType) =>
    expect(refusal(() => parsePath(text, userSchema))).toEqual([400, scimType]),
  );
});
