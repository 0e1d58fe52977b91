// Debian's Chromium under Playwright's hand: contexts that note every request, ways to operate a page, axe.
import assert from 'node:assert/strict';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { SLOWNESS } from './host.mjs';

export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** A browser around the tests of a describe(), for aroundSuite(). */
export async function startBrowser(t) {
  // Not Playwright's own build: there is nothing to download.
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--disable-dev-shm-usage'] });
  t.after(() => browser.close());
  return { browser };
}

/**
 * A page in a context of its own, that is somebody else's browser. `page.seen` are the URLs of all its requests,
 * `page.troubles` what scripts threw and the policy refused, `page.documents` the answers to navigations.
 */
export async function openPage(t, browser, { url, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, baseURL: url, ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(15_000 * SLOWNESS);
  if (options.javaScriptEnabled !== false && url)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const page = await context.newPage();
  page.seen = [];
  page.troubles = [];
  page.documents = [];
  context.on('request', (request) => page.seen.push(request.url()));
  context.on('response', (response) => {
    if (response.request().resourceType() === 'document') page.documents.push(response);
  });
  page.on('pageerror', (error) => page.troubles.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of [45]\d\d/.test(message.text())) page.troubles.push(message.text());
  });
  return page;
}

export const heading = (page, name) => page.getByRole('heading', { level: 1, name });

/** Waits for a page by its heading. */
export const arrive = (page, name) => heading(page, name).waitFor();

/** Signs in through the provider's page, which has forgotten everybody. Ends on the portal's page that came after. */
export async function signIn(page, email, { hand = mouse, path = '/mcp' } = {}) {
  await page.context().clearCookies({ domain: 'localhost' });
  await page.goto(path);
  await hand.click(page.getByRole('link', { name: 'Sign in with Acme' }));
  await page.getByLabel('Account').fill(email);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL((url) => url.hostname !== 'localhost');
}

/** The row of a table that is about this. */
export const rowOf = (page, name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });

/** A radio button or a checkbox, by the beginning of its label. */
export const choice = (page, label) =>
  page
    .getByRole('radio', { name: label })
    .or(page.getByRole('checkbox', { name: label }))
    .first();

/** Fills in and sends the form for a key, and ends on the page that shows it: the key. `choices` are labels of what is ticked. */
export async function createKey(page, name, choices = []) {
  await page.goto('/mcp/keys/new');
  await page.getByLabel('Name').fill(name);
  for (const label of choices) await choice(page, label).check();
  await page.getByRole('button', { name: 'Create Key' }).click();
  await arrive(page, 'Copy your key now');
  return page.getByLabel('Your API key').inputValue();
}

// ---- hands: one journey, operated in different ways

export const mouse = {
  name: 'mouse',
  click: (target) => target.click(),
  fill: (target, text) => target.fill(text),
  choose: (target) => target.check(),
};

export const finger = { ...mouse, name: 'finger', click: (target) => target.tap(), choose: (target) => target.tap() };

const isFocused = (target) => target.evaluate((element) => element === document.activeElement);

/** What shows that the element has the focus: an outline or a ring of two pixels. */
const showsFocus = (target) =>
  target.evaluate((element) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2) || boxShadow !== 'none';
  });

/** Presses Tab until the element has the focus, as somebody without a mouse does. */
async function tabTo(target) {
  const page = target.page();
  await target.waitFor();
  for (let presses = 0; !(await isFocused(target)); presses += 1) {
    assert.ok(presses < 80, `${target} cannot be reached with Tab`);
    await page.keyboard.press('Tab');
  }
  assert.ok(await showsFocus(target), `${target} does not show that it has the focus`);
}

export const keyboard = {
  name: 'keyboard',
  async click(target) {
    await tabTo(target);
    const isButton = await target.evaluate((element) => element.tagName === 'BUTTON');
    await target.page().keyboard.press(isButton ? 'Space' : 'Enter');
  },
  async fill(target, text) {
    await tabTo(target);
    await target.page().keyboard.press('Control+A');
    await target.page().keyboard.type(text);
  },
  /** A radio button: Tab leads to the group's chosen one, arrows to the others. */
  async choose(target) {
    const page = target.page();
    const chosen = page.locator(`input[name="${await target.getAttribute('name')}"]:checked`);
    await tabTo((await chosen.count()) ? chosen : target);
    for (let presses = 0; !(await target.isChecked()); presses += 1) {
      assert.ok(presses < 10, `${target} cannot be chosen with the arrow keys`);
      await page.keyboard.press('ArrowDown');
    }
  },
};

/** How a page is wider than its screen, which nobody should have to push sideways to read; nothing when it fits. */
export async function overflow(page) {
  const [needs, has] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  return needs > has ? `${needs} pixels wide on a screen of ${has}` : undefined;
}

/**
 * What axe finds wrong with the page as it is now, or cannot judge, one text each. `onlyColours`: of its rules only those
 * about colours.
 */
export async function axeViolations(page, { onlyColours = false } = {}) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const options = {
    resultTypes: ['violations', 'incomplete'],
    ...(onlyColours && { runOnly: ['color-contrast', 'link-in-text-block'] }),
  };
  const { violations, incomplete } = await page.evaluate((wanted) => globalThis.axe.run(document, wanted), options);
  // Axe judges no text in drawings; the charts' is of the colour of other small print.
  const isJudgeable = ({ html }) => !html.startsWith('<text');
  const unsure = incomplete
    .map((rule) => ({ ...rule, nodes: rule.nodes.filter(isJudgeable) }))
    .filter(({ nodes }) => nodes.length);
  const where = ({ html, failureSummary }) => `  ${html}\n  ${failureSummary.replaceAll('\n', '\n  ')}`;
  return [...violations, ...unsure].map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(where).join('\n')}`);
}
