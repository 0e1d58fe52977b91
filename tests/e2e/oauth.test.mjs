// Access tokens of OAuth 2.1: what is let in, and how each refusal looks to a client. The issuer does as it is told.
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { eventually, freePort, Host, SLOWNESS } from './support/host.mjs';
import { JSON_HEADERS, modern, post, rpc } from './support/raw.mjs';
import { jwt, makeKeyPair, ScriptedProvider } from './support/scripted-provider.mjs';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
/** Where clients look for an authorization server; none of it is here. */
const ELSEWHERE = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-authorization-server/mcp',
  '/.well-known/openid-configuration',
  '/.well-known/openid-configuration/sse',
  '/mcp/.well-known/openid-configuration',
  `${WELL_KNOWN}/`,
  `${WELL_KNOWN}/messages`,
  '/register',
  '/authorize',
  '/token',
];

const base64url = (value) => Buffer.from(value).toString('base64url');
const signed = (text, privateKey) => sign('sha256', Buffer.from(text), privateKey).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

class Suite {
  static async start(t) {
    const suite = new Suite();
    suite.issuer = await ScriptedProvider.start(t);
    suite.port = await freePort();
    suite.resource = `http://127.0.0.1:${suite.port}/mcp`;
    suite.host = await Host.start(t, {
      port: suite.port,
      config: `
keys: {failed_sign_ins: 1000}
authorization:
  resource: ${suite.resource}
  scopes_supported: [tickets:read]
  issuers:
    - issuer: ${suite.issuer.issuer}
      tenant: {claim: org, values: {demo-inc: demo}}
      role: {claim: groups, values: {readers: viewer}, default: agent}
      scopes:
        tickets:read: {tools: ["tickets.*"], read_only: true}
        tickets:write: {tools: ["tickets.*"]}
`,
    });
    suite.url = suite.host.url;
    suite.key = await suite.host.key();
    return suite;
  }

  claims(changes = {}) {
    const all = {
      iss: this.issuer.issuer,
      sub: 'ana',
      aud: this.resource,
      org: 'demo-inc',
      scope: 'tickets:read tickets:write',
      iat: now(),
      exp: now() + 600,
      ...changes,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }
  token(changes = {}, how = {}) {
    return jwt(this.claims(changes), { key: this.issuer.keys[0], ...how });
  }
  /** A token with a header of its own, signed as the issuer signs. */
  tokenWith(header, changes) {
    const payload = this.token(changes).split('.')[1];
    const { privateKey } = this.issuer.keys[0];
    const text = `${base64url(JSON.stringify({ alg: 'RS256', kid: 'first', ...header }))}.${payload}`;
    return `${text}.${signed(text, privateKey)}`;
  }
  send(token, body = rpc('ping'), options = {}) {
    return post(this.url, undefined, body, { ...options, headers: { Authorization: `Bearer ${token}`, ...options.headers } });
  }
}

const call = (name, args = {}) => rpc('tools/call', { name, arguments: args });

describe('oauth: access tokens', { timeout: 240_000 }, () => {
  let suite;
  const cleanups = [];
  before(async () => (suite = await Suite.start({ after: (cleanup) => cleanups.push(cleanup) })));
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const metadataUrl = (path) => `${new URL(suite.resource).origin}${WELL_KNOWN}${path}`;
  const challengeOf = (answer) => answer.headers.get('www-authenticate');

  test('the host describes itself, and nothing else is where clients look', async () => {
    for (const [path, resource] of [
      [`${WELL_KNOWN}/mcp`, suite.resource],
      [`${WELL_KNOWN}/sse`, suite.resource.replace('/mcp', '/sse')],
      [WELL_KNOWN, suite.resource],
    ]) {
      const answer = await fetch(suite.url + path);
      assert.equal(answer.status, 200, path);
      assert.match(answer.headers.get('content-type'), /^application\/json/);
      assert.deepEqual(await answer.json(), {
        resource,
        authorization_servers: [suite.issuer.issuer],
        scopes_supported: ['tickets:read'],
        bearer_methods_supported: ['header'],
      });
    }
    for (const path of ELSEWHERE) {
      for (const method of ['GET', 'POST']) {
        const answer = await fetch(suite.url + path, { method });
        assert.equal(answer.status, 404, `${method} ${path}`);
        assert.equal((await answer.json()).error, 'not_found');
        assert.equal(challengeOf(answer), null);
      }
    }
  });

  test('whoever has no credential is told where to get one', async () => {
    for (const [method, path] of [
      ['POST', '/mcp'],
      ['GET', '/mcp'],
      ['DELETE', '/mcp'],
      ['GET', '/sse'],
      ['POST', '/sse'],
      ['POST', '/messages?sessionId=x'],
    ]) {
      const answer = await fetch(suite.url + path, {
        method,
        headers: { ...JSON_HEADERS, Accept: 'text/event-stream, application/json' },
        ...(method === 'POST' && { body: rpc('ping') }),
      });
      assert.equal(answer.status, 401, `${method} ${path}`);
      const at = path === '/mcp' ? '/mcp' : '/sse';
      assert.equal(challengeOf(answer), `Bearer resource_metadata="${metadataUrl(at)}", scope="tickets:read"`);
      await answer.text();
    }
  });

  test('a wrong key never begins a sign-in', async () => {
    const wrong = [
      { 'X-API-Key': 'hdsk_wrong' },
      { 'X-API-Key': 'anything' },
      { 'X-API-Key': 'hdsk_wrong', Authorization: `Bearer ${suite.token()}` },
      { Authorization: 'Bearer hdsk_wrong' },
      { Authorization: `Bearer hdsk_${'a'.repeat(32)}` },
      { Authorization: 'Basic aGRzazp4' },
    ];
    for (const headers of wrong) {
      const answer = await post(suite.url, undefined, rpc('ping'), { headers });
      assert.equal(answer.status, 401, JSON.stringify(headers));
      assert.equal(challengeOf(answer), 'ApiKey realm="toolhost"');
      assert.equal(answer.message.error, 'invalid_api_key');
    }
    const bearer = await post(suite.url, undefined, rpc('ping'), { headers: { Authorization: `Bearer ${suite.key}` } });
    assert.equal(bearer.status, 200);
    assert.equal((await post(suite.url, suite.key, rpc('ping'))).status, 200);
  });

  test('a good token calls a tool, over every transport, as the person and role that it names', async () => {
    const token = suite.token();
    const answer = await suite.send(token, call('create_ticket', { title: 'by token' }));
    assert.equal(answer.status, 200, answer.body);
    assert.notEqual(answer.message.result.isError, true, answer.body);
    const sse = suite.token({ aud: suite.resource.replace('/mcp', '/sse') });
    assert.equal((await suite.send(sse, rpc('ping'), { path: '/sse' })).status, 200);
    await eventually('the audit knows who called', async () =>
      /"key":"oauth_[\w-]{6}"/.test(await suite.host.command('audit', 'list', '--tenant', 'demo', '--json')),
    );
    assert.doesNotMatch(suite.host.log, new RegExp(token.split('.')[2]), 'no token in the log');

    const viewer = await suite.send(suite.token({ groups: ['readers'] }), call('create_ticket', { title: 'x' }));
    assert.match(viewer.body, /Unknown tool/); // the role goes before the scope
  });

  test('every token that is not good is refused with its challenge', async () => {
    const [publicPem, foreign] = [
      suite.issuer.keys[0].publicKey.export({ type: 'spki', format: 'pem' }),
      makeKeyPair('first'),
    ];
    const refused = {
      expired: suite.token({ exp: now() - 61 }),
      'without an end': suite.token({ exp: undefined }),
      'not valid yet': suite.token({ nbf: now() + 120 }),
      'of another issuer': suite.token({ iss: 'https://other.example' }),
      'for another resource': suite.token({ aud: 'https://other.example/mcp' }),
      'for the host as a whole': suite.token({ aud: new URL(suite.resource).origin }),
      'for nobody': suite.token({ aud: undefined }),
      'for two resources': suite.token({ aud: [suite.resource, 'https://other.example/mcp'] }),
      'by another key': suite.token({}, { key: foreign }),
      'by a key that nobody knows': suite.token({}, { key: makeKeyPair('other') }),
      'by the key that it brings': `${[suite.tokenWith({ jwk: foreign.publicKey.export({ format: 'jwk' }) })]
        .map((text) => text.split('.').slice(0, 2).join('.'))
        .map((text) => `${text}.${signed(text, foreign.privateKey)}`)}`,
      'alg none': suite.token({}, { key: undefined, alg: 'none', kid: 'first' }),
      'alg none, signed': suite.token({}, { alg: 'none' }),
      'HS256 with the public key': suite.token({}, { alg: 'HS256', secret: publicPem }),
      'of another kind': suite.tokenWith({ typ: 'logout+jwt' }),
      'with crit': suite.tokenWith({ crit: ['exp'] }),
      'bound to a key': suite.token({ cnf: { jkt: 'x' } }),
      'without a subject': suite.token({ sub: undefined }),
      'two parts': 'a.b',
      'no token at all': 'abcdef',
    };
    for (const [what, token] of Object.entries(refused)) {
      const answer = await suite.send(token);
      assert.equal(answer.status, 401, `${what}: ${answer.body}`);
      assert.equal(answer.message.error, 'invalid_token', what);
      assert.match(
        challengeOf(answer),
        /^Bearer error="invalid_token", error_description="The access token was not accepted: [^"]+", resource_metadata="[^"]+", scope="tickets:read"$/,
        what,
      );
      assert.ok(challengeOf(answer).includes(`"${metadataUrl('/mcp')}"`));
    }
    assert.match(challengeOf(await suite.send(refused.expired)), /it has expired/);
    // Keys that the header points to are not looked at.
    const asked = suite.issuer.requests.length;
    const pointing = suite.tokenWith({ jku: `${suite.issuer.issuer}/evil`, x5u: `${suite.issuer.issuer}/evil` });
    assert.equal((await suite.send(pointing)).status, 200);
    assert.equal(suite.issuer.requests.length, asked);
    // More than the header of a request holds.
    assert.equal((await suite.send(suite.token({ pad: 'a'.repeat(20_000) }))).status, 431);
    // Never in a URL.
    const inUrl = await fetch(`${suite.url}/mcp?access_token=${suite.token()}`, {
      method: 'POST',
      headers: JSON_HEADERS,
      body: rpc('ping'),
    });
    assert.equal(inUrl.status, 401);
    await inUrl.text();
  });

  test('a good token of somebody who has no place here is no reason to sign in', async () => {
    for (const claims of [{ org: undefined }, { org: 'globex' }, { org: 'demo' }]) {
      const answer = await suite.send(suite.token(claims));
      assert.equal(answer.status, 403, answer.body);
      assert.equal(answer.message.error, 'access_denied');
      assert.equal(challengeOf(answer), null);
    }
  });

  test('a call beyond the scopes is answered with all that it takes', async () => {
    const reader = suite.token({ scope: 'openid tickets:read' });
    const { tools } = (await suite.send(reader, rpc('tools/list'))).message.result;
    const names = tools.map(({ name }) => name);
    assert.ok(names.includes('create_ticket'), 'what another scope would open is shown');
    assert.ok(!names.some((name) => /task|search/.test(name) && !/ticket/.test(name)), names.join());
    assert.equal((await suite.send(reader, call('list_tickets'))).message.result.isError ?? false, false);

    const answer = await suite.send(reader, call('create_ticket', { title: 'x' }));
    assert.equal(answer.status, 403, answer.body);
    assert.equal(answer.message.error, 'insufficient_scope');
    assert.equal(
      challengeOf(answer),
      `Bearer error="insufficient_scope", resource_metadata="${metadataUrl('/mcp')}", scope="openid tickets:read tickets:write"`,
    );
    const today = await modern(
      suite.url,
      undefined,
      'tools/call',
      { name: 'create_ticket', arguments: { title: 'x' } },
      { headers: { Authorization: `Bearer ${reader}` } },
    );
    assert.equal(today.status, 403, 'in both eras');
    assert.equal(challengeOf(today), challengeOf(answer));
    const none = await suite.send(suite.token({ scope: undefined }), call('list_tickets'));
    assert.equal(none.status, 403);
    assert.match(challengeOf(none), /scope="tickets:read"$/);
    const unknown = await suite.send(reader, call('create_task', { title: 'x' }));
    assert.match(unknown.body, /Unknown tool/); // no scope opens it
  });

  // On a host of its own: unknown keys are looked for once a minute only, and others here have done so.
  test('a new key of the issuer is followed, one that is withdrawn ends what it signed', async (t) => {
    const [old] = suite.issuer.keys;
    const host = await Host.start(t, { config: suite.host.options.config });
    const send = (token) => post(host.url, undefined, rpc('ping'), { headers: { Authorization: `Bearer ${token}` } });
    const held = await fetch(`${host.url}/sse`, {
      headers: { Accept: 'text/event-stream', Authorization: `Bearer ${suite.token({ sub: 'held' })}` },
    });
    assert.equal(held.status, 200);
    suite.issuer.keys = [makeKeyPair('second')];
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send(suite.token({ sub: `new-${i}` }))));
    const statuses = answers.map(({ status }) => status);
    assert.deepEqual(statuses, Array(8).fill(200), 'requests wait for the new key');
    let said = '';
    for await (const part of held.body) said += Buffer.from(part).toString();
    assert.match(said, /^event: endpoint/, 'and the stream has ended');
    assert.equal((await send(suite.token({}, { key: old }))).status, 401);
    suite.issuer.keys = [old];
  });

  test('when a token ends, so do its streams', async () => {
    const life = 4 * SLOWNESS; // with the minute of leeway that clocks are given
    const token = suite.token({ sub: 'short', exp: now() - 60 + life });
    const stream = await fetch(`${suite.url}/sse`, {
      headers: { Accept: 'text/event-stream', Authorization: `Bearer ${token}` },
    });
    assert.equal(stream.status, 200, await (stream.ok ? '' : stream.text()));
    const listening = modern(suite.url, undefined, 'subscriptions/listen', { notifications: { toolsListChanged: true } }, {
      headers: { Authorization: `Bearer ${token}` },
    });
    const reader = stream.body.getReader();
    await eventually('the stream ends', async () => (await reader.read()).done, { limit: 30_000 });
    assert.match((await listening).body, /acknowledged/, 'and so does what listened');
    const answer = await suite.send(token);
    assert.equal(answer.status, 401);
    assert.match(challengeOf(answer), /it has expired/);
    // Somebody comes back with a new one, and is the same caller.
    assert.equal((await suite.send(suite.token({ sub: 'short' }))).status, 200);
  });

  test('a token knows only its own sessions', async () => {
    const initialize = rpc('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    });
    const session = (await suite.send(suite.token(), initialize)).headers.get('mcp-session-id');
    const headers = { 'Mcp-Session-Id': session };
    assert.equal((await suite.send(suite.token(), rpc('ping'), { headers })).status, 200, 'the same person, refreshed');
    assert.equal((await suite.send(suite.token({ sub: 'bob' }), rpc('ping'), { headers })).status, 404);
    assert.equal((await post(suite.url, suite.key, rpc('ping'), { headers })).status, 404);
  });
});

describe('oauth: off', { timeout: 120_000 }, () => {
  test('without issuers nothing of it is there', async (t) => {
    const host = await Host.start(t);
    const plain = '{"error":"not_found","message":"There is nothing at this address."}';
    for (const path of [...ELSEWHERE.filter((each) => each !== '/register'), WELL_KNOWN, `${WELL_KNOWN}/mcp`, `${WELL_KNOWN}/sse`]) {
      const answer = await fetch(host.url + path);
      assert.equal(answer.status, 404, path);
      assert.equal(await answer.text(), plain, path);
    }
    const register = await fetch(`${host.url}/register`, { method: 'POST' });
    assert.equal(register.status, 404);
    assert.match((await register.json()).error_description, /API keys, not OAuth/);
    for (const headers of [{}, { Authorization: 'Bearer a.b.c' }, { Authorization: 'Bearer hdsk_wrong' }, { 'X-API-Key': 'x' }]) {
      const answer = await post(host.url, undefined, rpc('ping'), { headers });
      assert.equal(answer.status, 401);
      assert.equal(answer.headers.get('www-authenticate'), 'ApiKey realm="toolhost"');
    }
  });
});
