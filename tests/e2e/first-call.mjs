#!/usr/bin/env node
// What somebody does between "listening on" and the first tool call, in a real browser and with a real client; each step
// is told with its time. Usage: node tests/e2e/first-call.mjs URL   (a host on this machine with its trial sign-in)
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { arrive, openPage, startBrowser } from './support/browser.mjs';
import { overStdio } from './support/clients.mjs';

const url = process.argv[2];
if (!url) {
  console.error('usage: node tests/e2e/first-call.mjs URL');
  process.exit(2);
}
const cleanups = [];
const t = { after: (cleanup) => cleanups.push(cleanup) };
const started = performance.now();
let steps = 0;
async function step(what, act) {
  const result = await act();
  steps += 1;
  console.log(`${String(steps).padStart(2)}. ${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return result;
}

try {
  const { browser } = await startBrowser(t);
  const page = await openPage(t, browser, { url });
  const press = (name) => page.getByRole('button', { name }).click();
  await step('open the address', () => page.goto('/'));
  await step('enter an e-mail address', () => page.getByLabel('Your e-mail address').fill('ana@acme.example'));
  await step('sign in', () => press('Sign in').then(() => arrive(page, 'Your API keys')));
  await step('Create New Key', () => page.getByRole('link', { name: 'Create New Key' }).first().click());
  await step('give it a name', () => page.getByLabel('Name').fill('Claude Desktop'));
  await step('Create Key', () => press('Create Key').then(() => arrive(page, 'Copy your key now')));
  const title = 'Claude Desktop on macOS';
  await step('choose the assistant', () => page.locator('summary', { hasText: title }).click());
  const text = await step('copy its configuration', async () => {
    await press(`Copy for ${title}`);
    return page.evaluate(() => navigator.clipboard.readText());
  });
  const home = await mkdtemp(join(tmpdir(), 'toolhost-first-call-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const client = new Client({ name: title, version: '1' });
  await step('paste it, save, start the assistant (mcp-remote of that text)', () =>
    client.connect(overStdio(Object.values(JSON.parse(text).mcpServers)[0], home)));
  const answer = await step('ask: a tool is called', () => client.callTool({ name: 'list_tickets', arguments: {} }));
  assert.ok(!answer.isError, JSON.stringify(answer));
  await client.close();
  console.log(`${steps} steps, ${((performance.now() - started) / 1000).toFixed(1)} s of the machine's time`);
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}
