// Who sees what in the portal, and for how long: sessions, teams, viewers, people who are no members (any more).
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { arrive, createKey, openPage, rowOf, signIn, startBrowser } from './support/browser.mjs';
import { eventually, sql } from './support/host.mjs';
import {
  ANA,
  aroundSuite,
  BEN,
  EVE,
  NOBODY,
  portalConfig,
  somebody,
  startPortal,
  statusOf,
  TENANTS,
  VERA,
  Visitor,
  visitor,
} from './support/portal.mjs';
import { callTool, post, rpc } from './support/raw.mjs';

const within = (what, check, limit = 1_000) => eventually(what, check, { limit, every: 10 });

describe('portal: people', { timeout: 120_000 }, () => {
  let suite;
  before(async () => {
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t)), ...(await startBrowser(t)) }));
  });
  after(() => suite.stop());

  /** A page of somebody who has signed in. */
  async function pageOf(t, email = somebody(t)) {
    const page = await openPage(t, suite.browser, { url: suite.host.url });
    await signIn(page, email);
    return page;
  }

  test('signing out ends this session, signing out everywhere also the other browser’s', async (t) => {
    const [here, there] = [await pageOf(t), await pageOf(t)];
    const cookie = (await here.context().cookies()).find(({ name }) => name === 'toolhost');
    await here.getByRole('button', { name: 'Sign out', exact: true }).click();
    await here.getByText('You are signed out.').waitFor();
    assert.ok(!(await here.context().cookies()).some(({ name }) => name === 'toolhost'));
    const thief = new Visitor(suite.host.url);
    thief.cookies.set('toolhost', cookie.value);
    assert.equal(await thief.isSignedIn(), false, 'the ended session’s cookie is worth nothing');

    await there.goto('/mcp/account');
    await arrive(there, 'Account');
    const third = await pageOf(t);
    await there.reload();
    assert.equal(await there.getByText('This device').count(), 1);
    await there.getByRole('button', { name: /^Sign out Chrome/ }).click();
    await there.getByText('That device is signed out.').waitFor();
    await third.goto('/mcp/keys');
    await third.getByText('Your session has ended.').waitFor();

    await signIn(third, somebody(t));
    await third.goto('/mcp/account');
    await third.getByRole('button', { name: 'Sign out everywhere' }).click();
    await third.getByText('You are signed out on all devices.').waitFor();
    await there.goto('/mcp/keys');
    await arrive(there, 'Connect your AI assistant');
  });

  test('a session ends after twelve hours without a visit, and after seven days', async (t) => {
    const url = await suite.host.command('db', 'url');
    for (const [ages, isOver] of [
      ["last_seen_at = now() - interval '11 hours 50 minutes'", false],
      ["last_seen_at = now() - interval '12 hours 10 minutes'", true],
      ["expires_at = now() + interval '1 minute'", false],
      ["expires_at = now() - interval '1 minute'", true],
    ]) {
      const someone = await visitor(suite.host, somebody(t));
      const newest = 'select max(number) from toolhost.portal_sessions';
      await sql(url, `update toolhost.portal_sessions set ${ages} where number = (${newest})`);
      assert.equal(await someone.isSignedIn(), !isOver, ages);
    }
    const lasting = await sql(
      url,
      'select distinct round(extract(epoch from expires_at - created_at) / 3600) from toolhost.portal_sessions',
    );
    assert.ok(
      lasting.split('\n').every((hours) => Number(hours) <= 7 * 24),
      lasting,
    );
  });

  test('whom no tenant names is told whom to ask, and gets no session', async (t) => {
    const page = await pageOf(t, NOBODY);
    await arrive(page, 'Your account has no access');
    await page.getByText('telephone 555-0100').waitFor();
    assert.deepEqual(
      (await page.context().cookies(suite.host.url)).filter(({ name }) => name.startsWith('toolhost')),
      [],
    );
    // The provider remembers who that was, and asks all the same.
    await page.getByRole('link', { name: 'Sign in with another account' }).click();
    await page.getByLabel('Account').fill(ANA);
    await page.getByRole('button', { name: 'Continue' }).click();
    await arrive(page, 'Your API keys');
  });

  test('an admin sees the team’s keys and may delete one; a viewer and another tenant’s admin do not', async (t) => {
    const { host } = suite;
    const someone = await visitor(host, somebody(t));
    const { key, id } = await someone.makeKey('Of the team');
    const page = await pageOf(t, BEN);
    await page.getByRole('link', { name: 'Team' }).click();
    await arrive(page, 'Keys of Acme');
    assert.match(await rowOf(page, 'Of the team').innerText(), new RegExp(somebody(t)));
    assert.ok(!(await page.content()).includes(key));

    const vera = await pageOf(t, VERA);
    assert.equal(await vera.getByRole('link', { name: 'Team' }).count(), 0);
    for (const email of [VERA, EVE, ANA]) {
      const other = await visitor(host, email);
      assert.equal((await other.get('/mcp/team?tenant=demo')).status, 404, email);
      assert.equal((await other.get(`/mcp/team/demo/keys/${id}`)).status, 404, email);
      assert.equal((await other.get(`/mcp/team/demo/keys/${id}/delete`)).status, 404, email);
    }
    await rowOf(page, 'Of the team').getByRole('link', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete this key' }).click();
    await page.getByText('The key is deleted').waitFor();
    await within('the key is refused', async () => (await statusOf(host, key)) === 401);
    assert.ok(!(await someone.get('/mcp/keys')).body.includes('Of the team'));
  });

  test('a viewer’s key looks things up and nothing else', async (t) => {
    const { host } = suite;
    const page = await pageOf(t, VERA);
    const key = await createKey(page, 'Of a viewer');
    await within('the key works', async () => (await statusOf(host, key)) === 200);
    const vera = await visitor(host, VERA);
    const { key: bold } = await vera.makeKey('Of a bold viewer', { scope: 'all' });
    for (const each of [key, bold]) {
      assert.notEqual((await callTool(host.url, each, 'list_tickets', {})).isError, true);
      const refused = await post(
        host.url,
        each,
        rpc('tools/call', { name: 'create_ticket', arguments: { title: 'no' } }),
      );
      assert.match(refused.message.error?.message ?? refused.body, /Unknown tool|Access denied/);
    }
  });

  test('who is taken out of the members loses the portal and the keys at once', async (t) => {
    const { host } = suite;
    const leaver = 'leaver@partner.example';
    const [tenant, ...others] = TENANTS;
    const write = async (members) => {
      const tenants = [{ ...tenant, members: [...tenant.members, ...members] }, ...others];
      await writeFile(host.configArgs[1], portalConfig({ signIn: { issuer: suite.provider.issuer }, tenants }));
      await host.command('reload');
    };
    t.after(() => write([]));
    await write([{ email: leaver, role: 'agent' }]);
    const someone = await visitor(host, leaver);
    const { key } = await someone.makeKey('Of a leaver');
    await within('the key works', async () => (await statusOf(host, key)) === 200);
    await write([]);
    await within('the key is refused', async () => [401, 403].includes(await statusOf(host, key)));
    const shown = await someone.get('/mcp/keys');
    assert.notEqual(shown.status, 200);
    assert.ok(!shown.body.includes('Of a leaver'));
    const admin = await visitor(host, BEN);
    assert.match((await admin.get('/mcp/team')).body, /Of a leaver/, 'whoever clears up still sees it');
  });
});
