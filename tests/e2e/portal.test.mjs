// The portal as a person uses it: sign in, make a key, use it, lose it; by mouse, keyboard, finger and without scripts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  arrive,
  finger,
  heading,
  keyboard,
  mouse,
  openPage,
  overflow,
  PHONE,
  rowOf,
  signIn,
  startBrowser,
} from './support/browser.mjs';
import { sdk1Http } from './support/clients.mjs';
import { eventually } from './support/host.mjs';
import { aroundSuite, somebody, startPortal } from './support/portal.mjs';
import { post, rpc, SseStream } from './support/raw.mjs';

const KEY = /^hdsk_[0-9A-Za-z]{32}$/;

/** Reloads until the page says so: what is counted is written with a delay of up to a second. */
const reloadUntil = (page, what, check) =>
  eventually(
    what,
    async () => {
      if (await check()) return true;
      await page.reload();
      return false;
    },
    { every: 150 },
  );

describe('portal', { timeout: 180_000 }, () => {
  let suite;
  before(async () => {
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t)), ...(await startBrowser(t)) }));
  });
  after(() => suite.stop());

  const open = (t, options) => openPage(t, suite.browser, { url: suite.host.url, ...options });

  async function create(page, hand, name) {
    await hand.click(page.getByRole('link', { name: 'Create New Key' }).first());
    await arrive(page, 'Create a new key');
    await hand.fill(page.getByLabel('Name'), name);
    await hand.click(page.getByRole('button', { name: 'Create Key' }));
    await arrive(page, 'Copy your key now');
    return page.getByLabel('Your API key').inputValue();
  }

  /** The whole life of a key. `hasScripts`: with the page's own script. */
  async function journey(t, page, hand, { hasScripts = true, look = async () => {} } = {}) {
    const { host } = suite;
    const name = `Of ${t.name}`.slice(0, 60);
    await page.goto('/mcp');
    await arrive(page, 'Connect your AI assistant');
    await look(page);
    await signIn(page, somebody(t), { hand });
    await arrive(page, 'Your API keys');
    await page.getByText('Connect your first assistant').waitFor();
    await look(page);

    const key = await create(page, hand, name);
    assert.match(key, KEY);
    await look(page);
    if (hasScripts) {
      await hand.click(page.getByRole('button', { name: 'Copy', exact: true }));
      await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor({ state: 'attached' });
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
    } else {
      assert.equal(
        await page.getByRole('button', { name: 'Copy', exact: true }).count(),
        0,
        'no button that does nothing',
      );
    }

    const client = await sdk1Http(host.url, key);
    t.after(() => client.close().catch(() => {}));
    const stream = await SseStream.connect(host.port, key);
    t.after(() => stream.close());
    assert.ok((await client.listTools()).some((tool) => tool.name === 'create_ticket'));
    const made = await client.callTool('create_ticket', { title: `Made with the key of ${name}` });
    assert.notEqual(made.isError, true);
    await client.callTool('list_tickets', {});

    await hand.click(page.getByRole('link', { name: 'I have stored it' }));
    await arrive(page, 'Your API keys');
    const mine = rowOf(page, name);
    await reloadUntil(
      page,
      'two calls are counted',
      async () => (await mine.getByRole('cell').nth(4).innerText()) === '2',
    );
    assert.match(await mine.getByRole('cell').nth(0).innerText(), new RegExp(`^${key.slice(0, 11)}…$`));
    assert.match(await mine.getByRole('cell').nth(1).innerText(), /Active/);
    assert.match(await mine.getByRole('cell').nth(3).innerText(), /just now|seconds? ago/);
    await look(page);

    await hand.click(mine.getByRole('link', { name: 'Delete' }));
    await arrive(page, `Delete “${name}”?`);
    assert.equal(await page.getByRole('dialog').count(), hasScripts ? 1 : 0);
    assert.match(await page.getByText('loses access').innerText(), /immediately/);
    await look(page);
    await hand.fill(page.getByLabel('Type the key’s name'), name);
    await hand.click(page.getByRole('button', { name: 'Delete this key' }));
    await page.getByText('The key is deleted').waitFor();
    const shown = performance.now();
    await eventually('the key is refused', async () => (await post(host.url, key, rpc('ping'))).status === 401, {
      limit: 1_000,
      every: 5,
    });
    await eventually('its stream is closed', () => stream.hasEnded, { limit: 1_000, every: 5 });
    t.diagnostic(`refused and closed ${(performance.now() - shown).toFixed(0)} ms after the page said so`);
    await assert.rejects(client.callTool('list_tickets', {}), /Invalid API key|401/);
    await page.getByText('Connect your first assistant').waitFor();
    assert.equal(await mine.count(), 0);
    assert.deepEqual(page.troubles, []);
    const known = [host.url, suite.provider.issuer];
    assert.deepEqual(
      page.seen.filter((url) => !known.includes(new URL(url).origin)),
      [],
    );
    return key;
  }

  test('by mouse', async (t) => {
    await journey(t, await open(t), mouse);
  });

  test('without JavaScript', async (t) => {
    await journey(t, await open(t, { javaScriptEnabled: false }), mouse, { hasScripts: false });
  });

  test('with the keyboard alone', async (t) => {
    await journey(t, await open(t), keyboard);
  });

  test('on a phone', async (t) => {
    await journey(t, await open(t, PHONE), finger, {
      look: async (page) => assert.equal(await overflow(page), undefined),
    });
  });

  test('a key is on one page only: not after a reload, not after going back', async (t) => {
    const page = await open(t);
    await signIn(page, somebody(t));
    const key = await create(page, mouse, 'Shown once');
    assert.match((await page.documents.at(-1).allHeaders())['cache-control'], /no-store/);
    const isGone = async () => !(await page.content()).includes(key);

    await page.reload(); // sends the form again
    await arrive(page, 'This key can no longer be displayed');
    assert.ok(await isGone());
    await mouse.click(page.getByRole('link', { name: 'Show my keys' }));
    await arrive(page, 'Your API keys');
    assert.equal(await rowOf(page, 'Shown once').count(), 1, 'the form made one key although it was sent twice');

    const second = await create(page, mouse, 'Shown and left');
    await page.getByRole('link', { name: 'I have stored it' }).click();
    await arrive(page, 'Your API keys');
    await page.goBack({ waitUntil: 'commit' }).catch(() => {});
    await eventually(
      'going back does not show the key',
      async () => !(await page.content().catch(() => second)).includes(second),
    );
    assert.equal(await page.locator('[data-secret]').count(), 0);
  });

  test('dialogs take the focus and give it back', async (t) => {
    const page = await open(t);
    await signIn(page, somebody(t));
    await create(page, mouse, 'With a dialog');
    await page.goto('/mcp/keys');
    const link = rowOf(page, 'With a dialog').getByRole('link', { name: 'Delete' });
    await keyboard.click(link);
    const dialog = page.getByRole('dialog', { name: 'Delete “With a dialog”?' });
    await dialog.waitFor();
    assert.ok(await dialog.evaluate((element) => element.contains(document.activeElement)));
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.ok(await link.evaluate((element) => element === document.activeElement));
    await link.click();
    await dialog.getByRole('link', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal(new URL(page.url()).pathname, '/mcp/keys');
  });

  test('the skip link is the first stop, and leads past the navigation', async (t) => {
    const page = await open(t);
    await signIn(page, somebody(t));
    await page.goto('/mcp/account');
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    assert.ok(await skip.evaluate((element) => element === document.activeElement));
    assert.ok((await skip.boundingBox()).y >= 0, 'it can be seen');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.querySelector('main').contains(document.activeElement)));
  });

  test('every host and browser finds the portal at /mcp, and MCP clients do not notice it', async (t) => {
    const { host } = suite;
    const page = await open(t);
    await page.goto('/');
    assert.ok(
      (await page.getByRole('link').count()) || /\/mcp/.test(await page.content()),
      'the root says where the portal is',
    );
    for (const accept of ['text/event-stream', '*/*', 'application/json', undefined]) {
      const answer = await fetch(`${host.url}/mcp`, { headers: accept ? { Accept: accept } : {} });
      const text = await answer.text();
      assert.ok(!/<html/i.test(text), `GET with Accept: ${accept} was answered a page`);
      assert.equal(answer.status, 401, `GET with Accept: ${accept}`);
    }
    for (const method of ['POST', 'DELETE']) {
      const answer = await fetch(`${host.url}/mcp`, {
        method,
        headers: { Accept: 'text/html', 'Content-Type': 'application/json' },
        body: '{}',
      });
      assert.equal(answer.status, 401, method);
      assert.match(answer.headers.get('content-type'), /json/);
      await answer.text();
    }
    const key = await host.key();
    const stream = await fetch(`${host.url}/mcp`, { headers: { Accept: 'text/event-stream', 'X-API-Key': key } });
    assert.ok([200, 400, 405].includes(stream.status), `${stream.status}`);
    assert.ok(!/html/.test(stream.headers.get('content-type')));
    await stream.body?.cancel();
    assert.equal((await post(host.url, key, rpc('ping'))).status, 200);
    assert.ok((await heading(page, 'Connect your AI assistant').count()) <= 1);
  });
});
