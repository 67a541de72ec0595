/**
 * A person's browser without a screen, for the demo and the tests: navigates, keeps cookies, fills in forms.
 *
 * Where a browser would stop somebody, it throws: a form whose target the page's policy does not allow (also after redirects,
 * as Chromium has it), a field that is not on the page, a required one that is empty. Cookies follow RFC 6265bis; those with
 * SameSite=Lax do not go with a POST from another site. Runs no scripts, loads no subresources.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Cookie, cookieJar } from './browser/cookies.ts';
import { type Button, type Document, type Form, readHtml } from './browser/html.ts';
import { fetchSite, formActionAllows, isTrustworthy, originFor, refererFor, referrerPolicy } from './browser/site.ts';

export type Page = {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** Where the answer sends the browser on to; null for a page that stays. */
  readonly redirect: URL | null;
} & Document;

export type SubmitOptions = {
  /** Which form, by id or position; the only one if left out. */
  readonly form?: string | number;
  /** The words on the button, or its value; the first one if left out. `null`: sent by the page's own script, without a button. */
  readonly button?: string | null;
};

export type Browser = {
  /** Types an address into the address bar, and follows redirects. */
  open(address: string | URL): Promise<Page>;
  /** Fills in a form of the page, presses a button, and follows redirects. A checkbox takes true or false. */
  submit(page: Page, values?: Readonly<Record<string, string | boolean>>, options?: SubmitOptions): Promise<Page>;
  /** Clicks a link by its words, and follows redirects. */
  click(page: Page, text: string): Promise<Page>;
  /** Goes on from a redirect at which the browser stopped. */
  follow(page: Page): Promise<Page>;
  cookies(address: string | URL): readonly Cookie[];
  /** Every request so far: `GET http://localhost:3000/ 200`. */
  readonly history: readonly string[];
  /** Cookies that were set and not kept, with the reason. */
  readonly refusedCookies: readonly string[];
};

export type BrowserOptions = {
  /** Redirects to such an address are not followed: the page that redirects is what comes back. For addresses nobody serves. */
  readonly stopAt?: (url: URL) => boolean;
  /** False for a browser without scripts, which sees `noscript` and submits nothing by itself. */
  readonly scripting?: boolean;
};

/** One way through the web: who began it, where it led, what it carries, and which policy watches over it. */
type Journey = {
  readonly from: Page | null;
  readonly hops: readonly URL[];
  readonly method: string;
  readonly body: string | null;
  readonly isForm: boolean;
};

const maxRedirects = 20;

export function browser(options: BrowserOptions = {}): Browser {
  const { stopAt = () => false, scripting = true } = options;
  const jar = cookieJar();
  const history: string[] = [];
  const refusedCookies: string[] = [];
  /** How a page that redirects was come by, so that {@link Browser.follow} can go on. */
  const journeys = new WeakMap<Page, Journey>();

  async function hop(journey: Journey): Promise<Page> {
    const { from, method, hops, isForm } = journey;
    const url = lastOf(hops);
    if (!/^https?:$/.test(url.protocol)) throw new Error(`a browser does not navigate to ${url.protocol}`);
    if (isForm && from !== null && !formActionAllows(from.headers.get('content-security-policy'), from.url, url)) {
      throw new Error(`form-action of ${from.url} forbids ${url.origin}${url.pathname}`);
    }
    const cookie = jar.headerFor(url, method, from?.url ?? null);
    const answer = await exchange(
      url,
      method,
      { ...headersOf(journey), ...(cookie === null ? {} : { cookie }) },
      journey.body,
    );
    refusedCookies.push(...jar.store(url, answer.headers.getSetCookie()));
    history.push(`${method} ${url.href} ${answer.status}`);
    const location = answer.status >= 300 && answer.status < 400 ? answer.headers.get('location') : null;
    const isHtml = /^text\/html\b/.test(answer.headers.get('content-type') ?? '');
    const page = {
      url,
      ...answer,
      redirect: location === null ? null : new URL(location, url),
      ...readHtml(isHtml ? answer.body : '', scripting),
    };
    journeys.set(page, journey);
    return page;
  }

  function onwards(page: Page): Journey {
    const journey = journeys.get(page);
    if (journey === undefined || page.redirect === null) throw new Error(`${page.url} does not redirect`);
    const hops = [...journey.hops, withFragmentOf(page.url, page.redirect)];
    if (hops.length > maxRedirects) throw new Error(`too many redirects: ${hops.slice(-4).join(' -> ')}`);
    // 307 and 308 keep the method and the body; 303, and by custom 301 and 302, turn a POST into a GET.
    const keeps = page.status === 307 || page.status === 308 || journey.method !== 'POST';
    return keeps ? { ...journey, hops } : { ...journey, hops, method: 'GET', body: null };
  }

  async function travel(journey: Journey): Promise<Page> {
    let page = await hop(journey);
    while (page.redirect !== null && !stopAt(page.redirect)) page = await hop(onwards(page));
    return page;
  }

  return {
    open: (address) => travel({ from: null, hops: [new URL(address)], method: 'GET', body: null, isForm: false }),
    submit(page, values = {}, { form: which, button: pressed } = {}) {
      const form = chooseForm(page, which);
      const button = pressed === null ? null : chooseButton(page, form, pressed, scripting);
      if (pressed === null && !scripting) throw new Error(`without scripts nothing submits the form of ${page.url}`);
      const data = fillIn(page, form, values);
      if (button?.name != null) data.append(button.name, button.value);
      if (form.enctype !== 'application/x-www-form-urlencoded') throw new Error(`no support for ${form.enctype}`);
      const target = new URL((button?.action ?? form.action) || page.url.href, page.url);
      if (form.method === 'post') {
        return travel({ from: page, hops: [target], method: 'POST', body: data.toString(), isForm: true });
      }
      target.search = data.toString();
      return travel({ from: page, hops: [target], method: 'GET', body: null, isForm: true });
    },
    click(page, text) {
      const found = page.links.filter((link) => link.text.trim() === text);
      const [link] = found;
      if (link === undefined)
        throw new Error(`${page.url} has no link "${text}": ${page.links.map((each) => each.text)}`);
      return travel({ from: page, hops: [new URL(link.href, page.url)], method: 'GET', body: null, isForm: false });
    },
    follow: async (page) => travel(onwards(page)),
    cookies: (address) => jar.at(new URL(address)),
    history,
    refusedCookies,
  };
}

function lastOf(hops: readonly URL[]): URL {
  const last = hops.at(-1);
  if (last === undefined) throw new Error('a journey without an address');
  return last;
}

function withFragmentOf(before: URL, target: URL): URL {
  const url = new URL(target);
  if (url.hash === '') url.hash = before.hash;
  return url;
}

function headersOf({ from, hops, method, body }: Journey): Record<string, string> {
  const url = lastOf(hops);
  const headers: Record<string, string> = {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'accept-language': 'en',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'upgrade-insecure-requests': '1',
  };
  if (isTrustworthy(url)) {
    Object.assign(headers, {
      'sec-fetch-site': fetchSite(from?.url ?? null, hops),
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    });
  }
  if (body !== null) headers['content-type'] = 'application/x-www-form-urlencoded';
  if (from === null) return headers;
  const policy = referrerPolicy(from.headers.get('referrer-policy'));
  const referer = refererFor(from.url, url, policy);
  if (referer !== null) headers.referer = referer;
  // Once a server of another origin has sent the form on to a third one, nobody vouches for where it came from.
  const strayed = hops.some(
    (before, index) => before.origin !== from.url.origin && before.origin !== (hops[index + 1] ?? before).origin,
  );
  if (method === 'POST') headers.origin = strayed ? 'null' : originFor(from.url, url, policy);
  return headers;
}

type Answer = { readonly status: number; readonly headers: Headers; readonly body: string };

/** One request on a connection of its own. The fragment stays here. */
async function exchange(
  url: URL,
  method: string,
  headers: Record<string, string>,
  body: string | null,
): Promise<Answer> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const length: Record<string, string> = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const signal = AbortSignal.timeout(30_000);
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(url, { method, headers: { ...headers, ...length }, agent: false, signal }, resolve);
    request.on('error', (error) => reject(new Error(`${method} ${url.href}: ${error.message}`, { cause: error })));
    request.end(body ?? undefined);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  const received = new Headers();
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    for (const value of values ?? []) received.append(name, value);
  }
  return { status: message.statusCode ?? 0, headers: received, body: Buffer.concat(chunks).toString() };
}

function chooseForm(page: Page, which: string | number | undefined): Form {
  const form =
    which === undefined && page.forms.length > 1
      ? undefined
      : typeof which === 'string'
        ? page.forms.find(({ id }) => id === which)
        : page.forms[which ?? 0];
  if (form === undefined)
    throw new Error(`${page.url} (${page.status}) has ${page.forms.length} forms: which? ${page.text.slice(0, 200)}`);
  return form;
}

function chooseButton(page: Page, form: Form, pressed: string | undefined, scripting: boolean): Button | null {
  const names = (button: Button) => button.text.trim() === pressed || button.value === pressed;
  const button = pressed === undefined ? form.buttons[0] : form.buttons.find(names);
  if (button !== undefined) return button;
  // Enter in a field submits a form without a button; nothing else does.
  if (pressed === undefined && scripting) return null;
  throw new Error(
    `the form of ${page.url} has no button ${pressed ?? ''}: ${form.buttons.map(({ text }) => text.trim())}`,
  );
}

/** The data set of a form with what a person typed and chose (HTML §4.10.21.4), line ends as a browser sends them. */
function fillIn(page: Page, form: Form, values: Readonly<Record<string, string | boolean>>): URLSearchParams {
  const data = new URLSearchParams();
  const reachable = form.fields.filter((field) => !field.disabled && field.type !== 'hidden');
  for (const name of Object.keys(values)) {
    if (!reachable.some((field) => field.name === name)) throw new Error(`${page.url} has no field ${name} to fill in`);
  }
  for (const field of form.fields) {
    if (field.disabled || field.type === 'button' || field.type === 'reset') continue;
    const given = field.type === 'hidden' ? undefined : values[field.name];
    if (field.type === 'checkbox' || field.type === 'radio') {
      const checked = given === undefined ? field.checked : given === true || given === field.value;
      if (checked) data.append(field.name, field.value);
      if (!checked && field.required && field.type === 'checkbox')
        throw new Error(`${page.url}: ${field.name} must be ticked`);
      continue;
    }
    const value = given === undefined ? field.value : String(given);
    if (field.type === 'select' && !field.options.includes(value))
      throw new Error(`${page.url}: ${field.name} has no option ${value}`);
    if (field.required && value === '') throw new Error(`${page.url}: ${field.name} must be filled in`);
    data.append(field.name, value.replace(/\r\n?|\n/g, '\r\n'));
  }
  return data;
}
