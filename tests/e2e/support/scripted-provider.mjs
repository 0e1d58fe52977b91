// An OpenID provider that does as it is told, wrong things above all.
import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { CLIENT_ID, CLIENT_SECRET } from './oidc.mjs';
import { callbackOf } from './portal.mjs';

const base64url = (value) => Buffer.from(value).toString('base64url');

/** A signing key of the provider. */
export function makeKeyPair(kid) {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
}

/** A JWT. `alg` is what its head says; it is signed with RS256, with HS256 when there is a `secret`, or not at all. */
export function jwt(claims, { key, alg = 'RS256', kid = key?.kid, secret } = {}) {
  const text = `${base64url(JSON.stringify({ alg, typ: 'JWT', ...(kid && { kid }) }))}.${base64url(JSON.stringify(claims))}`;
  if (secret) return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  return `${text}.${key ? sign('sha256', Buffer.from(text), key.privateKey).toString('base64url') : ''}`;
}

export class ScriptedProvider {
  static async start(t) {
    const provider = new ScriptedProvider();
    provider.keys = [makeKeyPair('first')];
    provider.codes = new Map();
    provider.requests = [];
    provider.waiting = new Set();
    await provider.open(0);
    t.after(() => provider.close());
    return provider;
  }

  async open(port = this.port) {
    this.server = http.createServer((request, response) => this.answer(request, response));
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.issuer = `http://localhost:${this.port}`;
  }

  async close() {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  get metadata() {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/auth`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/keys`,
      response_types_supported: ['code'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
  }

  get jwks() {
    return {
      keys: this.keys.map(({ kid, publicKey }) => ({
        ...publicKey.export({ format: 'jwk' }),
        kid,
        use: 'sig',
        alg: 'RS256',
      })),
    };
  }

  async answer(request, response) {
    const path = new URL(request.url, this.issuer).pathname;
    this.requests.push(path);
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const send = (status, value) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (this.isSilent?.(path)) return; // until the other side gives up
    if (path === '/.well-known/openid-configuration') return send(200, this.metadata);
    if (path === '/keys') return send(200, this.jwks);
    if (path !== '/token') return send(404, {});
    const [status, value] = this.redeem(request, new URLSearchParams(body));
    send(status, value);
  }

  /** What a decent provider checks before it gives a token. */
  redeem(request, form) {
    const [, basic] = /^Basic (\S+)$/.exec(request.headers.authorization);
    const credentials = Buffer.from(basic, 'base64')
      .toString()
      .split(':')
      .map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
    if (credentials.join('\n') !== `${CLIENT_ID}\n${CLIENT_SECRET}`) return [401, { error: 'invalid_client' }];
    const code = this.codes.get(form.get('code'));
    this.codes.delete(form.get('code'));
    if (!code) return [400, { error: 'invalid_grant' }];
    assert.equal(createHash('sha256').update(form.get('code_verifier')).digest('base64url'), code.challenge);
    assert.equal(form.get('redirect_uri'), code.redirect);
    return code.answer ?? [200, { access_token: 'none', token_type: 'Bearer', id_token: code.token }];
  }

  /** What a good token says. */
  claims(nonce, email) {
    const now = Math.floor(Date.now() / 1000);
    return {
      iss: this.issuer,
      aud: CLIENT_ID,
      sub: email,
      email,
      email_verified: true,
      name: 'Ana Lopez',
      nonce,
      iat: now,
      exp: now + 600,
    };
  }

  /**
   * The visitor begins to sign in: the address that the provider would send the browser back to. The token is good but
   * for `claims` and what `makeToken(claims, key)` does; `answer` instead of it is [status, body].
   */
  async begin(visitor, email, { claims = {}, makeToken = (all, key) => jwt(all, { key }), answer } = {}) {
    const start = await visitor.get('/mcp/sign-in/start?next=%2Fmcp%2Fkeys');
    assert.equal(start.status, 303, start.body);
    const asked = new URL(start.location).searchParams;
    assert.equal(asked.get('code_challenge_method'), 'S256');
    assert.equal(asked.get('response_type'), 'code');
    assert.equal(asked.get('redirect_uri'), callbackOf(visitor.url));
    for (const name of ['state', 'nonce']) assert.ok(Buffer.from(asked.get(name), 'base64url').length >= 32, name);
    const code = randomBytes(16).toString('hex');
    this.codes.set(code, {
      challenge: asked.get('code_challenge'),
      redirect: asked.get('redirect_uri'),
      token: makeToken({ ...this.claims(asked.get('nonce'), email), ...claims }, this.keys[0]),
      answer,
    });
    return `${callbackOf(visitor.url)}?${new URLSearchParams({ code, state: asked.get('state'), iss: this.issuer })}`;
  }
}
