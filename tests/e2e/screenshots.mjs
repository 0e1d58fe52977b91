// Draws the pictures of the portal for the documentation: starts hosts with a small organisation, walks through
// every screen and writes FOLDER/portal-*.png. Called by docs/screenshots. What another run would have otherwise
// (keys, ports, seconds) is replaced in the page before it is drawn; dates stay.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { run, sleep } from './support/host.mjs';
import { ANA, NOOR, populate, SHOWN_KEY, startOrganisation } from './support/organisation.mjs';
import { Dice } from './support/random.mjs';
import { callTool, post, rpc } from './support/raw.mjs';

const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DARK = { colorScheme: 'dark' };
const ADDRESS = 'https://helpdesk.acme.example';

const folder = process.argv[2];
const cleanups = [];
const lifetime = { after: (cleanup) => cleanups.unshift(cleanup) };
const dice = new Dice(20);
const LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const prefixes = {};

const SCREENS = (path) => [
  ['key', path],
  ['activity', '/mcp/activity'],
  ['connect', '/mcp/connect'],
  ['team', '/mcp/team'],
  ['account', '/mcp/account'],
  ['help', '/mcp/help'],
  ['not-found', '/mcp/nothing'],
];

try {
  await drawAll();
} finally {
  for (const cleanup of cleanups) await cleanup();
}

async function drawAll() {
  for (const file of await readdir(folder))
    if (/^portal-.*\.png$/.test(file)) await rm(join(folder, file));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--disable-dev-shm-usage',
      '--force-color-profile=srgb',
      '--font-render-hinting=none',
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    ],
  });
  lifetime.after(() => browser.close());
  await drawProvider(browser);
  const host = await startOrganisation(lifetime);
  await drawFirstKey(browser, host);
  await populate(host);
  await drawOrganisation(browser, host);
}

// ---- the screens

/** The sign-in page of a host that knows a provider; the provider itself is not needed for it. */
async function drawProvider(browser) {
  const sign_in = { client_id: 'toolhost', client_secret: 'env:HOME' };
  const host = await startOrganisation(lifetime, { portal: { sign_in } });
  for (const [name, look] of Object.entries({ '': DESKTOP, '-dark': { ...DESKTOP, ...DARK }, '-phone': PHONE })) {
    const page = await open(browser, host, look);
    await page.goto('/mcp');
    await draw(page, `sign-in${name}`);
  }
  await host.stop();
}

/** Somebody who has no key: the first one, each assistant's part of the page that shows it, the connection check. */
async function drawFirstKey(browser, host) {
  const page = await open(browser, host, DESKTOP);
  await page.goto('/mcp');
  await draw(page, 'sign-in-trial');
  await signIn(page, 'eve@elsewhere.example');
  await draw(page, 'no-access');
  await signIn(page, NOOR);
  await draw(page, 'keys-empty');
  await page.goto('/mcp/check');
  await page.waitForTimeout(300);
  await draw(page, 'check-waiting');

  const key = await createKey(page, 'Claude Desktop');
  await draw(page, 'shown-once');
  for (const part of await page.locator('details[name=assistant]').all()) {
    await part.locator('summary').click();
    await drawElement(page, part, `assistant-${await part.getAttribute('id')}`);
    await part.locator('summary').click();
  }
  await page.reload();
  await draw(page, 'shown-once-again');

  await sleep(1000);
  await page.goto('/mcp/check');
  await page.waitForTimeout(300); // from now on arrivals are noted
  await callTool(host.url, key, 'list_tickets', {});
  await drawCheck(page, 'accepted', 'good');
  await page.waitForTimeout(300);
  await post(host.url, key.slice(0, 31), rpc('ping'));
  await drawCheck(page, 'cut off', 'cut-off');
  const phone = await open(browser, host, PHONE);
  await signIn(phone, NOOR);
  await phone.goto('/mcp/check');
  await draw(phone, 'check-phone');
}

async function drawCheck(page, words, name) {
  await page.getByText(words).first().waitFor();
  await draw(page, `check-${name}`);
}

async function drawOrganisation(browser, host) {
  const page = await open(browser, host, DESKTOP);
  await signIn(page, ANA);
  const path = await page.locator('tbody a', { hasText: /^Claude Desktop$/ }).getAttribute('href');
  await draw(page, 'keys');
  for (const what of ['delete', 'rename', 'replace']) {
    await page.goto('/mcp/keys');
    if (what === 'rename') await page.goto(path);
    await page.locator(`a[href="${path}/${what}"]`).click();
    await page.locator('dialog[open] h1').waitFor();
    await draw(page, what, { fullPage: false });
  }
  await page.goto('/mcp/keys/new');
  await draw(page, 'create');
  await page.locator('form.card').evaluate((form) => (form.noValidate = true));
  await page.getByLabel('On a day').check();
  await page.getByRole('button', { name: 'Create Key' }).click();
  await draw(page, 'create-error');
  for (const [name, address] of SCREENS(path)) {
    await page.goto(address);
    await draw(page, name);
  }
  await drawLooks(browser, host, path);
}

/** The main screens on a phone, and in the dark. */
async function drawLooks(browser, host, path) {
  const screens = { keys: '/mcp/keys', activity: '/mcp/activity', key: path, create: '/mcp/keys/new' };
  for (const [suffix, look] of [
    ['phone', PHONE],
    ['dark', { ...DESKTOP, ...DARK }],
    ['phone-dark', { ...PHONE, ...DARK }],
  ]) {
    const page = await open(browser, host, look);
    await signIn(page, ANA);
    for (const [name, address] of Object.entries(screens)) {
      if (suffix === 'phone-dark' && name !== 'activity') continue;
      await page.goto(address);
      await draw(page, `${name}-${suffix}`);
    }
    if (suffix === 'phone-dark') continue;
    await createKey(page, suffix === 'phone' ? 'Codex' : 'Gemini CLI', 'acme');
    await page.locator('#claude-desktop > summary').click();
    await draw(page, `shown-once-${suffix}`);
  }
}

// ---- hands

async function open(browser, host, look) {
  const context = await browser.newContext({
    baseURL: host.url,
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    ...look,
  });
  return context.newPage();
}

async function signIn(page, email) {
  await page.context().clearCookies();
  await page.goto('/mcp/sign-in');
  await page.getByLabel('Your e-mail address').fill(email);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('h1').waitFor();
}

/** The new key's text; the page that shows it is open afterwards. */
async function createKey(page, name, tenant) {
  await page.goto('/mcp/keys/new');
  await page.getByLabel('Name').fill(name);
  if (tenant) await page.getByLabel('Tenant').selectOption(tenant);
  await page.getByRole('button', { name: 'Create Key' }).click();
  return page.getByLabel('Your API key').inputValue();
}

// ---- drawing

/** On a phone what is seen at first, otherwise the whole page. */
async function draw(page, name, { fullPage = page.viewportSize().width > 500 } = {}) {
  await steady(page);
  await save(name, (path) => page.screenshot({ path, fullPage, animations: 'disabled' }));
}

async function drawElement(page, element, name) {
  await steady(page);
  await save(name, (path) => element.screenshot({ path, animations: 'disabled' }));
}

async function save(name, take) {
  const path = join(folder, `portal-${name}.png`);
  await take(path);
  const small = await run('pngquant', ['--force', '--strip', '--speed', '1', '--output', path, '96', path]);
  if (small.code !== 0) throw new Error(small.stderr);
  console.log(path);
}

/** What would be another one in the next run becomes what a reader expects; the trial's banner is not everybody's. */
async function steady(page) {
  const seen = await page.evaluate(() => document.body.innerText.match(/hdsk_\w{6}(?=…)/g) ?? []);
  for (const prefix of seen)
    prefixes[prefix] ??= `hdsk_${Array.from({ length: 6 }, () => dice.pick([...LETTERS])).join('')}`;
  await page.evaluate(
    ({ prefixes, key, address }) => {
      const same = (text) =>
        text
          .replace(/hdsk_\w{32}/g, key)
          .replace(/hdsk_\w{6}(?=…)/g, (prefix) => prefixes[prefix] ?? prefix)
          .replace(/ending in …\w{3}/g, 'ending in …xyz')
          .replace(/http:\/\/127\.0\.0\.1:\d+/g, address)
          .replace(/127\.0\.0\.1/g, '192.0.2.17')
          .replace(/\b(\d+ seconds?|\d minutes?) ago/g, 'just now');
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const text = same(walker.currentNode.data);
        if (text !== walker.currentNode.data) walker.currentNode.data = text;
      }
      for (const field of document.querySelectorAll('input[readonly]')) field.value = same(field.value);
      document.querySelector('.trial')?.remove();
    },
    { prefixes, key: SHOWN_KEY, address: ADDRESS },
  );
}
