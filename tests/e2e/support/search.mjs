// What the suites of search share: a helpdesk whose tenants have an agent, Ana, and a viewer, Vera.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { command, Desk, helpdeskForSuite, keyOf } from './helpdesk.mjs';

export const ANA = 'ana@acme.example';
export const VERA = 'vera@acme.example';
export const MEMBERS = [
  { email: ANA, name: 'Ana Lopez', role: 'agent' },
  { email: 'ben@acme.example', name: 'Ben Okafor', role: 'agent' },
  { email: VERA, name: 'Vera Lind', role: 'viewer' },
];

/** Starts a host around the tests of this describe(); what it returns is set when they run. */
export function searchSuite(...tenants) {
  const suite = {
    desk: async (tenant, owner = ANA) => new Desk(suite.host, await keyOf(suite.host, owner, tenant)),
    /** Takes everything of a tenant into the index. */
    reindex: async (tenant) => {
      const done = await command(suite.host, ['reindex', '--tenant', tenant], { limit: 120_000 });
      assert.equal(done.code, 0, done.stderr + done.stdout);
    },
    /** The same tests on what was just written and on what the index has taken in; each with a tenant of its own. */
    bothWays(name, tests) {
      describe(`${name}, just written`, () => tests(name, async () => {}));
      describe(`${name}, indexed`, () => tests(`${name}-indexed`, () => suite.reindex(`${name}-indexed`)));
    },
  };
  before(async () => {
    const all = tenants.flatMap((name) => [name, `${name}-indexed`]).map((name) => ({ name, members: MEMBERS }));
    Object.assign(suite, await helpdeskForSuite({ tenants: all }));
  });
  after(() => suite.stop?.());
  return suite;
}

/** A facet as a Map from value to count. */
export const countsOf = (facet) => new Map(facet.map(({ value, count }) => [value, count]));

/** Creates tickets from {name: [title, fields]}: {name: id}. */
export async function tickets(desk, texts) {
  const ids = {};
  for (const [name, [title, fields]] of Object.entries(texts)) ids[name] = await desk.ticket(title, fields);
  return ids;
}

/** Every hit of search_tickets, page by page: {ids, pages}. */
export async function allHits(desk, args) {
  const pages = [];
  let cursor;
  do {
    const page = await desk.ok('search_tickets', { ...args, ...(cursor && { cursor }) });
    pages.push(page);
    cursor = page.next_cursor;
  } while (cursor && pages.length < 200);
  return { pages, ids: pages.flatMap((page) => page.hits.map((hit) => hit.id)) };
}
