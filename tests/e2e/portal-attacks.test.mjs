// What attackers try on the portal, each tried and refused: planted sessions, foreign redirects, text that wants to be
// markup or a header, other people's keys, floods.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openPage, signIn, startBrowser } from './support/browser.mjs';
import { eventually, SLOWNESS, sql } from './support/host.mjs';
import {
  ANA,
  aroundSuite,
  BEN,
  EVE,
  everything,
  hiddenFields,
  PEOPLE,
  startPortal,
  VERA,
  Visitor,
  visitor,
} from './support/portal.mjs';
import { callTool, exchange, post, requestBytes, rpc } from './support/raw.mjs';

const FORM = { tenant: 'demo', expiry: 'never', scope: 'all' };
const MARKUP = [
  '<script>document.title="owned"</script>',
  '<img src=x onerror="document.title=\'owned\'">',
  '"><svg onload=document.title="owned">',
  '\' autofocus onfocus=\'document.title="owned"',
  'javascript:document.title="owned"',
  '</title><script>document.title="owned"</script>',
  '&lt;script&gt;',
  '<!--',
];

describe('portal: attacks', { timeout: 180_000 }, () => {
  let suite, ana, databaseUrl;
  before(async () => {
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t)), ...(await startBrowser(t)) }));
    ana = await visitor(suite.host, ANA);
    databaseUrl = await suite.host.command('db', 'url');
  });
  after(() => suite.stop());

  const state = () => everything(databaseUrl);
  const assertUnchanged = async (earlier) => assert.deepEqual(await state(), earlier, 'something was changed');

  test('a planted session id is not the one that signing in gives', async () => {
    const planted = Buffer.alloc(32, 7).toString('base64url');
    const victim = new Visitor(suite.host.url);
    victim.cookies.set('toolhost', planted);
    await victim.signIn(VERA);
    assert.notEqual(victim.session, planted);
    assert.equal(await victim.isSignedIn(), true);
    const attacker = new Visitor(suite.host.url);
    attacker.cookies.set('toolhost', planted);
    assert.equal(await attacker.isSignedIn(), false);

    // A real session of the attacker's own, planted: it ends, and the victim is not in the attacker's account.
    const own = await visitor(suite.host, EVE);
    const plantedSession = own.session;
    const second = new Visitor(suite.host.url);
    second.cookies.set('toolhost', plantedSession);
    await second.signIn(VERA);
    assert.notEqual(second.session, plantedSession);
    assert.match((await second.get('/mcp/account')).body, new RegExp(VERA));
    assert.equal(await own.isSignedIn(), false);
    const again = second.session;
    await second.signIn(VERA);
    assert.notEqual(second.session, again, 'every sign-in makes a new id');
  });

  const elsewhere = [
    '//evil.example',
    'https://evil.example/mcp',
    '/\\evil.example',
    '\\\\evil.example',
    '/mcp/../..//evil.example',
    '/mcp//evil.example',
    '%2f%2fevil.example',
    '/%2f%2fevil.example',
    '/mcp/%2f%2fevil.example',
    '/mcp\t//evil.example',
    '/mcp@evil.example',
    '/mcp.evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '/mcp\r\nLocation: https://evil.example',
    '/mcp%0d%0aLocation:%20https://evil.example',
    'mcp.evil.example',
    '/',
    '/etc',
    ' /mcp',
    '/mcp/sign-out',
    'http:evil.example',
    '/mcp?next=//evil.example',
    '/mcp/keys/../../\\evil.example',
  ];
  test('signing in leads to the portal, whatever the address asks for', async () => {
    for (const next of elsewhere) {
      const someone = new Visitor(suite.host.url);
      const page = await someone.get(`/mcp/sign-in?next=${encodeURIComponent(next)}`);
      const links = [...page.body.matchAll(/href="([^"]*)"/g)].map(([, href]) => href);
      assert.ok(
        links.every((href) => href.startsWith('/mcp') || href === '#main'),
        `${next}: ${links}`,
      );
      const start = await someone.get(`/mcp/sign-in/start?next=${encodeURIComponent(next)}`);
      assert.equal(new URL(start.location).origin, suite.provider.issuer);
    }
    for (const next of [...elsewhere.slice(0, 6), ...elsewhere.slice(13, 16)]) {
      const someone = new Visitor(suite.host.url);
      const start = someone.get.bind(someone);
      someone.get = (path) => start(path.replace('next=%2Fmcp%2Fkeys', `next=${encodeURIComponent(next)}`));
      const answer = await someone.signIn(ANA);
      assert.equal(answer.status, 303);
      const led = new URL(answer.location, suite.host.url);
      assert.equal(led.origin, suite.host.url, `${next} led to ${answer.location}`);
      assert.match(led.pathname, /^\/mcp(\/|$)/);
      assert.doesNotMatch(answer.location, /evil|\\|\/\//);
    }
  });

  test('the way back from the provider is ours, whatever Host says', async () => {
    const { host } = suite;
    const answer = await exchange(
      host.port,
      requestBytes('GET', '/mcp/sign-in/start', ['Host: evil.example', 'Accept: text/html', 'Connection: close']),
    );
    assert.ok(answer.status === 403 || answer.status === 421 || answer.status === 400, `${answer.status}`);
    assert.doesNotMatch(answer.headers, /evil/);
    const forwarded = await new Visitor(host.url).get('/mcp/sign-in/start', {
      headers: { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' },
    });
    assert.ok(!forwarded.location.includes('evil'));
  });

  test('names with line ends, controls and directions make no header and are refused', async () => {
    for (const name of [
      'a\r\nSet-Cookie: toolhost=planted',
      'a\nLocation: https://evil.example',
      'a\0b',
      'a\u202eb',
      '\u200b',
      '   ',
      '',
      'x'.repeat(61),
      '\u{1F600}'.repeat(61),
    ]) {
      const answer = await ana.submit('/mcp/keys/new', '/mcp/keys/new', { ...FORM, name });
      assert.equal(answer.status, 422, JSON.stringify(name));
      assert.equal(answer.headers.get('set-cookie'), null);
      assert.equal(answer.location, null);
      assert.match(answer.body, /Something is not right yet/);
    }
    const { id } = await ana.makeKey('Plain');
    const renamed = await ana.submit(`/mcp/keys/${id}/rename`, `/mcp/keys/${id}/rename`, {
      name: 'x\r\nSet-Cookie: a=b',
    });
    assert.equal(renamed.headers.get('set-cookie'), null);
    const stored = await sql(databaseUrl, "select count(*) from toolhost.api_keys where name ~ '[[:cntrl:]]'");
    assert.equal(stored, '0');
    for (const path of [
      '/mcp/keys/1%0d%0aSet-Cookie:x=y',
      '/mcp/team/a%0d%0ab/keys/1',
      '/mcp/sign-in?next=/mcp%0d%0aSet-Cookie:x=y',
      '/mcp/keys?done=%0d%0aX:y',
    ]) {
      const answer = await ana.get(path);
      assert.equal(answer.headers.get('set-cookie'), null, path);
      assert.equal(answer.headers.get('x'), null, path);
    }
  });

  test('names of keys, people and tickets that want to be markup stay text, on every page', async (t) => {
    const page = await openPage(t, suite.browser, { url: suite.host.url });
    suite.people[BEN] = '<script>document.title="owned"</script>';
    t.after(() => (suite.people[BEN] = PEOPLE[BEN]));
    await signIn(page, BEN);
    const ben = await visitor(suite.host, BEN);
    const ids = [];
    let lastKey;
    for (const name of MARKUP) {
      const { key, id } = await ben.makeKey(name);
      lastKey = key;
      ids.push(id);
      await eventually('the key works', async () => (await post(suite.host.url, key, rpc('ping'))).status === 200, {
        every: 5,
      });
      // Tools and arguments of a stranger's choice are counted and told as well.
      await post(suite.host.url, key, rpc('tools/call', { name, arguments: {} }));
    }
    await callTool(suite.host.url, lastKey, 'create_ticket', { title: MARKUP[0], description: MARKUP[1] });
    await fetch(`${suite.host.url}/mcp`, {
      method: 'POST',
      headers: { 'X-API-Key': '<script>document.title="owned"</script>"><img src=x onerror=alert(1)>' },
      body: '{}',
    }).then((answer) => answer.text());
    let isAsked = false;
    page.on('dialog', (dialog) => ((isAsked = true), dialog.dismiss()));
    await eventually(
      'the calls are counted',
      async () => (await sql(databaseUrl, 'select count(*) from toolhost.key_days')) !== '0',
    );
    const paths = [
      '/mcp/keys',
      '/mcp/activity',
      '/mcp/check',
      '/mcp/team',
      '/mcp/account',
      '/mcp/keys/new',
      '/mcp/sign-in?next=<script>',
    ];
    for (const id of ids)
      paths.push(
        ...['', '/rename', '/delete', '/replace'].map((part) => `/mcp/keys/${id}${part}`),
        `/mcp/activity?key=${id}`,
      );
    for (const path of paths) {
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.doesNotMatch(await page.title(), /^owned/, path);
      const foreign = await page.evaluate(() =>
        [
          ...document.querySelectorAll(
            'script:not([src^="/mcp/assets/"]), img, iframe, object, embed, svg[onload], [onfocus], [onerror], a[href^="javascript:" i], style, base',
          ),
        ].map((element) => element.outerHTML),
      );
      assert.deepEqual(foreign, [], path);
    }
    assert.equal(isAsked, false);
    assert.deepEqual(page.troubles, []);
    await page.goto('/mcp/keys');
    await page.getByRole('link', { name: MARKUP[0], exact: true }).waitFor(); // shown as it was written
    // In the dialog as well, which the script builds.
    await page
      .getByRole('row')
      .filter({ has: page.getByRole('link', { name: MARKUP[1], exact: true }) })
      .getByRole('link', { name: 'Delete' })
      .click();
    await page.getByRole('dialog').waitFor();
    assert.equal(await page.locator('img').count(), 0);
    assert.doesNotMatch(await page.title(), /^owned/);
  });

  test('the key of another person or tenant, in every form and address, is none', async () => {
    const eve = await visitor(suite.host, EVE);
    const { id: hers, key: herKey } = await eve.makeKey('Eve’s', { tenant: 'globex' });
    const { id: mine } = await ana.makeKey('Mine');
    const ben = await visitor(suite.host, BEN); // admin of the tenant of Ana, not of Eve's
    const earlier = await state();
    const attempts = [
      [ana, `/mcp/keys/${hers}`],
      [eve, `/mcp/keys/${mine}`],
      [ben, `/mcp/keys/${mine}`],
      [ben, `/mcp/keys/${hers}`],
      [ben, `/mcp/team/demo/keys/${hers}`],
      [ben, `/mcp/team/globex/keys/${hers}`],
      [ben, `/mcp/team/globex/keys/${mine}`],
      [eve, `/mcp/team/globex/keys/${mine}`],
      [eve, `/mcp/team/demo/keys/${mine}`],
      [ana, `/mcp/team/demo/keys/${mine}`],
    ];
    for (const [who, base] of attempts) {
      const { token } = hiddenFields((await who.get('/mcp/keys')).body, '/mcp/sign-out');
      const { once } = hiddenFields((await who.get('/mcp/keys/new')).body, '/mcp/keys/new');
      for (const part of ['', '/rename', '/delete', '/replace']) {
        const { status, body } = await who.get(base + part);
        assert.equal(status, 404, `GET ${base}${part}`);
        assert.ok(!body.includes('Eve’s') && !body.includes('Mine'), base);
      }
      for (const [part, fields] of [
        ['/rename', { name: 'Stolen' }],
        ['/delete', { confirm: 'Mine' }],
        ['/replace', { overlap: '0', once }],
      ]) {
        const answer = await who.ask(base + part, { method: 'POST', form: { token, ...fields } });
        assert.equal(answer.status, 404, `POST ${base}${part}`);
      }
    }
    for (const [who, id] of [
      [ana, hers],
      [eve, mine],
      [ben, mine],
    ])
      assert.equal((await who.get(`/mcp/activity?key=${id}`)).status, 404);
    assert.equal((await ben.get('/mcp/team?tenant=globex')).status, 404);
    assert.equal((await eve.get('/mcp/team?tenant=demo')).status, 404);
    const made = await ana.submit('/mcp/keys/new', '/mcp/keys/new', {
      ...FORM,
      tenant: 'globex',
      name: 'Into another tenant',
    });
    assert.equal(made.status, 422);
    const sessions = (
      await sql(
        databaseUrl,
        `select s.number from toolhost.portal_sessions s join toolhost.people p using (person_id) where p.email = '${EVE}'`,
      )
    ).split('\n');
    const { token } = hiddenFields((await ana.get('/mcp/keys')).body, '/mcp/sign-out');
    for (const number of sessions)
      await ana.ask(`/mcp/account/sessions/${number}/end`, { method: 'POST', form: { token } });
    assert.equal(await eve.isSignedIn(), true, 'nobody ends another’s session');
    for (const id of ['0', '-1', '1e9', '9223372036854775808', "1' or 1=1", '%2e%2e', '1/../2', ''])
      assert.ok((await ana.get(`/mcp/keys/${encodeURIComponent(id)}`)).status >= 400, id);
    await assertUnchanged(earlier);
    assert.equal((await post(suite.host.url, herKey, rpc('ping'))).status, 200);
  });

  test('a form sent twice, or many times at once, makes one key', async () => {
    const form = { ...hiddenFields((await ana.get('/mcp/keys/new')).body, '/mcp/keys/new'), ...FORM, name: 'Once' };
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => ana.ask('/mcp/keys/new', { method: 'POST', form })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409]);
    assert.equal(await sql(databaseUrl, "select count(*) from toolhost.api_keys where name = 'Once'"), '1');
    for (const { status, body } of answers) if (status === 409) assert.match(body, /can no longer be displayed/);
    const { id } = await ana.makeKey('Replaced once');
    const action = `/mcp/keys/${id}/replace`;
    const replace = { ...hiddenFields((await ana.get(action)).body, action), overlap: '3600' };
    const replaced = await Promise.all(
      Array.from({ length: 4 }, () => ana.ask(action, { method: 'POST', form: replace })),
    );
    assert.deepEqual(replaced.map(({ status }) => status).sort(), [200, 409, 409, 409]);
  });

  test('forms that are none: too large, of another kind, broken', async () => {
    const own = hiddenFields((await ana.get('/mcp/keys/new')).body, '/mcp/keys/new');
    const earlier = await state();
    const send = (body, type = 'application/x-www-form-urlencoded') =>
      ana.ask('/mcp/keys/new', { method: 'POST', body, headers: { 'Content-Type': type } });
    const form = new URLSearchParams({ ...own, ...FORM, name: 'No form' }).toString();
    for (const [body, type] of [
      [`${form}&x=${'y'.repeat(20_000)}`],
      [form, 'text/plain'],
      [form, 'multipart/form-data; boundary=x'],
      [JSON.stringify({ ...own, ...FORM }), 'application/json'],
      [`${form}&bad=%ff%zz`],
      [form + '&a=b'.repeat(4_000)],
      [''],
    ]) {
      const answer = await send(body, type);
      assert.ok([400, 403, 413, 422].includes(answer.status), `${type} ${body.slice(-40)}: ${answer.status}`);
    }
    await assertUnchanged(earlier);
  });

  test('a flood of pages is answered or put off, and tool calls do not wait behind it', async (t) => {
    const { host } = suite;
    const { key } = await ana.makeKey('Beside a flood');
    await eventually('the key works', async () => (await post(host.url, key, rpc('ping'))).status === 200);
    let isOver = false;
    const flood = Promise.all(Array.from({ length: 400 }, () => ana.get('/mcp/activity'))).finally(
      () => (isOver = true),
    );
    const times = [];
    while (!isOver) {
      const asked = performance.now();
      assert.equal((await post(host.url, key, rpc('ping'))).status, 200);
      times.push(performance.now() - asked);
    }
    const statuses = new Set();
    for (const { status, headers, body } of await flood) {
      statuses.add(status);
      if (status === 503) assert.ok(Number(headers.get('retry-after')) >= 1 && body.includes('<main id="main"'));
      else assert.equal(status, 200);
    }
    times.sort((a, b) => a - b);
    assert.deepEqual([...statuses].sort(), [200, 503]);
    assert.ok(times[times.length >> 1] < 500 * SLOWNESS, `half of the pings took more than ${times[times.length >> 1]} ms`);
    t.diagnostic(`answers ${[...statuses]}; slowest of ${times.length} pings ${times.at(-1).toFixed(0)} ms`);
    assert.equal((await ana.get('/mcp/keys')).status, 200);
  });
});
