// An authorization server of OAuth 2.1 on this machine: npm's oidc-provider, which registers every client, lets everybody
// sign in as the person that the test names, and gives JWTs for the resource that was asked for.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import Provider from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

function signingKey(kid) {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { ...jwk, kid, use: 'sig', alg: 'RS256' };
}

/** Clients register with the scopes of their first request, and would be held to them when they ask for one more. */
async function forgetScope(request) {
  let body = '';
  for await (const part of request.setEncoding('utf8')) body += part;
  const { scope, ...rest } = JSON.parse(body);
  request.body = rest;
}

export class AuthorizationServer {
  /** scopes: those that it knows; claims: more of each token; account: who signs in; life: of a token, in seconds. */
  static async start(t, { scopes = ['tickets:read', 'tickets:write'], claims = {}, life = 600 } = {}) {
    const server = new AuthorizationServer();
    Object.assign(server, { scopes, claims, life, account: 'ana@acme.example', adapter: createMemoryAdapter(0), number: 0 });
    /** The scopes that were asked for, one text for each time that somebody was sent here. */
    server.asked = [];
    server.http = http.createServer((request, response) => server.answer(request, response));
    server.http.listen(0, '127.0.0.1');
    await once(server.http, 'listening');
    t.after(() => {
      server.http.closeAllConnections();
      server.http.close();
    });
    server.issuer = `http://localhost:${server.http.address().port}`;
    server.rotate();
    return server;
  }

  /** From now on it signs with another key, and names no other. */
  rotate() {
    this.provider = new Provider(this.issuer, this.configuration(signingKey(`key-${++this.number}`)));
    this.callback = this.provider.callback();
  }

  configuration(key) {
    const scope = this.scopes.join(' ');
    return {
      adapter: this.adapter,
      jwks: { keys: [key] },
      cookies: { keys: ['only for a test'] },
      pkce: { required: () => true },
      features: {
        devInteractions: { enabled: false },
        registration: { enabled: true },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => ({
            scope,
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: this.life,
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      scopes: ['openid', 'offline_access', ...this.scopes],
      extraTokenClaims: () => ({ email: this.account, email_verified: true, ...this.claims }),
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (_, account) => ({ accountId: account, claims: () => ({ sub: account }) }),
      ttl: { Session: 600, Grant: 600, Interaction: 600, AuthorizationCode: 60 },
      loadExistingGrant: async (ctx) => {
        const { client, session, provider, params } = ctx.oidc;
        const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
        for (const resource of [params.resource].flat().filter(Boolean)) grant.addResourceScope(resource, scope);
        grant.addOIDCScope(`openid offline_access ${scope}`);
        await grant.save();
        return grant;
      },
    };
  }

  async answer(request, response) {
    const url = new URL(request.url, this.issuer);
    if (url.pathname === '/reg') await forgetScope(request);
    if (url.pathname === '/auth') this.asked.push(url.searchParams.get('scope') ?? '');
    if (!url.pathname.startsWith('/interaction/')) return this.callback(request, response);
    const result = { login: { accountId: this.account }, consent: {} };
    await this.provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }

  /** What a browser would do with this address, until it is sent away from here: where to. */
  async signIn(address) {
    const cookies = new Map();
    let url = new URL(address);
    for (let step = 0; step < 10; ++step) {
      const answer = await fetch(url, {
        redirect: 'manual',
        headers: { Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
        cookies.set(name, value);
      }
      const location = answer.headers.get('location');
      assert.ok(location, `${answer.status} ${await answer.text()}`);
      url = new URL(location, url);
      if (url.origin !== this.issuer) return url;
    }
    throw new Error(`no end of redirects at ${url}`);
  }
}

/** What the MCP SDK keeps of an OAuth client, in memory; `authorize()` takes the person's part. */
export class MemoryClient {
  constructor(server, { scope } = {}) {
    this.server = server;
    this.redirectUrl = 'http://127.0.0.1:9/callback';
    this.clientMetadata = {
      client_name: 'toolhost-e2e',
      redirect_uris: [this.redirectUrl],
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      ...(scope && { scope }),
    };
  }
  clientInformation() {
    return this.information;
  }
  saveClientInformation(information) {
    this.information = information;
  }
  tokens() {
    return this.kept;
  }
  saveTokens(tokens) {
    this.kept = tokens;
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }
  codeVerifier() {
    return this.verifier;
  }
  redirectToAuthorization(url) {
    this.sentTo = url;
  }

  /** Signs in where the SDK sent the person: the code that it is waiting for. */
  async authorize() {
    const back = await this.server.signIn(this.sentTo);
    assert.equal(back.searchParams.get('error'), null, back.href);
    return back.searchParams.get('code');
  }
}
