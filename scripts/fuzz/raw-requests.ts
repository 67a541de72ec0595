// Requests that break HTTP itself, or come as near to it as they can.

import { jsonText, user } from './bodies.ts';
import { type Known, recent } from './known.ts';
import type { Random } from './random.ts';
import type { RawSending } from './requests.ts';

type Raw = { readonly text: string | Uint8Array; readonly whole: boolean };
type Make = (
  at: { readonly users: string; readonly one: string; readonly auth: string; readonly body: string },
  random: Random,
) => Raw;

const whole = (text: string | Uint8Array): Raw => ({ text, whole: true });
/** Something is missing, or HTTP lets the server close at once. */
const owedNothing = (text: string | Uint8Array): Raw => ({ text, whole: false });

const head = (...lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const JSON_TYPE = 'Content-Type: application/scim+json';

const makes: Readonly<Record<string, Make>> = {
  'no HTTP': () => whole('hello\r\n\r\n'),
  'TLS to a plain port': () => owedNothing(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])),
  'HTTP/2 preface': () => whole('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  'HTTP/1.0': ({ users, auth }) => whole(head(`GET ${users}?count=1 HTTP/1.0`, auth)),
  'HTTP/0.9': ({ users }) => owedNothing(`GET ${users}\r\n`),
  'HTTP/9.9': ({ users, auth }) => whole(head(`GET ${users} HTTP/9.9`, 'Host: x', auth)),
  'no Host': ({ users, auth }) => whole(head(`GET ${users} HTTP/1.1`, auth)),
  'two Hosts': ({ users, auth }) => whole(head(`GET ${users} HTTP/1.1`, 'Host: a', 'Host: b', auth)),
  'small method': ({ users, auth }) => whole(head(`get ${users} HTTP/1.1`, 'Host: x', auth)),
  'unknown method': ({ users, auth }) => whole(head(`BREW ${users} HTTP/1.1`, 'Host: x', auth)),
  CONNECT: ({ auth }) => whole(head('CONNECT evil.example:443 HTTP/1.1', 'Host: evil.example:443', auth)),
  'whole address': ({ users, auth }) => whole(head(`GET http://evil.example${users} HTTP/1.1`, 'Host: x', auth)),
  asterisk: ({ auth }) => whole(head('OPTIONS * HTTP/1.1', 'Host: x', auth)),
  'NUL in the address': ({ users, auth }) => whole(head(`GET ${users}/\u0000 HTTP/1.1`, 'Host: x', auth)),
  'blank in the address': ({ users, auth }) => whole(head(`GET ${users}/a b HTTP/1.1`, 'Host: x', auth)),
  'bytes in the address': ({ users, auth }) =>
    whole(Buffer.from(head(`GET ${users}/\xff\xfe?filter=\xe9 HTTP/1.1`, 'Host: x', auth), 'latin1')),
  'long address': ({ users, auth }) => whole(head(`GET ${users}/${'a'.repeat(20_000)} HTTP/1.1`, 'Host: x', auth)),
  'long header': ({ users, auth }) =>
    whole(head(`GET ${users} HTTP/1.1`, 'Host: x', auth, `X-A: ${'a'.repeat(20_000)}`)),
  'many headers': ({ users, auth }) =>
    whole(
      head(
        `GET ${users}?count=1 HTTP/1.1`,
        'Host: x',
        auth,
        ...Array.from({ length: 1_500 }, (_, index) => `X-${index}: 1`),
      ),
    ),
  'header without a colon': ({ users, auth }) => whole(head(`GET ${users} HTTP/1.1`, 'Host: x', auth, 'nonsense')),
  'NUL in a header': ({ users, auth }) => whole(head(`GET ${users} HTTP/1.1`, 'Host: x', auth, 'X-A: a\u0000b')),
  'header over two lines': ({ users, auth }) => whole(head(`GET ${users} HTTP/1.1`, 'Host: x', auth, 'X-A: a', ' b')),
  'bare line feeds': ({ users, auth }) => whole(`GET ${users}?count=1 HTTP/1.1\nHost: x\n${auth}\n\n`),
  '__proto__ header': ({ users, auth }) =>
    whole(head(`GET ${users}?count=1 HTTP/1.1`, 'Host: x', auth, '__proto__: x', 'constructor: y')),
  'two Authorizations': ({ users, auth }) =>
    whole(head(`GET ${users} HTTP/1.1`, 'Host: x', auth, 'Authorization: Bearer x')),
  'two lengths': ({ users, auth, body }) =>
    whole(
      head(
        `POST ${users} HTTP/1.1`,
        'Host: x',
        auth,
        JSON_TYPE,
        `Content-Length: ${body.length}`,
        'Content-Length: 0',
      ) + body,
    ),
  'length and chunks': ({ users, auth, body }) =>
    whole(
      `${head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Content-Length: 4', 'Transfer-Encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ),
  'negative length': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Content-Length: -1') + body),
  'length that is no number': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Content-Length: 1e3') + body),
  'length beyond every number': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, `Content-Length: ${'9'.repeat(40)}`) + body),
  'length of a terabyte': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Content-Length: 1000000000000') + body),
  'length too long': ({ users, auth, body }) =>
    owedNothing(
      head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, `Content-Length: ${body.length + 9}`) + body,
    ),
  'length too short': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, `Content-Length: ${body.length - 9}`) + body),
  'no length': ({ users, auth, body }) => whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE) + body),
  'no end of the head': ({ users, auth }) => owedNothing(`GET ${users} HTTP/1.1\r\nHost: x\r\n${auth}\r\n`),
  'chunk size that is none': ({ users, auth }) =>
    whole(
      `${head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`,
    ),
  'chunk size beyond every number': ({ users, auth }) =>
    whole(
      `${head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Transfer-Encoding: chunked')}ffffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
    ),
  'chunk extensions': ({ users, auth, body }) =>
    whole(
      `${head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Transfer-Encoding: chunked')}${body.length.toString(16)};a=${'b'.repeat(5_000)}\r\n${body}\r\n0\r\n\r\n`,
    ),
  'no last chunk': ({ users, auth }) =>
    owedNothing(
      `${head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Transfer-Encoding: chunked')}2\r\n{}\r\n`,
    ),
  'strange transfer encoding': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Transfer-Encoding: gzip') + body),
  'chunked and then not': ({ users, auth, body }) =>
    whole(head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Transfer-Encoding: chunked, identity') + body),
  'expects what nobody does': ({ users, auth }) =>
    whole(head(`GET ${users}?count=1 HTTP/1.1`, 'Host: x', auth, 'Expect: miracles')),
  'waits for 100 and has a wrong type': ({ users, auth }) =>
    whole(
      head(
        `POST ${users} HTTP/1.1`,
        'Host: x',
        auth,
        'Content-Type: text/plain',
        'Content-Length: 10',
        'Expect: 100-continue',
      ),
    ),
  'GET with a body': ({ one, auth, body }) =>
    whole(head(`GET ${one} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, `Content-Length: ${body.length}`) + body),
  'DELETE with a broken body': ({ users, auth }) =>
    whole(`${head(`DELETE ${users}/x HTTP/1.1`, 'Host: x', auth, JSON_TYPE, 'Content-Length: 1')}{`),
  'a second request at once': ({ one, users, auth }) =>
    whole(head(`GET ${one} HTTP/1.1`, 'Host: x', auth) + head(`GET ${users}?count=1 HTTP/1.1`, 'Host: x', auth)),
  'a request hidden in a body': ({ users, auth }) => {
    const hidden = head(`DELETE ${users}/x HTTP/1.1`, 'Host: x', auth);
    return whole(
      head(`POST ${users} HTTP/1.1`, 'Host: x', auth, JSON_TYPE, `Content-Length: ${hidden.length}`) + hidden,
    );
  },
  'asks for another protocol': ({ users, auth }) =>
    whole(
      head(
        `GET ${users}?count=1 HTTP/1.1`,
        'Host: x',
        auth,
        'Connection: Upgrade',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
      ),
    ),
  noise: (_, random) =>
    owedNothing(Buffer.from(Array.from({ length: 1 + random.below(200) }, () => random.below(256)))),
};

const names = Object.keys(makes);

export function rawRequest(random: Random, known: Known): RawSending {
  const name = random.pick(names);
  // In ASCII, so that its length in characters is its length in bytes.
  const body = jsonText(user(random, known)).replace(/[^\x20-\x7e]/g, '?');
  const users = `${known.base}/Users`;
  const at = {
    users,
    one: `${users}/${recent(random, known.users)}`,
    auth: `Authorization: Bearer ${known.token}`,
    body,
  };
  const { text, whole: isWhole } = (makes[name] as Make)(at, random);
  return { kind: `raw: ${name}`, raw: Buffer.from(text), whole: isWhole };
}
