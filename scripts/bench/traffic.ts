// Traffic as data, so that every load generator sends the same.

/**
 * One kind of request. In `path` and `body` stand, for each request:
 * `{n}` a number never used before and `{nx}` the same as twelve hexadecimal digits; `{r}` and `{rx}` one drawn from 1 … `pool`.
 */
export type Traffic = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  readonly path: string;
  readonly body: string | null;
  /** How often the part of the body between `{<` and `>}` is there, with commas between; each with numbers of its own. */
  readonly repeat?: number;
  readonly pool: number;
  /** At once; left out: as many as keep the server and the database busy with short requests. */
  readonly connections?: number;
  /** Where `{n}` begins. */
  readonly from: number;
  /** What an answer has to be. */
  readonly status: number;
};

/** Writes one request after the other. */
export function writer(traffic: Traffic): () => { readonly path: string; readonly body: string | null } {
  let last = traffic.from - 1;
  const fill = (text: string) => {
    if (!text.includes('{')) return text;
    if (/\{nx?\}/.test(text)) last += 1;
    const drawn = 1 + Math.floor(Math.random() * traffic.pool);
    return text
      .replaceAll('{nx}', hex(last))
      .replaceAll('{n}', String(last))
      .replaceAll('{rx}', hex(drawn))
      .replaceAll('{r}', String(drawn));
  };
  const [head = '', item, tail = ''] = traffic.body?.split(/\{<|>\}/) ?? [];
  return () => {
    if (traffic.body === null) return { path: fill(traffic.path), body: null };
    if (item !== undefined) {
      const items = Array.from({ length: traffic.repeat ?? 1 }, () => fill(item));
      return { path: traffic.path, body: `${head}${items.join(',')}${tail}` };
    }
    // Path and body of one request have the same numbers.
    const [path = '', body = ''] = fill(`${traffic.path}\u0000${traffic.body}`).split('\u0000');
    return { path, body };
  };
}

function hex(value: number): string {
  return value.toString(16).padStart(12, '0');
}
