// Forms that other sites send in somebody's name: without a token, with another's, from another origin. None changes
// anything.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openPage, signIn, startBrowser } from './support/browser.mjs';
import { ANA, aroundSuite, everything, hiddenFields, startPortal, VERA, visitor } from './support/portal.mjs';

const FORM = { tenant: 'demo', expiry: 'never', scope: 'all' };

/** Every form of somebody with one key: [path of the page, action, fields]. */
const formsOf = (id) => [
  ['/mcp/keys/new', '/mcp/keys/new', { ...FORM, name: 'Forged' }],
  [`/mcp/keys/${id}/rename`, `/mcp/keys/${id}/rename`, { name: 'Forged' }],
  [`/mcp/keys/${id}/delete`, `/mcp/keys/${id}/delete`, {}],
  [`/mcp/keys/${id}/replace`, `/mcp/keys/${id}/replace`, { overlap: '0' }],
  ['/mcp/account', '/mcp/account/sign-out-everywhere', {}],
  ['/mcp/keys', '/mcp/sign-out', {}],
];

describe('portal: forms of other sites', { timeout: 120_000 }, () => {
  let suite, ana, databaseUrl;
  before(async () => {
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t)), ...(await startBrowser(t)) }));
    ana = await visitor(suite.host, ANA);
    databaseUrl = await suite.host.command('db', 'url');
  });
  after(() => suite.stop());

  const state = () => everything(databaseUrl);
  const assertUnchanged = async (earlier) => assert.deepEqual(await state(), earlier, 'something was changed');

  const send = (action, fields, headers) => ana.ask(action, { method: 'POST', form: fields, headers });

  test('without a token, with another’s, or with one from elsewhere', async () => {
    const { id } = await ana.makeKey('Wanted by others');
    const vera = await visitor(suite.host, VERA);
    const earlier = await state();
    for (const [page, action, fields] of formsOf(id)) {
      const own = hiddenFields((await ana.get(page)).body, action);
      const { token: foreign } = hiddenFields((await vera.get('/mcp/keys')).body, '/mcp/sign-out');
      for (const token of [undefined, '', foreign, `${own.token}A`, own.token.slice(1), own.once ?? 'once']) {
        const sent = { ...own, ...fields, token };
        if (token === undefined) delete sent.token;
        const answer = await send(action, sent, {});
        assert.equal(answer.status, 403, `${action} with the token ${token}`);
        assert.match(answer.body, /The form is out of date/);
        assert.match(answer.body, /<main id="main"/);
      }
    }
    await assertUnchanged(earlier);
  });

  test('with the right token, but from another origin', async () => {
    const { id } = await ana.makeKey('Wanted elsewhere');
    const earlier = await state();
    const { host } = suite;
    const foreign = [
      { Origin: 'https://evil.example' },
      { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' },
      { Origin: host.url, 'Sec-Fetch-Site': 'cross-site' },
      { Origin: host.url, 'Sec-Fetch-Site': 'same-site' },
      { Origin: undefined, 'Sec-Fetch-Site': 'none' },
      { Origin: undefined, 'Sec-Fetch-Site': undefined },
      { Origin: 'null', 'Sec-Fetch-Site': undefined },
      { Origin: `http://localhost:${host.port}`, 'Sec-Fetch-Site': undefined },
      { Origin: `${host.url}.evil.example`, 'Sec-Fetch-Site': undefined },
      { Origin: host.url.replace('http:', 'https:'), 'Sec-Fetch-Site': undefined },
    ];
    for (const [page, action, fields] of formsOf(id)) {
      const own = hiddenFields((await ana.get(page)).body, action);
      for (const headers of foreign) {
        const answer = await send(action, { ...own, ...fields }, { 'Sec-Fetch-Site': undefined, ...headers });
        assert.equal(answer.status, 403, `${action} ${JSON.stringify(headers)}`);
      }
    }
    await assertUnchanged(earlier);
  });

  test('from a page of another site in the same browser', async (t) => {
    const page = await openPage(t, suite.browser, { url: suite.host.url });
    await signIn(page, ANA);
    const earlier = await state();
    // The provider's host is another site; whatever it sends, the browser says so or leaves the cookie at home.
    await page.context().route('http://localhost:1/evil', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" action="${suite.host.url}/mcp/account/sign-out-everywhere"><button>Win a prize</button></form>`,
      }),
    );
    await page.goto('http://localhost:1/evil');
    await page.getByRole('button').click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    assert.match(await page.content(), /another site|Connect your AI assistant/);
    await assertUnchanged(earlier);
    await page.goto(`${suite.host.url}/mcp/keys`);
    await page.getByRole('heading', { name: 'Your API keys' }).waitFor();
  });

  test('what is asked with GET changes nothing', async () => {
    const { id } = await ana.makeKey('Asked for');
    const earlier = await state();
    for (const [, action, fields] of formsOf(id)) await ana.get(`${action}?${new URLSearchParams(fields)}`);
    await assertUnchanged(earlier);
    assert.equal((await ana.get('/mcp/sign-out')).status, 405);
  });

  test('no page lets itself be framed or its forms be sent elsewhere', async () => {
    for (const path of ['/mcp', '/mcp/sign-in', '/mcp/keys', '/mcp/keys/new', '/mcp/account', '/mcp/nothing']) {
      const { headers } = await ana.get(path);
      const policy = headers.get('content-security-policy');
      for (const rule of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "script-src 'self'",
      ])
        assert.ok(policy.includes(rule), `${path}: ${rule}`);
      assert.ok(!/unsafe|\*|data:|https?:/.test(policy), policy);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('access-control-allow-origin'), null);
    }
  });
});
