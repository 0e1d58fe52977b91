// A small organisation that has used the portal for a month: what the pictures of the documentation show.
import { eventually, Host, sleep, sql } from './host.mjs';
import { Dice } from './random.mjs';
import { callTool, post, rpc } from './raw.mjs';

export const ANA = 'ana.lopez@acme.example';
export const BEN = 'ben.okafor@acme.example';
export const VERA = 'vera.lindqvist@acme.example';
/** Has no key yet. */
export const NOOR = 'noor.haddad@acme.example';
/** Looks like a key and is none: what pictures show instead of one. */
export const SHOWN_KEY = 'hdsk_aBcDeFgHiJkLmNoPqRsTuVwXyZ123456';

const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';
const SAFARI = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1';

const config = ({ portal = {}, http = {} } = {}) =>
  JSON.stringify({
    http,
    mcp: { title: 'Acme HelpDesk' },
    portal: { support: 'Ask the IT desk in room 204, or call 555-0100, for access.', ...portal },
    tenants: [
      {
        name: 'acme',
        title: 'Acme Inc.',
        time_zone: 'Europe/Berlin',
        members: [
          { email: ANA, name: 'Ana Lopez', role: 'admin' },
          { email: BEN, name: 'Ben Okafor', role: 'agent' },
          { email: VERA, name: 'Vera Lindqvist', role: 'viewer' },
          { email: NOOR, name: 'Noor Haddad', role: 'agent' },
        ],
      },
      {
        name: 'globex',
        title: 'Globex Corporation',
        time_zone: 'America/New_York',
        members: [{ email: ANA, name: 'Ana Lopez', role: 'agent' }],
      },
    ],
  });

/** A host with the organisation's tenants and people, with local sign-in and nobody's keys. */
export const startOrganisation = (t, sections) => Host.start(t, { config: config(sections) });

/** Somebody who uses the portal without a browser: signs in, fills in forms. */
export class Visitor {
  static async signIn(host, email, userAgent = FIREFOX) {
    const visitor = new Visitor();
    Object.assign(visitor, { url: host.url, headers: { Accept: 'text/html', 'User-Agent': userAgent } });
    const answer = await visitor.post('/mcp/sign-in/local', { email, next: '/mcp/keys' });
    visitor.headers.Cookie = answer.headers.get('set-cookie').split(';')[0];
    return visitor;
  }

  async get(path) {
    return (await fetch(this.url + path, { headers: this.headers })).text();
  }

  post(path, fields) {
    return fetch(this.url + path, {
      method: 'POST',
      redirect: 'manual',
      headers: { ...this.headers, Origin: this.url },
      body: new URLSearchParams(fields),
    });
  }

  /** Sends the form of a page with these fields and its hidden ones: the page that answers. */
  async submit(path, fields) {
    const page = await this.get(path);
    const hidden = (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1];
    const answer = await this.post(path, { token: hidden('token'), once: hidden('once') ?? '', ...fields });
    return answer.text();
  }

  /** A new key: its text. */
  async createKey(name, fields = {}) {
    const page = await this.submit('/mcp/keys/new', { name, tenant: 'acme', expiry: 'never', scope: 'all', ...fields });
    return keyOn(page);
  }

  /** The new key that takes the place of the key of this name. */
  async replaceKey(name, overlap) {
    const path = new RegExp(`href="(/mcp/keys/\\d+)">${name}<`).exec(await this.get('/mcp/keys'))[1];
    return keyOn(await this.submit(`${path}/replace`, { overlap }));
  }
}

function keyOn(page) {
  const key = /value="(hdsk_[0-9A-Za-z]{32})"/.exec(page)?.[1];
  if (!key) throw new Error(`no key on the page: ${page.replace(/<[^>]*>/g, ' ').slice(0, 2000)}`);
  return key;
}

/** Everything that the pictures show: {keys: {name: text}}. Takes some ten seconds. */
export async function populate(host) {
  const keys = await makeKeys(host);
  await makeCalls(host, keys);
  await untilCounted(host);
  await host.command('key', 'disable', keys['Trial of a browser plugin'].slice(0, 11));
  await refused(host, keys['Trial of a browser plugin']);
  await makePast(host);
  await host.command('key', 'create', '--tenant', 'acme', '--name', 'Nightly report', '--scope', 'read');
  const first = /hdsk_\w{6}/.exec(host.output)?.[0];
  if (first) await host.command('key', 'delete', first);
  return { keys };
}

/** Oldest first, as the list has them the other way round. */
const KEYS = (soon) => [
  [ANA, 'Claude Desktop'],
  [BEN, 'Claude Desktop'],
  [ANA, 'Weekly report', { scope: 'read', expiry: '365' }],
  [ANA, 'Claude Code'],
  [ANA, 'ChatGPT'],
  [ANA, 'Old laptop', { expiry: '30' }],
  [ANA, 'Trial of a browser plugin'],
  [VERA, 'Gemini CLI', { scope: 'read' }],
  [ANA, 'Claude Desktop for Globex', { tenant: 'globex' }],
  [BEN, 'Cursor'],
  [ANA, 'Workshop in Lisbon', { expiry: 'date', date: soon }],
  [ANA, 'VS Code'],
];

async function makeKeys(host) {
  const visitors = {};
  for (const email of [ANA, BEN, VERA]) visitors[email] = await Visitor.signIn(host, email);
  await Visitor.signIn(host, ANA, SAFARI);
  const keys = {};
  const soon = new Date(Date.now() + 4 * 86_400_000).toISOString().slice(0, 10);
  for (const [email, name, fields] of KEYS(soon))
    keys[email === ANA ? name : `${name} of ${email}`] = await visitors[email].createKey(name, fields);
  keys['Claude Code, new'] = await visitors[ANA].replaceKey('Claude Code', '86400');
  return keys;
}

async function makeCalls(host, keys) {
  const call = (name, tool, args) => callTool(host.url, keys[name], tool, args);
  await sleep(1000); // until every host knows the keys: none may be refused, the pictures would show it
  const { ticket } = (
    await call('Claude Desktop', 'create_ticket', {
      title: 'The printer on the 3rd floor does not print',
      priority: 'high',
    })
  ).structuredContent;
  await call('Claude Desktop', 'add_note', { id: ticket.id, body: 'New toner is ordered.' });
  await call('Claude Desktop', 'create_task', { title: 'Order toner' });
  await call('Claude Desktop', 'get_ticket', { id: '000000' });
  await call('Claude Desktop', 'set_ticket_status', { id: ticket.id, status: 'done' });
  await call('Claude Desktop', 'search_tickets', { query: 'printer' });
  await call('Claude Code', 'search_tickets', { query: 'printer' });
  await call('Claude Code, new', 'list_tickets', {});
  await call('ChatGPT', 'list_tickets', {});
  await call('Claude Desktop for Globex', 'create_ticket', { title: 'A laptop for the new colleague' });
  await call('Weekly report', 'list_tickets', { status: 'all' });
  await post(
    host.url,
    keys['Weekly report'],
    rpc('tools/call', { name: 'create_ticket', arguments: { title: 'Summary' } }),
  );
  await call('Trial of a browser plugin', 'list_tickets', {});
  for (const name of [`Claude Desktop of ${BEN}`, `Gemini CLI of ${VERA}`]) await call(name, 'list_tickets', {});
}

async function untilCounted(host) {
  await eventually('the calls are counted', async () =>
    Number(await sql(await host.command('db', 'url'), 'select count(*) from toolhost.key_days')) >= 12,
  );
}

const refused = (host, key) =>
  eventually('the key is refused', async () => (await post(host.url, key, rpc('ping'))).status === 403);

/** Days of use that were before today: days ago, calls a day, and which tools. */
const PAST = [
  ['Claude Desktop', ANA, 29, 26, { search_tickets: 5, list_tickets: 3, get_ticket: 4, create_ticket: 2, add_note: 2 }],
  ['ChatGPT', ANA, 18, 9, { search_tickets: 3, get_ticket: 2, list_tasks: 1 }],
  ['Claude Code', ANA, 24, 12, { search_tickets: 2, get_ticket: 3, create_task: 2 }],
  ['Claude Desktop for Globex', ANA, 12, 6, { list_tickets: 3, create_ticket: 1 }],
  ['Weekly report', ANA, 28, 4, { list_tickets: 1 }],
  ['Old laptop', ANA, 29, 5, { list_tickets: 2, get_ticket: 1 }],
  ['Claude Desktop', BEN, 27, 18, { list_tickets: 3, add_reply: 4, set_ticket_status: 2 }],
  ['Gemini CLI', VERA, 20, 7, { search_tickets: 3, get_ticket: 1 }],
];

/** When keys were made and last used: days ago. A key without its second number was used today, or never. */
const AGES = [
  ['Claude Desktop', NOOR, 101],
  ['Claude Desktop', ANA, 96],
  ['ChatGPT', ANA, 41, 0.13],
  ['Claude Code', ANA, 60, 0.021],
  ['Claude Desktop for Globex', ANA, 14, 0.9],
  ['Weekly report', ANA, 64, 1.1],
  ['Trial of a browser plugin', ANA, 31, 3],
  ['Workshop in Lisbon', ANA, 2],
  ['VS Code', ANA, 0.3],
  ['Old laptop', ANA, 33, 5.2],
  ['Claude Desktop', BEN, 80, 0.05],
  ['Cursor', BEN, 5],
  ['Gemini CLI', VERA, 20, 1.4],
];

async function makePast(host) {
  const dice = new Dice(7);
  const statements = ['set search_path = toolhost;'];
  const where = (name, owner) => `name = '${name}' and owner = '${owner}' and replaced_by is null`;
  for (const [name, owner, since, most, tools] of PAST)
    for (let ago = since; ago >= 1; --ago) {
      const isWeekend = [0, 6].includes(new Date(Date.now() - ago * 86_400_000).getUTCDay());
      if (isWeekend && dice.chance(0.8)) continue;
      if (name === 'Old laptop' && ago < 4) continue;
      for (let left = dice.integer(1, most); left > 0; ) {
        const calls = dice.integer(1, Math.min(left, 9));
        const errors = dice.chance(0.12) ? 1 : 0;
        left -= calls;
        statements.push(
          `insert into key_days select key_id, (now() at time zone 'UTC')::date - ${ago}, '${dice.weighted(tools)}', ` +
            `${calls}, ${errors} from api_keys where name = '${name}' and owner = '${owner}' ` +
            `order by key_id limit 1 on conflict (key_id, day, tool) do update ` +
            `set calls = key_days.calls + excluded.calls, errors = key_days.errors + excluded.errors;`,
        );
      }
    }
  statements.push(
    'update api_keys k set usage_count = (select coalesce(sum(calls), 0) from key_days d where d.key_id = k.key_id);',
  );
  for (const [name, owner, made, used] of AGES)
    statements.push(
      `update api_keys set created_at = now() - interval '1 day' * ${made}` +
        `${used === undefined ? '' : `, last_used_at = now() - interval '1 day' * ${used}`} where ` +
        `${name === 'Claude Code' ? `name = '${name}' and replaced_by is not null` : where(name, owner)};`,
    );
  statements.push(
    `update api_keys set expires_at = now() - interval '4 days' where name = 'Old laptop';`,
    `update portal_sessions set created_at = now() - interval '2 days', last_seen_at = now() - interval '3 hours' ` +
      `where user_agent like '%iPhone%';`,
  );
  await sql(await host.command('db', 'url'), statements.join('\n'));
}
