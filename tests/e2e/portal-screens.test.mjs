// Every screen of the portal in every state: no violation of axe's rules in light and dark, nothing that is too wide for a
// phone or at fourfold zoom, nothing fetched from elsewhere, nothing stored.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { arrive, axeViolations, openPage, overflow, PHONE, signIn, startBrowser } from './support/browser.mjs';
import { eventually, Host, sql } from './support/host.mjs';
import { aroundSuite, BEN, NOBODY, portalConfig, startPortal, TENANTS, VERA } from './support/portal.mjs';
import { callTool, post, rpc } from './support/raw.mjs';

const BOTH = 'both@acme.example';
const NARROW = [PHONE.viewport.width, 320]; // the second: 1280 pixels at 400 %, WCAG 2.2, 1.4.10

/** Looks at the screens of a page and gathers what is wrong, so that one run tells everything. */
class Looker {
  constructor(page) {
    this.page = page;
    this.problems = [];
    this.count = 0;
  }

  async look(what) {
    const { page } = this;
    this.count += 1;
    const wide = page.viewportSize();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      // Dark is the same page in other colours.
      for (const violation of await axeViolations(page, { onlyColours: colorScheme === 'dark' }))
        this.problems.push(`${what}, ${colorScheme}: ${violation}`);
    }
    for (const width of NARROW) {
      await page.setViewportSize({ width, height: PHONE.viewport.height });
      const excess = await overflow(page);
      if (excess) this.problems.push(`${what}: ${excess}`);
    }
    await page.setViewportSize(wide);
    const headings = await page.locator('h1:visible').count();
    if (headings < 1) this.problems.push(`${what}: no heading of the first level`);
  }

  /** What every page of the portal has shown by now was right. */
  async finish({ host, provider }) {
    const { page, problems } = this;
    for (const answer of page.documents) {
      const headers = await answer.allHeaders();
      if (answer.url().startsWith(host.url) && headers['cache-control'] !== 'no-store')
        problems.push(`${answer.url()} may be stored`);
    }
    const foreign = page.seen.filter(
      (url) => !url.startsWith(`${host.url}/`) && !(provider && url.startsWith(`${provider.issuer}/`)),
    );
    problems.push(...foreign.map((url) => `fetched from elsewhere: ${url}`), ...page.troubles);
    assert.ok(this.count > 0);
    if (problems.length) assert.fail(problems.join('\n'));
  }
}

describe('portal: screens', { timeout: 300_000 }, () => {
  let suite;
  before(async () => {
    const tenants = [TENANTS[0], { ...TENANTS[1], members: [...TENANTS[1].members, { email: BOTH, role: 'agent' }] }];
    suite = await aroundSuite(async (t) => ({ ...(await startPortal(t, { tenants })), ...(await startBrowser(t)) }));
  });
  after(() => suite.stop());

  const open = (t, url = suite.host.url) => openPage(t, suite.browser, { url });
  const create = async (page, name) => {
    await page.goto('/mcp/keys/new');
    await page.getByLabel('Name').fill(name);
    if (await page.getByRole('combobox', { name: 'Tenant' }).count())
      await page.getByLabel('Tenant').selectOption('demo');
    await page.getByRole('button', { name: 'Create Key' }).click();
    await arrive(page, 'Copy your key now');
    return page.getByLabel('Your API key').inputValue();
  };
  const hrefOf = (page, name) => page.getByRole('link', { name, exact: true }).getAttribute('href');
  const query = async (text) => sql(await suite.host.command('db', 'url'), text);

  test('before anything is there', async (t) => {
    const page = await open(t);
    const looker = new Looker(page);
    await page.goto('/mcp');
    await looker.look('sign-in');
    await signIn(page, 'new@acme.example', { path: '/mcp/check' });
    await arrive(page, 'Connection check');
    await page.getByText('Waiting for your assistant').waitFor();
    await looker.look('check, empty');
    for (const [path, title] of [
      ['/mcp/keys', 'Your API keys'],
      ['/mcp/activity', 'Activity'],
      ['/mcp/connect', /./],
      ['/mcp/account', 'Account'],
      ['/mcp/help', 'Questions and answers'],
    ]) {
      await page.goto(path);
      await arrive(page, title);
      for (const summary of await page.locator('summary').all()) await summary.click();
      await looker.look(`${path}, empty`);
    }
    await looker.finish(suite);

    // What looks for mistakes finds them.
    for (const [style, colorScheme] of [
      ['color: #ccc', 'light'],
      ['color: #444', 'dark'],
    ]) {
      await page.emulateMedia({ colorScheme });
      await page.locator('h1').evaluate((element, text) => (element.style.cssText = text), style);
      assert.match((await axeViolations(page, { onlyColours: true })).join(), /color-contrast/);
    }
    await page.locator('main').evaluate((element) => (element.style.minWidth = '2000px'));
    assert.ok(await overflow(page));
  });

  test('making a key', async (t) => {
    const page = await open(t);
    const looker = new Looker(page);
    await signIn(page, BOTH);
    await page.goto('/mcp/keys/new');
    await looker.look('create, several tenants');
    await page.evaluate(() => document.querySelectorAll('form').forEach((form) => (form.noValidate = true)));
    await page.getByRole('radio', { name: 'On a day' }).check();
    await page.getByRole('button', { name: 'Create Key' }).click();
    await page.getByRole('alert').waitFor();
    await looker.look('create, three mistakes');
    await create(page, 'Twice the same');
    await looker.look('shown once');
    await create(page, 'Twice the same');
    for (const summary of await page.locator('summary').all()) {
      await summary.click();
      await looker.look(`shown once, ${await summary.innerText()}`.replaceAll('\n', ' '));
    }
    await page.reload();
    await arrive(page, 'This key can no longer be displayed');
    await looker.look('no longer shown');
    const viewer = await open(t);
    await signIn(viewer, VERA, { path: '/mcp/keys/new' });
    const second = new Looker(viewer);
    await second.look('create, of a viewer');
    await looker.finish(suite);
    await second.finish(suite);
  });

  test('with keys in every state, their pages and dialogs', async (t) => {
    const { host } = suite;
    const page = await open(t);
    const looker = new Looker(page);
    const person = 'busy@acme.example';
    await signIn(page, person);
    const used = await create(page, 'In use');
    for (const name of [
      'Over',
      'Switched off',
      'Ending',
      'Replaced',
      'Never used',
      'With a name that is as long as a name may be, sixty characters'.slice(0, 60),
    ])
      await create(page, name);
    for (const [name, overlap] of [
      ['Ending', 'In a week'],
      ['Replaced', 'At once'],
    ]) {
      await page.goto('/mcp/keys');
      await page.goto(`${await hrefOf(page, name)}/replace`);
      await page.getByLabel(overlap).check();
      await page.getByRole('button', { name: 'Replace this key' }).click();
      await arrive(page, 'Copy your key now');
      await looker.look(`shown once, in place of “${name}”`);
    }
    await query("update toolhost.api_keys set expires_at = now() - interval '1 day' where name = 'Over'");
    await query("update toolhost.api_keys set disabled = true where name = 'Switched off'");
    await eventually('the key works', async () => (await post(host.url, used, rpc('ping'))).status === 200);
    for (let number = 0; number < 3; number += 1) await callTool(host.url, used, 'list_tickets', {});
    await callTool(host.url, used, 'get_ticket', { id: '000000' });
    await eventually(
      'the calls are counted',
      async () => (await query("select usage_count from toolhost.api_keys where name = 'In use'")) === '4',
    );
    await page.goto('/mcp/keys');
    const path = await hrefOf(page, 'In use');
    await looker.look('keys, every state');
    await page.goto('/mcp/keys?done=deleted');
    await looker.look('keys, with a message');
    for (const name of ['In use', 'Over', 'Switched off', 'Never used']) {
      await page.goto('/mcp/keys');
      await page.getByRole('link', { name, exact: true }).click();
      await arrive(page, name);
      for (const summary of await page.locator('summary').all()) await summary.click();
      await looker.look(`key “${name}”`);
    }
    await page.goto(path);
    for (const action of ['Rename', 'Replace', 'Delete']) {
      await page.getByRole('link', { name: action, exact: true }).click();
      await page.getByRole('dialog').waitFor();
      await looker.look(`dialog ${action}`);
      await page.keyboard.press('Escape');
      await page.goto(`${path}/${action.toLowerCase()}`);
      await looker.look(`page ${action}`);
      if (action !== 'Replace') {
        await page.evaluate(() => document.querySelectorAll('form').forEach((form) => (form.noValidate = true)));
        await page.locator('main input[type=text]').fill('');
      } else await page.evaluate(() => document.querySelector('input:checked').setAttribute('value', 'never'));
      await page.locator('main .form-foot button').click();
      await page.getByRole('alert').waitFor();
      await looker.look(`page ${action}, with a mistake`);
      await page.goto(path);
    }
    await page.goto('/mcp/activity');
    await page.getByText('Show the figures').click();
    await looker.look('activity, all keys');
    await page.goto(`/mcp/activity?key=${path.split('/').at(-1)}`);
    await looker.look('activity, one key');
    await page.goto('/mcp/check');
    await post(host.url, used, rpc('ping'));
    for (const bad of [
      used.slice(0, 31),
      `${used}x`,
      'hdsk_your_key_here',
      '${HELPDESK_KEY}',
      'not a key',
      undefined,
      `"${used}"`,
    ])
      await post(host.url, bad, rpc('ping'));
    await page.getByText('A request without a key arrived').waitFor();
    await looker.look('check, good and failed');
    await looker.finish(suite);

    const admin = await open(t);
    const second = new Looker(admin);
    await signIn(admin, BEN, { path: '/mcp/team' });
    await arrive(admin, 'Keys of Acme');
    await second.look('team');
    await admin.getByRole('link', { name: 'In use', exact: true }).click();
    await arrive(admin, 'In use');
    await second.look('key of the team');
    await admin.getByRole('link', { name: 'Delete', exact: true }).click();
    await admin.getByRole('dialog').waitFor();
    await second.look('dialog Delete of the team');
    await admin.goto('/mcp/account');
    await second.look('account');
    await second.finish(suite);
  });

  test('where something is wrong', async (t) => {
    const page = await open(t);
    const looker = new Looker(page);
    await page.goto('/mcp/sign-in/callback?code=x&state=y');
    await page.getByRole('alert').waitFor();
    await looker.look('sign-in did not work');
    await page.goto('/mcp/nothing');
    await looker.look('404, a stranger');
    await signIn(page, NOBODY);
    await arrive(page, 'Your account has no access');
    await looker.look('no access');
    await signIn(page, 'lost@acme.example');
    await page.goto('/mcp/keys/123456');
    await looker.look('404');
    await page.goto('/mcp/sign-out');
    await looker.look('405');
    await page.goto('/mcp/account');
    await page.evaluate(() => document.querySelectorAll('[name=token]').forEach((field) => (field.value = 'x')));
    await page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await arrive(page, 'The form is out of date');
    await looker.look('403');
    await query('alter table toolhost.portal_sessions rename to gone');
    t.after(() => query('alter table if exists toolhost.gone rename to portal_sessions'));
    await page.goto('/mcp/keys');
    await looker.look('500');
    await query('alter table toolhost.gone rename to portal_sessions');
    await page.goto('/mcp/account');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByText('You are signed out.').waitFor();
    await looker.look('signed out');
    await looker.finish(suite);
  });

  test('a trial on this computer, and a host where nobody can sign in', async (t) => {
    const host = await Host.start(t, { config: portalConfig({ tenants: [{ name: 'demo' }] }) });
    const page = await open(t, host.url);
    const looker = new Looker(page);
    await page.goto('/mcp');
    await page.getByText('No password is asked for').waitFor();
    await looker.look('trial sign-in');
    await page.evaluate(() => document.querySelectorAll('form').forEach((form) => (form.noValidate = true)));
    await page.getByLabel('Your e-mail address').fill('nobody');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.wrong').waitFor();
    await looker.look('trial sign-in, with a mistake');
    await page.getByLabel('Your e-mail address').fill('ana@acme.example');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await arrive(page, 'Your API keys');
    await page.getByText('Trial on this computer').waitFor();
    await looker.look('keys, trial');
    const key = await create(page, 'Trial');
    await eventually('its key works', async () => (await post(host.url, key, rpc('ping'))).status === 200);
    assert.notEqual((await callTool(host.url, key, 'create_ticket', { title: 'Printer' })).isError, true);
    await looker.finish({ host });

    await host.stop();
    host.options.config = portalConfig({ tenants: [{ name: 'demo' }], portal: { local_sign_in: 'off' } });
    await host.restart();
    const closed = await open(t, host.url);
    const second = new Looker(closed);
    await closed.goto('/mcp');
    await closed.getByText('Signing in is not set up here yet').waitFor();
    await second.look('no sign-in');
    await second.finish({ host });
  });
});
