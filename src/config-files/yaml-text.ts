// YAML text to plain data with a place for every value. The only importer of yaml.

import {
  type DocumentOptions,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParseOptions,
  parseDocument,
  type SchemaOptions,
} from 'yaml';
import type { ConfigPath, ConfigProblem } from './problem.ts';
import { quote } from './problem.ts';

export type Place = { readonly line: number; readonly column: number };

/** A file's data, made of null-prototype objects, arrays, strings, numbers, booleans and null. */
export type YamlText = {
  readonly file: string;
  readonly value: unknown;
  /** The value at a path; undefined where there is none. */
  at(path: ConfigPath): unknown;
  /** Where the value or its key is written; for what is missing, where its nearest parent begins. */
  locate(path: ConfigPath, at?: 'value' | 'key'): Place;
};

const MAX_BYTES = 1 << 20;
// The parser is linear in these, and takes well under a second for so many, right or wrong (T111).
const MAX_TOKENS = 80_000;
const MAX_DEPTH = 20;
const MAX_ALIASES = 100;
const MAX_NODES = 200_000;

type Spot = {
  readonly value: unknown;
  readonly offset: number;
  readonly keyOffset: number;
  readonly children: ReadonlyMap<string | number, Spot>;
};

/** Refused text: the offset, and the two phrases of a problem. */
class BadYaml extends Error {
  readonly offset: number;
  readonly found: string;
  readonly expected: string;

  constructor(offset: number, found: string, expected: string) {
    super(found);
    this.offset = offset;
    this.found = found;
    this.expected = expected;
  }
}

/**
 * Reads one YAML 1.2 document (core schema). Refused, each with its place: more than 1 MB, more than {@link MAX_TOKENS} tokens,
 * nesting deeper than 20, a key given twice, tags, merge keys, more than 100 aliases, keys that are no text or that name an
 * object's own machinery (`__proto__`), a second document. An empty text is null.
 *
 * Never throws. Does not check what the data means.
 */
export function readYamlText(
  file: string,
  text: string,
): { readonly kind: 'read'; readonly yaml: YamlText } | { readonly kind: 'refused'; readonly problem: ConfigProblem } {
  const lines = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  };
  try {
    refuseHuge(text, lines);
    const root = parse(text, lines);
    return { kind: 'read', yaml: yamlText(file, root, placeOf) };
  } catch (error) {
    const bad = error instanceof BadYaml ? error : new BadYaml(0, 'text that cannot be read', 'plain YAML');
    return {
      kind: 'refused',
      problem: { file, ...placeOf(bad.offset), path: '', found: bad.found, expected: bad.expected },
    };
  }
}

function refuseHuge(text: string, lines: LineCounter): void {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new BadYaml(0, 'more than 1 MB', 'a smaller file');
  let tokens = 0;
  let offset = 0;
  let flowDepth = 0;
  const refuse = (found: string, expected: string) => {
    lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1))
      lines.addNewLine(at + 1);
    throw new BadYaml(offset, found, expected);
  };
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    // Marks of the lexer's own, which are not in the text.
    if (token === '\x02' || token === '\x18' || token === '\x1f') continue;
    flowDepth += token === '[' || token === '{' ? 1 : token === ']' || token === '}' ? -1 : 0;
    if (flowDepth > MAX_DEPTH) refuse('lists or mappings nested too deeply', `at most ${MAX_DEPTH} levels`);
    if (tokens > MAX_TOKENS) refuse('too much for one file', 'fewer entries, split over several tenants');
    offset += token.length;
  }
}

const SYNTAX: Readonly<Record<string, string>> = {
  BAD_INDENT: 'a line with the wrong indentation',
  TAB_AS_INDENT: 'a tab as indentation',
  MISSING_CHAR: 'a quote, bracket, comma or colon that is missing',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping inside a one-line value (a text with ": " needs quotes)',
  MULTILINE_IMPLICIT_KEY: 'a key that goes over several lines (is a colon missing?)',
  BAD_ALIAS: 'an alias without its anchor',
  MULTIPLE_DOCS: 'a second document',
  BAD_SCALAR_START: 'a text that needs quotes',
  BAD_DQ_ESCAPE: 'an unknown escape in a quoted text',
  NON_STRING_KEY: 'a key that is no text',
  RESOURCE_EXHAUSTION: 'lists or mappings nested too deeply',
};

/** The library makes an error for every wrong token, and nearly all of the time goes into their stack traces, which nobody reads. */
function withoutStackTraces<T>(work: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

const OPTIONS: ParseOptions & DocumentOptions & SchemaOptions = {
  schema: 'core',
  version: '1.2',
  merge: false,
  customTags: [],
  stringKeys: true,
  // The library compares every key with every other; below it is a set.
  uniqueKeys: false,
  strict: true,
  prettyErrors: false,
  // Not 'silent': then a second document is dropped without a word.
  logLevel: 'error',
};

function parse(text: string, lines: LineCounter): Spot {
  const document = withoutStackTraces(() => parseDocument(text, { ...OPTIONS, lineCounter: lines }));
  const [error] = document.errors;
  if (error !== undefined)
    throw new BadYaml(error.pos[0], SYNTAX[error.code] ?? 'a mistake in the YAML syntax', 'valid YAML');

  let nodes = 0;
  let aliases = 0;
  const convert = (node: Node | null, offset: number, keyOffset: number, depth: number): Spot => {
    nodes += 1;
    const start = node?.range?.[0] ?? offset;
    if (nodes > MAX_NODES) throw new BadYaml(start, 'too much for one file', 'fewer aliases');
    if (depth > MAX_DEPTH)
      throw new BadYaml(start, 'lists or mappings nested too deeply', `at most ${MAX_DEPTH} levels`);
    if (node === null) return { value: null, offset, keyOffset, children: new Map() };
    if (isAlias(node)) {
      aliases += 1;
      if (aliases > MAX_ALIASES) throw new BadYaml(start, 'too many aliases', `at most ${MAX_ALIASES} in a file`);
      const resolved = node.resolve(document);
      if (resolved === undefined) throw new BadYaml(start, 'an alias without its anchor', 'an anchor further up');
      // Places inside an alias are those of the anchored text: that is where a mistake is mended.
      return { ...convert(resolved, start, keyOffset, depth + 1), keyOffset };
    }
    if (node.tag !== undefined) throw new BadYaml(start, 'a tag', 'a plain value without "!"');
    if (isScalar(node)) return { value: node.value ?? null, offset: start, keyOffset, children: new Map() };
    const children = new Map<string | number, Spot>();
    if (isSeq<Node | null>(node)) {
      node.items.forEach((item, index) => {
        children.set(index, convert(item, start, item?.range?.[0] ?? start, depth + 1));
      });
      return { value: [...children.values()].map((child) => child.value), offset: start, keyOffset, children };
    }
    if (!isMap<Node, Node | null>(node))
      throw new BadYaml(start, 'something else than data', 'a mapping, a list or a value');
    const value = Object.create(null) as Record<string, unknown>;
    for (const { key: keyNode, value: item } of node.items) {
      const at = keyNode.range?.[0] ?? start;
      const key = keyOf(keyNode, at);
      if (children.has(key)) throw new BadYaml(at, `the key ${quote(key)} a second time`, 'each key once');
      const child = convert(item, keyNode.range?.[1] ?? at, at, depth + 1);
      children.set(key, child);
      value[key] = child.value;
    }
    return { value, offset: start, keyOffset, children };
  };
  return convert(document.contents, 0, 0, 0);
}

function keyOf(node: Node, at: number): string {
  if (!isScalar(node) || typeof node.value !== 'string' || node.tag !== undefined)
    throw new BadYaml(at, 'a key that is no text', 'a plain text as key');
  if (node.value === '<<') throw new BadYaml(at, 'a merge key', 'the keys themselves');
  if (['__proto__', 'constructor', 'prototype'].includes(node.value))
    throw new BadYaml(at, 'a name that may not be a key', 'another name');
  return node.value;
}

function yamlText(file: string, root: Spot, placeOf: (offset: number) => Place): YamlText {
  return {
    file,
    value: root.value,
    at(path) {
      let spot: Spot | undefined = root;
      for (const step of path) spot = spot?.children.get(step);
      return spot?.value;
    },
    locate(path, at = 'value') {
      let spot = root;
      for (const [index, step] of path.entries()) {
        const next = spot.children.get(step);
        if (next === undefined) return placeOf(spot.offset);
        if (index === path.length - 1 && at === 'key') return placeOf(next.keyOffset);
        spot = next;
      }
      return placeOf(spot.offset);
    },
  };
}
