// Signing in when the provider, the network or somebody in between does not play fair. Nobody gets a session by it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, freePort, Host, SLOWNESS, sql } from './support/host.mjs';
import { ANA, aroundSuite, portalConfig, Visitor } from './support/portal.mjs';
import { exchange, requestBytes } from './support/raw.mjs';
import { jwt, makeKeyPair, ScriptedProvider } from './support/scripted-provider.mjs';

async function startScripted(t, options = {}) {
  const provider = await ScriptedProvider.start(t);
  const host = await Host.start(t, { config: portalConfig({ signIn: { issuer: provider.issuer }, ...options }) });
  return { host, provider };
}

/** A page in the portal's frame that says what to do; and there is nobody who has signed in. */
async function assertRefused(visitor, answer, words, status = 403) {
  const said = /<div role="alert">[\s\S]*?<\/div>/.exec(answer.body)?.[0].replaceAll('&#39;', "'") ?? answer.body;
  assert.equal(answer.status, status, said);
  assert.match(answer.body, /<main id="main"/);
  assert.match(answer.body, /Signing in did not work/);
  assert.match(said, words);
  assert.match(answer.body, /href="\/mcp\/sign-in\/start/, 'the way to try again');
  assert.match(answer.headers.get('content-security-policy'), /default-src 'none'/);
  assert.equal(visitor.session, undefined);
  assert.equal(await visitor.isSignedIn(), false);
}

describe('portal: sign-in', { timeout: 180_000 }, () => {
  let suite;
  before(async () => (suite = await aroundSuite(startScripted)));
  after(() => suite.stop());

  const begin = (visitor, script) => suite.provider.begin(visitor, ANA, script);
  const sessions = async () =>
    sql(await suite.host.command('db', 'url'), 'select count(*) from toolhost.portal_sessions').then(Number);

  test('a fair provider lets people in, and leads them where they wanted to go', async () => {
    const visitor = new Visitor(suite.host.url);
    const answer = await visitor.get(await begin(visitor));
    assert.equal(answer.status, 303, answer.body);
    assert.equal(answer.location, '/mcp/keys');
    assert.match(answer.headers.getSetCookie().join('\n'), /^toolhost=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax/m);
    assert.equal(await visitor.isSignedIn(), true);
    const { body } = await visitor.get('/mcp/account');
    assert.match(body, new RegExp(ANA.replaceAll('.', '\\.')));
  });

  test('another state, none, or one of another browser', async () => {
    const [visitor, other] = [new Visitor(suite.host.url), new Visitor(suite.host.url)];
    const asked = suite.provider.requests.filter((path) => path === '/token').length;
    const [mine, theirs] = [await begin(visitor), await begin(other)];
    const cookies = new Map(visitor.cookies);
    const stateOf = (url) => new URL(url).searchParams.get('state');
    for (const state of [stateOf(theirs), 'A'.repeat(43), '', `${stateOf(mine)}A`]) {
      visitor.cookies = new Map(cookies);
      await assertRefused(visitor, await visitor.get(mine.replace(stateOf(mine), state)), /another window or browser/);
    }
    const fresh = new Visitor(suite.host.url); // follows a link that an attacker began
    await assertRefused(fresh, await fresh.get(theirs), /another window or browser/);
    for (const value of ['', 'x', [...cookies.values()][0].slice(0, -2), [...other.cookies.values()][0]]) {
      visitor.cookies = new Map([['toolhost-signin', value]]);
      await assertRefused(visitor, await visitor.get(mine), /another window or browser/);
    }
    assert.equal(suite.provider.requests.filter((path) => path === '/token').length, asked, 'no code was redeemed');
  });

  test('two tabs at a time do not end each other', async () => {
    const visitor = new Visitor(suite.host.url);
    const [first, second] = [await begin(visitor), await begin(visitor)];
    assert.equal((await visitor.get(first)).status, 303);
    assert.equal((await visitor.get(second)).status, 303);
    assert.equal(await visitor.isSignedIn(), true);
  });

  test('the same way back twice', async () => {
    const visitor = new Visitor(suite.host.url);
    const callback = await begin(visitor);
    const cookies = new Map(visitor.cookies);
    assert.equal((await visitor.get(callback)).status, 303);
    const thief = new Visitor(suite.host.url);
    thief.cookies = cookies;
    await assertRefused(thief, await thief.get(callback), /completed already/);
  });

  test('two of the same way back at the same moment: one session', async () => {
    const visitor = new Visitor(suite.host.url);
    const callback = await begin(visitor);
    const cookies = new Map(visitor.cookies);
    const count = await sessions();
    const all = await Promise.all(
      Array.from({ length: 4 }, () => {
        const each = new Visitor(suite.host.url);
        each.cookies = new Map(cookies);
        return each.get(callback);
      }),
    );
    assert.deepEqual(all.map(({ status }) => status).sort(), [303, 403, 403, 403]);
    assert.equal(await sessions(), count + 1);
  });

  test('a code that the provider has seen before', async () => {
    const visitor = new Visitor(suite.host.url);
    const callback = await begin(visitor, {
      answer: [400, { error: 'invalid_grant', error_description: '<script>x</script>' }],
    });
    const answer = await visitor.get(callback);
    await assertRefused(visitor, answer, /was used already, or took too long/);
    assert.ok(!answer.body.includes('<script>x'));
  });

  const now = () => Math.floor(Date.now() / 1000);
  const sharedSecret = (secretOf) => (all, key) =>
    jwt(all, { alg: 'HS256', kid: key.kid, secret: secretOf(key.publicKey) });
  const unsigned = /cannot be read|not signed in a way that this server accepts/;
  const badTokens = [
    ['another nonce', { claims: { nonce: 'A'.repeat(43) } }, /belongs to another sign-in/],
    ['no nonce', { claims: { nonce: undefined } }, /belongs to another sign-in/],
    ['a foreign audience', { claims: { aud: 'other' } }, /issued for another application/],
    [
      'two audiences, for the other',
      { claims: { aud: ['toolhost', 'other'], azp: 'other' } },
      /issued for another application/,
    ],
    ['a foreign issuer', { claims: { iss: 'https://accounts.google.com' } }, /comes from another provider/],
    ['an end that is over', { claims: { iat: now() - 900, exp: now() - 120 } }, /has expired/],
    ['a beginning that is to come', { claims: { nbf: now() + 600 } }, /from the future/],
    ['a time that is to come', { claims: { iat: now() + 3_600, exp: now() + 7_200 } }, /from the future/],
    ['no end', { claims: { exp: undefined } }, /does not say when/],
    ['no subject', { claims: { sub: undefined } }, /does not say who/],
    [
      'an unknown signing key',
      { makeToken: (all) => jwt(all, { key: makeKeyPair('unknown') }) },
      /signing key is not known/,
    ],
    [
      'a foreign key by a known name',
      { makeToken: (all, { kid }) => jwt(all, { key: makeKeyPair(kid) }) },
      /signature is wrong/,
    ],
    ['alg none', { makeToken: (all) => jwt(all, { alg: 'none' }) }, unsigned],
    ['alg None and the name of a key', { makeToken: (all, { kid }) => jwt(all, { alg: 'None', kid }) }, unsigned],
    ['alg none and a signature', { makeToken: (all, key) => jwt(all, { alg: 'none', key }) }, unsigned],
    [
      'HS256 by the public key as PEM',
      { makeToken: sharedSecret((key) => key.export({ format: 'pem', type: 'spki' })) },
      unsigned,
    ],
    [
      'HS256 by the public key as DER',
      { makeToken: sharedSecret((key) => key.export({ format: 'der', type: 'spki' })) },
      unsigned,
    ],
    [
      'HS256 by the public key’s number',
      { makeToken: sharedSecret((key) => key.export({ format: 'jwk' }).n) },
      unsigned,
    ],
    [
      'a signature cut off',
      { makeToken: (all, key) => jwt(all, { key }).slice(0, -8) },
      /cannot be read|signature is wrong/,
    ],
    ['claims changed after signing', { makeToken: changed }, /signature is wrong/],
    ['nothing in it', { makeToken: () => 'x' }, /cannot be read/],
  ];
  function changed(all, key) {
    const [head, , signature] = jwt(all, { key }).split('.');
    return [head, jwt({ ...all, email: 'ben@acme.example' }).split('.')[1], signature].join('.');
  }
  for (const [what, script, words] of badTokens) {
    test(`a token with ${what}`, async () => {
      const visitor = new Visitor(suite.host.url);
      const [count, callback] = [await sessions(), await begin(visitor, script)];
      await assertRefused(visitor, await visitor.get(callback), words);
      assert.equal(await sessions(), count);
    });
  }

  for (const [what, claims] of Object.entries({
    'is not verified': { email_verified: false },
    'nobody says is verified': { email_verified: undefined },
    'is verified in words only': { email_verified: 'true' },
    'is missing': { email: undefined },
    'is two': { email: 'x@elsewhere.example, ana.lopez@acme.example' },
  })) {
    test(`an address that ${what}`, async () => {
      const visitor = new Visitor(suite.host.url);
      const answer = await visitor.get(await begin(visitor, { claims }));
      await assertRefused(visitor, answer, /has not verified your e-mail address|names no e-mail address/);
    });
  }

  test('the provider’s own refusals, in words of ours', async () => {
    const visitor = new Visitor(suite.host.url);
    const callback = async (fields) => {
      const url = new URL(await begin(visitor));
      for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
      return visitor.get(url.href);
    };
    await assertRefused(visitor, await callback({ error: 'access_denied' }), /You did not allow it/);
    const odd = await callback({
      error: '<script>alert(1)</script>',
      error_description: '<img src=x onerror=alert(1)>',
    });
    await assertRefused(visitor, odd, /said no/);
    assert.ok(!/alert\(1\)/.test(odd.body));
    await assertRefused(visitor, await callback({ iss: 'https://evil.example' }), /another sign-in provider/);
    await assertRefused(visitor, await callback({ code: '' }), /said no/);
  });

  test('answers that are none: 503, and what to do', async () => {
    for (const answer of [
      [500, { error: 'server_error' }],
      [200, []],
      [200, { id_token: 7 }],
      [302, {}],
    ]) {
      const visitor = new Visitor(suite.host.url);
      await assertRefused(visitor, await visitor.get(await begin(visitor, { answer })), /cannot be used now/, 503);
    }
  });

  test('where there is a provider, nobody signs in without it', async () => {
    const visitor = new Visitor(suite.host.url);
    const answer = await visitor.ask('/mcp/sign-in/local', { method: 'POST', form: { email: ANA } });
    assert.equal(answer.status, 404);
    assert.equal(await visitor.isSignedIn(), false);
  });

  test('another subject with the same address is another person', async () => {
    const [first, second] = [new Visitor(suite.host.url), new Visitor(suite.host.url)];
    const entered = await first.get(await begin(first, { claims: { sub: 'one' } }));
    assert.equal(entered.status, 303, entered.body);
    await first.makeKey('Of the first');
    await second.get(await begin(second, { claims: { sub: 'two' } }));
    const { body } = await second.get('/mcp/keys');
    assert.match(body, /Connect your first assistant/);
  });

  test('a cookie of an ended, invented or foreign session is nothing', async () => {
    for (const value of ['', 'x', 'A'.repeat(43), 'A'.repeat(5_000), "'; drop table people; --", '%00']) {
      const visitor = new Visitor(suite.host.url);
      visitor.cookies.set('toolhost', value);
      const answer = await visitor.get('/mcp/keys');
      assert.equal(answer.status, 303, value);
      assert.match(answer.location, /^\/mcp\/sign-in\?done=ended/);
    }
  });
});

describe('portal: a provider with troubles', { timeout: 120_000 }, () => {
  test('down, back again, with new keys, slow: each without a restart', async (t) => {
    const { host, provider } = await startScripted(t);
    await provider.close();
    const visitor = new Visitor(host.url);
    await assertRefused(visitor, await visitor.get('/mcp/sign-in/start'), /cannot be used now/, 503);

    await provider.open();
    await eventually('it is asked again', async () => (await visitor.get('/mcp/sign-in/start')).status === 303, {
      every: 200,
    });
    assert.equal((await visitor.get(await provider.begin(visitor, ANA))).status, 303);
    assert.equal(await visitor.isSignedIn(), true);

    provider.keys = [makeKeyPair('second')];
    const afterwards = new Visitor(host.url);
    assert.equal((await afterwards.get(await provider.begin(afterwards, ANA))).status, 303, 'a token of the new key');
    const old = new Visitor(host.url);
    const stale = await provider.begin(old, ANA, { makeToken: (all) => jwt(all, { key: makeKeyPair('first') }) });
    await assertRefused(old, await old.get(stale), /not accepted/);

    // As many at once as there are threads for it; whoever is signed in notices nothing.
    const asked = provider.requests.filter((path) => path === '/token').length;
    provider.isSilent = (path) => path === '/token';
    const waiting = Array.from({ length: 2 }, () => new Visitor(host.url));
    const callbacks = [];
    for (const each of waiting) callbacks.push(await provider.begin(each, ANA));
    const started = performance.now();
    const answers = waiting.map((each, number) => each.get(callbacks[number]));
    await eventually('they wait', () => provider.requests.filter((path) => path === '/token').length >= asked + 2);
    const looked = performance.now();
    assert.equal(await visitor.isSignedIn(), true);
    assert.ok(performance.now() - looked < 1_000 * SLOWNESS, `${performance.now() - looked} ms`);
    const slow = await Promise.all(answers);
    t.diagnostic(`told so after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    for (const [number, answer] of slow.entries())
      await assertRefused(waiting[number], answer, /cannot be used now/, 503);

    provider.isSilent = undefined;
    const endless = await provider.begin(afterwards, ANA, { answer: [200, { id_token: 'x'.repeat(300_000) }] });
    assert.equal((await afterwards.get(endless)).status, 503);

    const callback = await provider.begin(visitor, ANA);
    await provider.close();
    const downed = await visitor.get(callback);
    assert.equal(downed.status, 503);
    assert.equal(await visitor.isSignedIn(), true, 'the session that was there is not touched');
  });
});

describe('portal: the trial sign-in', { timeout: 120_000 }, () => {
  const trial = (more = {}) => portalConfig({ tenants: [{ name: 'demo' }], ...more });
  const enter = (visitor, options = {}) =>
    visitor.ask('/mcp/sign-in/local', {
      method: 'POST',
      form: { email: 'ana@acme.example', next: '/mcp/keys' },
      ...options,
    });

  test('on this computer only, and not from other sites', async (t) => {
    const host = await Host.start(t, { config: trial() });
    const visitor = new Visitor(host.url);
    assert.equal((await enter(visitor)).status, 303);
    assert.equal(await visitor.isSignedIn(), true);
    const stranger = new Visitor(host.url);
    for (const headers of [
      { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
      { Origin: undefined, 'Sec-Fetch-Site': 'cross-site' },
      { Origin: undefined, 'Sec-Fetch-Site': undefined },
    ])
      assert.equal((await enter(stranger, { headers })).status, 403);
    // A name of the attacker's that leads to this computer.
    const rebound = [
      'Host: evil.example',
      'Origin: http://evil.example',
      'Content-Type: application/x-www-form-urlencoded',
      'Accept: text/html',
    ];
    const answer = await exchange(
      host.port,
      requestBytes('POST', '/mcp/sign-in/local', rebound, 'email=ana@acme.example'),
    );
    assert.ok(answer.status >= 400, `${answer.status}`);
    assert.doesNotMatch(answer.headers, /set-cookie/i);
    assert.equal(stranger.session, undefined);
  });

  test('gone as soon as others could reach it, or a provider is there', async (t) => {
    const host = await Host.start(t, {
      config: trial({ http: { public_url: 'https://portal.example' } }),
      port: await freePort(),
    });
    const isOff = async (what) => {
      const visitor = new Visitor(`http://127.0.0.1:${host.port}`);
      const answer = await enter(visitor);
      assert.ok([403, 404].includes(answer.status), `${what}: ${answer.status}`);
      assert.equal(visitor.session, undefined);
      assert.ok(!(await visitor.get('/mcp')).body.includes('/mcp/sign-in/local'), what);
    };
    await isOff('a public address');
    const cases = {
      'a trusted proxy': trial({ http: { trusted_proxies: ['127.0.0.1'] } }),
      'a name of its own': trial({ http: { allowed_hosts: ['portal.example'] } }),
      'the switch': trial({ portal: { local_sign_in: 'off' } }),
      'every network': trial({ http: { address: '0.0.0.0' } }),
    };
    for (const [what, config] of Object.entries(cases)) {
      await host.stop();
      host.options.config = config;
      await host.launch(0);
      await isOff(what);
    }
  });
});
