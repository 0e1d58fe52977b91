// The portal over HTTPS: by the host itself, with its certificate replaced while it runs, and behind a proxy.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { describe, test } from 'node:test';
import tls from 'node:tls';
import { arrive, openPage, signIn, startBrowser } from './support/browser.mjs';
import { makeAuthority, makeCertificate } from './support/certificates.mjs';
import { eventually, freePort, freshDirectory, Host } from './support/host.mjs';
import { startProvider } from './support/oidc.mjs';
import { ANA, callbackOf, PEOPLE, portalConfig, startPortal, Visitor } from './support/portal.mjs';
import { JSON_HEADERS, rpc } from './support/raw.mjs';

/** Who the server says it is, to somebody who trusts the authority. */
function subjectAt(port, ca) {
  return new Promise((done, failed) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] }, () => {
      done(socket.getPeerCertificate().subject.CN);
      socket.end();
    });
    socket.on('error', failed);
  });
}

/** A ping over HTTPS: the status. */
function ping(url, ca, key) {
  return new Promise((done, failed) => {
    const request = https.request(
      `${url}/mcp`,
      { method: 'POST', ca, agent: false, headers: { ...JSON_HEADERS, 'X-API-Key': key } },
      (response) => {
        response.resume();
        response.on('end', () => done(response.statusCode));
      },
    );
    request.on('error', failed);
    request.end(rpc('ping'));
  });
}

describe('portal: HTTPS', { timeout: 120_000 }, () => {
  test('sign in, make and use a key; another certificate; plain HTTP led to HTTPS', async (t) => {
    const directory = await freshDirectory(t);
    const authority = await makeAuthority(directory);
    const ca = await readFile(authority);
    const ofProvider = await makeCertificate(directory, 'provider');
    const provider = await startProvider(t, {
      people: PEOPLE,
      tls: { certificate: await readFile(ofProvider.certificate), key: await readFile(ofProvider.key) },
    });
    const { certificate, key } = await makeCertificate(directory, 'portal', 'first');
    const redirectPort = await freePort();
    const host = await Host.start(t, {
      config: portalConfig({
        signIn: { issuer: provider.issuer, ca_file: authority },
        http: { tls: { certificate, key: `file:${key}` }, redirect_port: redirectPort },
      }),
    });
    assert.match(host.url, /^https:/);
    provider.redirects.add(callbackOf(host.url));

    const { browser } = await startBrowser(t);
    const page = await openPage(t, browser, { url: host.url, ignoreHTTPSErrors: true });
    await signIn(page, ANA);
    await arrive(page, 'Your API keys');
    const cookies = (await page.context().cookies(host.url)).filter(({ name }) => name.includes('toolhost'));
    assert.deepEqual(
      cookies.map(({ name, path, secure, httpOnly, sameSite, domain }) => ({
        name,
        path,
        secure,
        httpOnly,
        sameSite,
        domain,
      })),
      [{ name: '__Host-toolhost', path: '/', secure: true, httpOnly: true, sameSite: 'Lax', domain: '127.0.0.1' }],
    );
    await page.goto('/mcp/keys/new');
    await page.getByLabel('Name').fill('Over HTTPS');
    await page.getByRole('button', { name: 'Create Key' }).click();
    await arrive(page, 'Copy your key now');
    await page.getByText(`${host.url}/sse`).first().waitFor({ state: 'attached' });
    const made = await page.getByLabel('Your API key').inputValue();
    await eventually('the key works', async () => (await ping(host.url, ca, made)) === 200);
    await assert.rejects(
      ping(host.url, undefined, made),
      /certificate|issuer/,
      'whoever does not know the authority is warned',
    );

    assert.equal(await subjectAt(host.port, ca), 'first');
    await makeCertificate(directory, 'portal', 'second');
    await eventually('the new certificate is served', async () => (await subjectAt(host.port, ca)) === 'second', {
      limit: 20_000,
      every: 100,
    });
    await page.goto('/mcp/keys');
    await page.getByRole('rowheader', { name: 'Over HTTPS' }).waitFor();

    for (const path of ['/', '/mcp', '/mcp/keys?done=deleted', '/sse']) {
      const led = await fetch(`http://127.0.0.1:${redirectPort}${path}`, { redirect: 'manual' });
      assert.equal(led.status, 308, path);
      assert.equal(led.headers.get('location'), host.url + path);
      assert.equal(led.headers.get('set-cookie'), null);
      await led.text();
    }
    const inClear = await fetch(`http://127.0.0.1:${redirectPort}/mcp`, {
      method: 'POST',
      headers: { 'X-API-Key': made },
      redirect: 'manual',
    });
    assert.equal(inClear.status, 400, 'a key that everybody on the way could read is not led on as if nothing were');
    assert.match(await inClear.text(), /https:\/\//);
    assert.deepEqual(page.troubles, []);
  });

  test('a provider whose certificate nobody vouches for is not believed', async (t) => {
    const directory = await freshDirectory(t);
    await makeAuthority(directory);
    const made = await makeCertificate(directory, 'provider');
    const provider = await startProvider(t, {
      tls: { certificate: await readFile(made.certificate), key: await readFile(made.key) },
    });
    const host = await Host.start(t, { config: portalConfig({ signIn: { issuer: provider.issuer } }) });
    const answer = await new Visitor(host.url).get('/mcp/sign-in/start');
    assert.equal(answer.status, 503);
    assert.match(answer.body, /cannot be used now/);
  });

  test('behind a proxy that is trusted, people are led by the name that they use', async (t) => {
    const { host } = await startPortal(t, {
      http: { trusted_proxies: ['127.0.0.1'], allowed_hosts: ['portal.example'] },
    });
    const visitor = new Visitor(host.url);
    const headers = {
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'portal.example',
      'X-Forwarded-For': '203.0.113.7',
    };
    const start = await visitor.get('/mcp/sign-in/start', { headers });
    assert.equal(
      new URL(start.location).searchParams.get('redirect_uri'),
      'https://portal.example/mcp/sign-in/callback',
    );
    assert.match(start.headers.getSetCookie().join(), /^__Host-toolhost-signin=.*; Secure/);
    assert.doesNotMatch(start.location, new RegExp(host.url));
  });
});
