// The host with its portal, a sign-in provider beside it, and visitors of it without a browser.
import { Host, SLOWNESS, sql } from './host.mjs';
import { helpdeskConfig } from './helpdesk.mjs';
import { CLIENT_ID, startProvider } from './oidc.mjs';
import { post, rpc } from './raw.mjs';

export const ANA = 'ana.lopez@acme.example';
export const BEN = 'ben@acme.example';
export const VERA = 'vera@acme.example';
export const EVE = 'eve@globex.example';
export const NOBODY = 'nobody@elsewhere.example';

export const PEOPLE = { [ANA]: 'Ana Lopez', [BEN]: 'Ben Okafor', [VERA]: 'Vera Lind', [EVE]: 'Eve Moreau' };
const member = (email, role) => ({ email, name: PEOPLE[email], role });
export const TENANTS = [
  {
    name: 'demo',
    title: 'Acme',
    members: [
      member(ANA, 'agent'),
      member(BEN, 'admin'),
      member(VERA, 'viewer'),
      { email: '*@acme.example', role: 'agent' },
    ],
  },
  { name: 'globex', title: 'Globex', members: [member(EVE, 'admin')] },
];

/** Somebody of a test's own, with nobody's keys: an agent of "demo". */
export const somebody = (t) =>
  `${t.name
    .replaceAll(/[^a-z]+/gi, '.')
    .slice(0, 40)
    .toLowerCase()}@acme.example`;

/** Configuration of a helpdesk with a portal. Usage is flushed every second, so that tests need not wait for it. */
export const portalConfig = ({ signIn, tenants = TENANTS, portal = {}, ...more } = {}) =>
  JSON.stringify({
    ...JSON.parse(helpdeskConfig({ tenants })),
    keys: { usage_flush: '1s', failed_sign_ins: 100_000 },
    portal: {
      ...(signIn && {
        sign_in: { client_id: CLIENT_ID, client_secret: 'env:TOOLHOST_TEST_CLIENT_SECRET', name: 'Acme', ...signIn },
      }),
      support: 'Ask the help desk, telephone 555-0100, for access.',
      ...portal,
    },
    ...more,
  });

export const callbackOf = (url) => `${url}/mcp/sign-in/callback`;

/** A host and a real provider that know each other: {host, provider, people}; of `people` the names may be changed. */
export async function startPortal(t, options = {}) {
  const people = { ...PEOPLE };
  const provider = await startProvider(t, { people });
  const host = await Host.start(t, { config: portalConfig({ signIn: { issuer: provider.issuer }, ...options }) });
  provider.redirects.add(callbackOf(host.url));
  return { host, provider, people };
}

/** Starts something around the tests of a describe(): call in before(), and `stop` of what it returns in after(). */
export async function aroundSuite(start) {
  const cleanups = [];
  const started = await start({ after: (cleanup) => cleanups.push(cleanup) });
  return {
    ...started,
    stop: async () => {
      for (const cleanup of cleanups) await cleanup();
    },
  };
}

/** The attributes of the first element that matches, as {name: text}. */
function attributesIn(tag) {
  const unescape = (text) =>
    text
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');
  return Object.fromEntries(
    [...tag.matchAll(/ ([a-z-]+)="([^"]*)"/g)].map(([, name, value]) => [name, unescape(value)]),
  );
}

/** The hidden fields of a page's forms whose action ends so. */
export function hiddenFields(html, action) {
  const form = [...html.matchAll(/<form[^>]*>[\s\S]*?<\/form>/g)].find(([text]) =>
    attributesIn(text).action.endsWith(action),
  );
  if (!form) throw new Error(`no form ${action} in ${html.slice(0, 2_000)}`);
  const inputs = form[0].match(/<input type="hidden"[^>]*>/g) ?? [];
  return Object.fromEntries(inputs.map(attributesIn).map(({ name, value }) => [name, value]));
}

/** Somebody at the portal without a browser: cookies, redirects that are looked at, every header at will. */
export class Visitor {
  constructor(url) {
    this.url = url;
    this.cookies = new Map();
  }

  get cookieHeader() {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** {status, headers, body, location}; redirects are not followed. Header values of undefined are left out. */
  async ask(path, { method = 'GET', form, headers = {}, body } = {}) {
    const wanted = {
      Accept: 'text/html',
      ...(this.cookies.size && { Cookie: this.cookieHeader }),
      ...(method === 'POST' && { Origin: this.url, 'Sec-Fetch-Site': 'same-origin' }),
      ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
      ...headers,
    };
    const response = await fetch(path.startsWith('http') ? path : this.url + path, {
      method,
      redirect: 'manual',
      headers: Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)),
      body: form ? new URLSearchParams(form).toString() : body,
      signal: AbortSignal.timeout(30_000 * SLOWNESS),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value === '' || /max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const location = response.headers.get('location');
    return { status: response.status, headers: response.headers, body: await response.text(), location };
  }

  get(path, options) {
    return this.ask(path, options);
  }

  /** Sends the form of a page as its own button would: the page's hidden fields and these. */
  async submit(page, action, fields = {}, options = {}) {
    const { body } = await this.get(page);
    return this.ask(action, { method: 'POST', form: { ...hiddenFields(body, action), ...fields }, ...options });
  }

  get session() {
    return this.cookies.get('toolhost');
  }

  async isSignedIn() {
    return (await this.get('/mcp/keys')).status === 200;
  }

  /** Through the real provider, as a person does it: the last answer, which is the portal's to the callback. */
  async signIn(email) {
    const elsewhere = new Visitor(''); // the provider's cookies are nothing of the portal's
    let answer = await this.get('/mcp/sign-in/start?next=%2Fmcp%2Fkeys');
    let at = answer.location;
    for (let step = 0; at && !at.startsWith(callbackOf(this.url)); step += 1) {
      if (step > 10) throw new Error(`no way back from the provider: ${at}`);
      answer = at.includes('/interaction/')
        ? await elsewhere.ask(at, {
            method: 'POST',
            form: { account: email },
            headers: { Origin: undefined, 'Sec-Fetch-Site': undefined },
          })
        : await elsewhere.get(at);
      if (!answer.location) throw new Error(`the provider answered ${answer.status}: ${answer.body.slice(0, 500)}`);
      at = new URL(answer.location, at).href;
    }
    this.callback = at;
    return this.get(at);
  }

  /** A new key, made with the form: {key, id}. */
  async makeKey(name, fields = {}) {
    const page = await this.submit('/mcp/keys/new', '/mcp/keys/new', {
      name,
      tenant: 'demo',
      expiry: 'never',
      scope: 'all',
      ...fields,
    });
    const key = /value="(hdsk_[0-9A-Za-z]{32})"/.exec(page.body)?.[1];
    if (!key) throw new Error(`no key was made: ${page.status} ${page.body.slice(0, 3_000)}`);
    const { body } = await this.get('/mcp/keys');
    const row = body.match(/<tr[\s\S]*?<\/tr>/g).find((text) => text.includes(key.slice(0, 11)));
    return { key, id: /\/keys\/(\d+)"/.exec(row)[1] };
  }
}

/** Somebody who has signed in. */
export async function visitor(host, email) {
  const someone = new Visitor(host.url);
  const answer = await someone.signIn(email);
  if (answer.status !== 303)
    throw new Error(`${email} was not let in: ${answer.status} ${answer.body.slice(0, 2_000)}`);
  return someone;
}

/** Everything that forms of the portal may change, as lines: keys and sessions. */
export async function everything(databaseUrl) {
  const keys = "select 'key', to_jsonb(k) - 'usage_count' - 'last_used_at' from toolhost.api_keys k order by key_id";
  const sessions = "select 'session', number, person_id from toolhost.portal_sessions order by number";
  return (await sql(databaseUrl, `${keys}; ${sessions};`)).split('\n');
}

/** What a ping with the key is answered. */
export const statusOf = async (host, key) => (await post(host.url, key, rpc('ping'))).status;
