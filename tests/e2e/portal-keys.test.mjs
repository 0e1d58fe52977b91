// What people do with their keys in the portal beside making and deleting them, and what they see of them.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { arrive, choice, createKey, openPage, rowOf, signIn, startBrowser } from './support/browser.mjs';
import { eventually, SLOWNESS, sql } from './support/host.mjs';
import { aroundSuite, BEN, EVE, somebody, startPortal, statusOf, visitor } from './support/portal.mjs';
import { callTool, post, rpc } from './support/raw.mjs';

const cell = (page, name, at) => rowOf(page, name).getByRole('cell').nth(at);
const within = (what, check, limit = 1_000) => eventually(what, check, { limit, every: 10 });

/** Files of a directory, at any depth, that hold the bytes. */
async function filesWith(directory, bytes) {
  const found = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const content = await readFile(file).catch(() => Buffer.alloc(0)); // PostgreSQL removes files as it goes
    if (content.includes(bytes)) found.push(file);
  }
  return found;
}

/** schema.table of every row that holds the text in any column, as text or as bytes. */
async function rowsWith(url, text) {
  const tables = await sql(
    url,
    "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  const looks = tables.split('\n').map((table) => {
    const sought = [text, Buffer.from(text).toString('hex')].map((part) => `position('${part}' in r::text) > 0`);
    return `select '${table}' from ${table} r where ${sought.join(' or ')}`;
  });
  return (await sql(url, `${looks.join('\nunion all\n')};`)).split('\n').filter(Boolean);
}

describe('portal: keys', { timeout: 240_000 }, () => {
  let suite;
  before(async () => {
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t)), ...(await startBrowser(t)) }));
  });
  after(() => suite.stop());

  const open = (t, options) => openPage(t, suite.browser, { url: suite.host.url, ...options });

  /** A page of somebody who has signed in. */
  async function pageOf(t, email = somebody(t)) {
    const page = await open(t);
    await signIn(page, email);
    return page;
  }

  test('renamed, and it goes on working', async (t) => {
    const page = await pageOf(t);
    const key = await createKey(page, 'Old name');
    await page.goto('/mcp/keys');
    await page.getByRole('link', { name: 'Old name', exact: true }).click();
    await arrive(page, 'Old name');
    await page.getByRole('link', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Név – ütemező ✓');
    await page.getByRole('button', { name: 'Save the name' }).click();
    await page.getByText('The key has its new name.').waitFor();
    await arrive(page, 'Név – ütemező ✓');
    assert.equal(await statusOf(suite.host, key), 200);
  });

  test('replaced with an overlap both work, replaced at once only the new one', async (t) => {
    const { host } = suite;
    const page = await pageOf(t);
    const first = await createKey(page, 'Twice');
    const replace = async (overlap) => {
      await page.goto('/mcp/keys');
      await rowOf(page, 'Twice').filter({ hasText: 'Active' }).getByRole('link', { name: 'Replace' }).click();
      await page.getByLabel(overlap).check();
      await page.getByRole('button', { name: 'Replace this key' }).click();
      await arrive(page, 'Copy your key now');
      return page.getByLabel('Your API key').inputValue();
    };
    const second = await replace('In an hour');
    await page.getByText('This key takes the place of the old one').waitFor();
    await within('the new key works', async () => (await statusOf(host, second)) === 200);
    assert.equal(await statusOf(host, first), 200);
    const third = await replace('At once');
    await within('the replaced key has ended', async () => [401, 403].includes(await statusOf(host, second)));
    assert.equal(await statusOf(host, third), 200);
    assert.equal(await statusOf(host, first), 200, 'its hour is not over');
    await page.goto('/mcp/keys');
    const states = [];
    for (const each of await rowOf(page, 'Twice').all())
      states.push(await each.getByRole('cell').nth(1).locator('.badge').innerText());
    assert.deepEqual(states, ['Active', 'Replaced', 'Being replaced']);
  });

  test('a key that expires says when, and a day that is over is refused', async (t) => {
    const page = await pageOf(t);
    await createKey(page, 'A month', ['30 days']);
    await page.goto('/mcp/keys');
    await page.getByRole('link', { name: 'A month', exact: true }).click();
    await arrive(page, 'A month');
    assert.match(
      await page
        .getByRole('definition')
        .filter({ hasText: /^in (29|30) days/ })
        .innerText(),
      /in (29|30) days/,
    );

    await page.goto('/mcp/keys/new');
    await page.getByLabel('Name').fill('Too late');
    await choice(page, 'On a day').check();
    await page.getByLabel(/^Last day/).fill('2020-01-31');
    await page.getByRole('button', { name: 'Create Key' }).click();
    const summary = page.getByRole('alert');
    await summary.getByRole('link', { name: 'Enter a day that is not over yet.' }).click();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'date');
    assert.equal(await page.getByLabel('Name').inputValue(), 'Too late', 'what was filled in is still there');
    const tomorrow = new Date(Date.now() + 36 * 3_600_000).toISOString().slice(0, 10);
    await page.getByLabel(/^Last day/).fill(tomorrow);
    await page.getByRole('button', { name: 'Create Key' }).click();
    await arrive(page, 'Copy your key now');
  });

  test('an expired key is refused, and the page says so', async (t) => {
    const { host } = suite;
    const page = await pageOf(t);
    const key = await createKey(page, 'Over', ['30 days']);
    assert.equal(await statusOf(host, key), 200);
    await sql(
      await host.command('db', 'url'),
      `update toolhost.api_keys set expires_at = now() - interval '1 s' where prefix = '${key.slice(0, 11)}'`,
    );
    await within('it is refused', async () => (await statusOf(host, key)) === 403, 3_000);
    await page.goto('/mcp/keys');
    assert.match(await cell(page, 'Over', 1).innerText(), /Expired/);
  });

  test('a key that may only look things up really cannot write; one of one plugin has only its tools', async (t) => {
    const { host } = suite;
    const page = await pageOf(t);
    const reader = await createKey(page, 'Reader', ['Only look things up']);
    await within('the key works', async () => (await statusOf(host, reader)) === 200);
    assert.notEqual((await callTool(host.url, reader, 'list_tickets', {})).isError, true);
    const refused = await post(
      host.url,
      reader,
      rpc('tools/call', { name: 'create_ticket', arguments: { title: 'no' } }),
    );
    assert.match(refused.message.error?.message ?? refused.body, /Unknown tool|Access denied/);

    const narrow = await createKey(page, 'Only tasks', [/^tasks/]);
    await within('the key works', async () => (await statusOf(host, narrow)) === 200);
    const { tools } = (await post(host.url, narrow, rpc('tools/list'))).message.result;
    assert.ok(tools.length > 0 && tools.every(({ name }) => /task/.test(name)), tools.map(({ name }) => name).join());
    await page.goto('/mcp/keys');
    await page.getByRole('link', { name: 'Reader', exact: true }).click();
    await page.getByText('Only look things up').waitFor();
  });

  test('as many keys as are allowed, then a sentence', async (t) => {
    const someone = await visitor(suite.host, somebody(t));
    const form = { tenant: 'demo', expiry: 'never', scope: 'all' };
    for (let number = 0; number < 20; number += 1) {
      const { status } = await someone.submit('/mcp/keys/new', '/mcp/keys/new', { ...form, name: `Key ${number}` });
      assert.equal(status, 200, `key ${number}`);
    }
    const refused = await someone.submit('/mcp/keys/new', '/mcp/keys/new', { ...form, name: 'One too many' });
    assert.equal(refused.status, 422);
    assert.match(refused.body, /20/);
  });

  test('the connection check shows a good key, a cut-off one and none, as they arrive', async (t) => {
    const { host } = suite;
    const page = await pageOf(t);
    const key = await createKey(page, 'Checked');
    await page.goto('/mcp/check');
    await arrive(page, 'Connection check');
    const live = page.locator('[data-live]');
    assert.equal(await statusOf(host, key), 200);
    const bearer = (text) =>
      fetch(`${host.url}/mcp`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${text}`, 'Content-Type': 'application/json' },
        body: rpc('ping'),
      });
    assert.equal((await bearer(key.slice(0, 31))).status, 401);
    await live.getByText('Your key “Checked” arrived in X-API-Key. It was accepted.').waitFor();
    await live.getByText(/arrived in Authorization\. It looks cut off: 31 of 37 characters\./).waitFor();
    assert.match(await live.innerText(), new RegExp(`…${key.slice(28, 31)}`));
    assert.equal((await bearer('hdsk_your_key_here')).status, 401);
    assert.equal(await statusOf(host, undefined), 401);
    await live.getByText('It is the placeholder of the example, not a key.').waitFor();
    await live.getByText('A request without a key arrived.').waitFor();
    assert.ok(!(await page.content()).includes(key.slice(0, 31)));
    // Without the script the page is the same, after a reload.
    const plain = await open(t, { javaScriptEnabled: false });
    await signIn(plain, somebody(t));
    await plain.goto('/mcp/check');
    await plain.getByText(/31 of 37 characters/).waitFor();
  });

  test('the check tells nobody the prefix of another’s key', async (t) => {
    const { host } = suite;
    const owner = await visitor(host, somebody(t));
    const { key } = await owner.makeKey('Secretive');
    const other = await visitor(host, EVE);
    await other.get('/mcp/check');
    await statusOf(host, key);
    await statusOf(host, `${key}x`);
    const { body } = await other.get('/mcp/check');
    assert.ok(!body.includes('Secretive') && !body.includes(key.slice(0, 11)));
  });

  test('the chart shows the calls, by day and by tool, and what failed', async (t) => {
    const { host } = suite;
    const page = await pageOf(t);
    const key = await createKey(page, 'Charted');
    for (let number = 0; number < 3; number += 1) await callTool(host.url, key, 'list_tickets', {});
    assert.equal((await callTool(host.url, key, 'get_ticket', { id: '000000' })).isError, true);
    await page.goto('/mcp/activity');
    await eventually(
      'the calls are counted',
      async () => {
        if (await page.getByRole('img', { name: '4 calls in the last 30 days, 1 of them failed' }).count()) return true;
        await page.reload();
        return false;
      },
      { every: 200 },
    );
    await page.getByLabel('Key', { exact: true }).selectOption({ index: 1 });
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByRole('img', { name: /^4 calls/ }).waitFor();
    assert.match(await page.getByRole('region', { name: 'By tool' }).innerText(), /list_tickets[\s\S]*3/);
    assert.match(
      await page.getByRole('region', { name: /not work lately/ }).innerText(),
      /get_ticket[\s\S]*the assistant was told why/,
    );
    await page.getByText('Show the figures').click();
    await page.getByRole('row').filter({ hasText: '4' }).first().waitFor();
  });

  test('a key is nowhere but in the answer that showed it', { timeout: 60_000 * SLOWNESS }, async (t) => {
    const { host } = suite;
    const page = await pageOf(t);
    const key = await createKey(page, 'Sought');
    const replacedPage = page.documents.at(-1);
    assert.match((await replacedPage.allHeaders())['cache-control'], /^no-store$/);
    await callTool(host.url, key, 'list_tickets', {});
    await fetch(`${host.url}/mcp`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}"`, 'X-API-Key': key },
      body: '{',
    });
    const pages = [
      '/mcp',
      '/mcp/keys',
      '/mcp/keys/new',
      '/mcp/activity',
      '/mcp/check',
      '/mcp/connect',
      '/mcp/account',
      '/mcp/nothing',
    ];
    await page.goto('/mcp/keys');
    const own = await rowOf(page, 'Sought').getByRole('rowheader').getByRole('link').getAttribute('href');
    const admin = await visitor(host, BEN);
    for (const path of [...pages, own, `${own}/delete`, `${own}/rename`, `${own}/replace`]) {
      await page.goto(path);
      assert.ok(!(await page.content()).includes(key), path);
    }
    for (const path of [...pages, '/mcp/team', `/mcp/team/demo${own.slice(4)}`]) {
      const { status, body, headers } = await admin.get(path);
      assert.ok([200, 404].includes(status), `${path} ${status}`);
      assert.ok(!body.includes(key) && !JSON.stringify([...headers]).includes(key), path);
    }
    assert.ok(
      page.seen.length > 20 && !page.seen.some((url) => decodeURIComponent(url).includes(key)),
      'in an address',
    );
    const state = await page.context().storageState({ indexedDB: true });
    assert.ok(!JSON.stringify(state).includes(key), 'in a cookie or the storage');
    const kept = await page.evaluate(async () => [
      { ...sessionStorage },
      { ...localStorage },
      history.state,
      document.referrer,
      await caches.keys(),
    ]);
    assert.deepEqual(kept.at(-1), []);
    assert.ok(!JSON.stringify(kept).includes(key));

    assert.ok(!host.log.includes(key), 'in the log');
    const session = state.cookies.find(({ name }) => name === 'toolhost').value;
    const code = /callback\?code=([\w-]+)/.exec(page.seen.join('\n'))[1];
    for (const secret of [session, code])
      assert.ok(!host.log.includes(secret), 'what signing in is made of, in the log');
    const url = await host.command('db', 'url');
    const counted = () => sql(url, `select usage_count from toolhost.api_keys where prefix = '${key.slice(0, 11)}'`);
    await eventually('its use is written', async () => (await counted()) === '1');
    assert.ok((await rowsWith(url, key.slice(0, 11))).length > 0, 'the search finds what is there');
    assert.deepEqual(await rowsWith(url, key), []);
    assert.deepEqual(await rowsWith(url, key.slice(5, 37)), []);
    for (const secret of [session, code]) assert.deepEqual(await rowsWith(url, secret), []);
    const bytes = Buffer.from(session, 'base64url').toString('hex');
    assert.deepEqual(
      (await rowsWith(url, session.slice(0, 20))).concat(await rowsWith(url, bytes)),
      [],
      'a session in clear',
    );
    await sql(url, 'checkpoint');
    assert.deepEqual(await filesWith(host.dataDir, Buffer.from(key)), []);
    assert.deepEqual(await filesWith(host.dataDir, Buffer.from(key.slice(11))), []);
    assert.ok((await filesWith(host.dataDir, Buffer.from(key.slice(0, 11)))).length > 0);
  });
});
