// `toolhost tool cost` against the tokenizer that it estimates.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { command, Desk, keyOf, startHelpdesk } from './support/helpdesk.mjs';

const require = createRequire(import.meta.url);
const { Tiktoken } = require('js-tiktoken/lite');
const o200kBase = require('js-tiktoken/ranks/o200k_base');
const encoding = new Tiktoken(o200kBase.default ?? o200kBase);
const tokens = (what) => encoding.encode(JSON.stringify(what), [], []).length;
const near = (estimate, real, what) =>
  assert.ok(Math.abs(estimate - real) < 0.1 * real, `${what}: ${estimate} tokens, really ${real}`);

test('tool cost is within a tenth of what o200k_base counts, and follows the tenant', { timeout: 120_000 }, async (t) => {
  const host = await startHelpdesk(t, {
    tenants: [
      { name: 'demo' },
      { name: 'few', tools: { allow: ['create_ticket'], texts: { create_ticket: { description: 'Crée un ticket et renvoie son numéro.' } } } },
    ],
  });
  const listed = await new Desk(host, await keyOf(host, 'ana@acme.example')).tools();
  const forModel = listed.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));

  const all = JSON.parse((await command(host, ['tool', 'cost', '--json'])).stdout);
  const [demo, few] = ['demo', 'few'].map((name) => all.find(({ tenant }) => tenant === name));
  assert.deepEqual(demo.tools.map(({ name }) => name).sort(), forModel.map(({ name }) => name));
  near(demo.tokens, tokens(forModel), 'the list');
  for (const tool of forModel) near(demo.tools.find(({ name }) => name === tool.name).tokens, tokens(tool), tool.name);
  assert.ok(demo.tools[0].tokens >= demo.tools.at(-1).tokens, 'the dearest first');
  assert.deepEqual(few.tools.map(({ name }) => name), ['create_ticket']);
  const ticket = forModel.find(({ name }) => name === 'create_ticket');
  near(few.tokens, tokens({ ...ticket, description: 'Crée un ticket et renvoie son numéro.' }), 'with a text of its own');

  const viewer = (await command(host, ['tool', 'cost', '--tenant', 'demo', '--role', 'viewer'])).stdout;
  assert.match(viewer, /search_tickets +\d+\n[^]*all 8 tools/);
  assert.ok(!viewer.includes('create_ticket'), 'what viewers do not see costs them nothing');
  assert.equal((await command(host, ['tool', 'cost', '--tenant', 'nobody'])).code, 4);
});
