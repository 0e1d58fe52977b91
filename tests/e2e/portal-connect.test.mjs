// What the page of a new key says to paste into each assistant, copied with its button and used as the assistant does.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { arrive, openPage, signIn, startBrowser } from './support/browser.mjs';
import { overStdio } from './support/clients.mjs';
import { eventually, run } from './support/host.mjs';
import { ANA, aroundSuite, startPortal } from './support/portal.mjs';
import { post, rpc } from './support/raw.mjs';

const overHttp = (url, headers) => new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const overSse = (url, headers) => new SSEClientTransport(new URL(url), { requestInit: { headers } });

const ofFile = (text) => Object.values(JSON.parse(text).mcpServers)[0];
const valueOf = (text, name) => new RegExp(`^${name} +(\\S.*)$`, 'm').exec(text)[1];
const inQuotes = (text, name) => new RegExp(`"?${name}"? = "([^"]*)"`).exec(text)[1];

/** How each assistant reads what was pasted: a transport. */
const ASSISTANTS = {
  'Claude Code': (text) => {
    const { type, url, headers } = ofFile(text);
    return type === 'sse' ? overSse(url, headers) : overHttp(url, headers);
  },
  'Claude Desktop on macOS': (text, home) => overStdio(ofFile(text), home),
  'Claude Desktop on Windows': (text, home) => overStdio(ofFile(text), home),
  ChatGPT: (text) => overHttp(valueOf(text, 'Address'), { Authorization: `Bearer ${valueOf(text, 'API key')}` }),
  Codex: (text) => overHttp(inQuotes(text, 'url'), { 'X-API-Key': inQuotes(text, 'X-API-Key') }),
  Cursor: (text) => overHttp(ofFile(text).url, ofFile(text).headers),
  'VS Code': (text, _, key) => {
    const { inputs, servers } = JSON.parse(text);
    const [{ url, headers }] = Object.values(servers);
    assert.ok(!text.includes(key), 'the file is made to be shared');
    assert.equal(inputs[0].password, true);
    return overHttp(url, { 'X-API-Key': headers['X-API-Key'].replace(`\${input:${inputs[0].id}}`, key) });
  },
  Gemini: (text) => overHttp(ofFile(text).httpUrl, ofFile(text).headers),
  'Any other assistant': (text) => overSse(valueOf(text, 'URL'), { 'X-API-Key': valueOf(text, 'X-API-Key') }),
};

describe('portal: connect', { timeout: 120_000 }, () => {
  let suite;
  before(async () => {
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t)), ...(await startBrowser(t)) }));
  });
  after(() => suite.stop());

  test('what is pasted into each assistant works', async (t) => {
    const { host } = suite;
    const page = await openPage(t, suite.browser, { url: host.url });
    await signIn(page, ANA, { path: '/mcp/keys/new' });
    await page.getByLabel('Name').fill('To paste');
    await page.getByRole('button', { name: 'Create Key' }).click();
    await arrive(page, 'Copy your key now');
    const key = await page.getByLabel('Your API key').inputValue();
    await eventually('the key works', async () => (await post(host.url, key, rpc('ping'))).status === 200);

    const open = async (title) => {
      const card = page.locator('details').filter({ has: page.locator('summary', { hasText: title }) });
      await card.locator('summary').click();
      await card.getByRole('button', { name: `Copy for ${title}` }).click();
      return eventually(`what is for ${title} is copied`, async () => {
        const copied = await page.evaluate(() => navigator.clipboard.readText());
        return copied === (await card.locator('pre').innerText()).trimEnd() && copied;
      });
    };
    const shown = await page
      .locator('details > summary')
      .evaluateAll((all) => all.map(({ firstChild }) => firstChild.textContent.trim()));
    assert.deepEqual(shown.toSorted(), [...Object.keys(ASSISTANTS), 'curl'].toSorted(), 'each is tried');

    for (const [title, connect] of Object.entries(ASSISTANTS)) {
      await t.test(title, async () => {
        const home = join(host.directory, title.replaceAll(' ', '-'));
        await mkdir(home);
        const client = new Client({ name: title, version: '1' });
        await client.connect(connect(await open(title), home, key));
        const { tools } = await client.listTools();
        assert.ok(tools.some(({ name }) => name === 'create_ticket'));
        await client.close();
      });
    }
    await t.test('curl', async () => {
      const { code, stdout, stderr } = await run('bash', ['-c', await open('curl')]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /"name":"create_ticket"/);
    });
    assert.deepEqual(page.troubles, []);
  });
});
