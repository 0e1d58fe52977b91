// A real OpenID provider on this machine: npm's oidc-provider, with a page of one field instead of its own ones.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

export const CLIENT_ID = 'toolhost';
export const CLIENT_SECRET = 'the client secret: of a test';
// The configuration refers to it.
process.env.TOOLHOST_TEST_CLIENT_SECRET = CLIENT_SECRET;

const FORM = `<!doctype html><html lang="en"><title>Provider</title><form method="post">
  <label>Account <input name="account" autofocus></label><button>Continue</button><button name="deny" value="1">Deny</button></form>`;

function signingKey() {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { ...jwk, kid: 'first', use: 'sig', alg: 'RS256' };
}

const configuration = (people) => ({
  adapter: createMemoryAdapter(0),
  clients: [{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: ['https://portal.example/'] }],
  jwks: { keys: [signingKey()] },
  cookies: { keys: ['only for a test'] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, account) => ({
    accountId: account,
    claims: () => ({ sub: account, email: account, email_verified: true, name: people[account] ?? account }),
  }),
  // Whoever has signed in has also agreed.
  loadExistingGrant: async (ctx) => {
    const { client, session, provider } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
});

async function interact(provider, request, response) {
  if (request.method === 'GET') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    return response.end(FORM);
  }
  let body = '';
  for await (const part of request.setEncoding('utf8')) body += part;
  const form = new URLSearchParams(body);
  const result = form.has('deny')
    ? { error: 'access_denied', error_description: 'the person said no' }
    : { login: { accountId: form.get('account') } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

/**
 * Starts it at `localhost`, which to a browser is another site than the portal at 127.0.0.1: {issuer, redirects}.
 * People are e-mail addresses, `people` their names; redirect URIs that are not in `redirects` are refused.
 * tls: {certificate, key} as texts, else it is plain HTTP.
 */
export async function startProvider(t, { people = {}, tls } = {}) {
  let handle;
  const serve = (request, response) => handle(request, response);
  const server = tls ? https.createServer({ cert: tls.certificate, key: tls.key }, serve) : http.createServer(serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `${tls ? 'https' : 'http'}://localhost:${server.address().port}`;
  const provider = new Provider(issuer, configuration(people));
  const redirects = new Set();
  provider.Client.prototype.redirectUriAllowed = (uri) => redirects.has(uri);
  const rest = provider.callback();
  handle = (request, response) =>
    request.url.startsWith('/interaction/')
      ? interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)))
      : rest(request, response);
  return { issuer, redirects };
}
