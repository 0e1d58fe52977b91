// What the helpdesk costs an assistant, in tokens: the list of tools, and a list of 20 tickets. tests/bench/tokens runs it.
import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Desk, keyOf, startHelpdesk } from '../e2e/support/helpdesk.mjs';
import { textOf } from '../e2e/support/raw.mjs';

const HELP = `Usage: tests/bench/tokens [--json FILE]

Counts tokens (js-tiktoken, o200k_base: GPT-4o and later; Claude's tokens are of a similar number) of
  - the tool list of the three plugins, as the host sends it, and without output schemas, which is what clients give the model
  - list_tickets with 20 tickets, concise and detailed: the text, and the structured result as JSON
TOOLHOST_BIN: the program to ask; default build/release/bin/toolhost.
`;

const { values } = parseArgs({ options: { json: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const modules = createRequire(new URL('../e2e/package.json', import.meta.url));
const { Tiktoken } = modules('js-tiktoken/lite');
const o200kBase = modules('js-tiktoken/ranks/o200k_base');
const encoding = new Tiktoken(o200kBase.default ?? o200kBase);
const tokens = (what) => encoding.encode(typeof what === 'string' ? what : JSON.stringify(what), [], []).length;

const PLUGIN_OF = { task: 'tasks', search: 'search', find: 'search' };
const pluginOf = (name) => Object.entries(PLUGIN_OF).find(([part]) => name.includes(part))?.[1] ?? 'tickets';

/** Twenty tickets as a helpdesk has them. */
async function fill(desk) {
  const titles = [
    'Printer on the 3rd floor jams',
    'VPN drops every hour',
    'Password reset mail never arrives',
    'Laptop does not wake up from sleep',
    'Shared mailbox of accounting is missing',
    'Beamer in meeting room 4 stays dark',
    'Wi-Fi in the canteen is unusable',
    'Excel crashes when opening the budget',
    'Disk full on FS-02',
    'New colleague starts on Monday',
  ];
  for (let i = 0; i < 20; i += 1)
    await desk.ticket(`${titles[i % 10]}${i < 10 ? '' : ' again'}`, {
      description: 'Since this morning. It worked yesterday, and nobody has changed anything.',
      priority: ['normal', 'high', 'normal', 'urgent', 'low'][i % 5],
      category: ['Hardware', 'Network', 'Accounts'][i % 3],
      tags: [['printer'], ['vpn', 'remote'], ['login']][i % 3],
      assignee: i % 2 ? 'ben@acme.example' : 'me',
      requester: `user${i}@acme.example`,
      ...(i % 4 === 0 && { due_at: '2026-12-01' }),
    });
}

const cleanups = [];
const host = await startHelpdesk({ after: (cleanup) => cleanups.push(cleanup) });
try {
  const desk = new Desk(host, await keyOf(host, 'ana@acme.example'));
  const tools = await desk.tools();
  const forModel = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  const results = { tokenizer: 'js-tiktoken o200k_base', tools: {}, answers: {} };

  console.log(
    `${'tool'.padEnd(24)}${'for the model'.padStart(14)}${'as sent'.padStart(10)}${'description'.padStart(13)}`,
  );
  const sums = {};
  for (const [i, tool] of tools.entries()) {
    const row = { model: tokens(forModel[i]), sent: tokens(tool), description: tokens(tool.description) };
    results.tools[tool.name] = row;
    print(tool.name, row);
    const sum = (sums[pluginOf(tool.name)] ??= { model: 0, sent: 0, description: 0 });
    for (const name of Object.keys(row)) sum[name] += row[name];
  }
  for (const [plugin, sum] of Object.entries(sums)) print(`${plugin}, all tools`, sum);
  results.list = { model: tokens(forModel), sent: tokens(tools), tools: tools.length };
  print(`the list (${tools.length} tools)`, { ...results.list, description: '' });

  await fill(desk);
  console.log(
    `\n${'20 tickets'.padEnd(36)}${'text'.padStart(8)}${'structured'.padStart(12)}${'characters'.padStart(12)}`,
  );
  const asked = [
    ['list_tickets', {}],
    ['list_tickets', { response_format: 'detailed' }],
    ['search_tickets', { query: 'printer vpn password laptop mailbox beamer canteen excel disk colleague', limit: 20 }],
  ];
  for (const [tool, args] of asked) {
    const result = await desk.call(tool, args);
    const count = (result.structuredContent.tickets ?? result.structuredContent.hits).length;
    // A client of a revision without structured results gets them as text as well; one with them, the first block only.
    const row = {
      text: tokens(textOf(result)),
      structured: tokens(result.structuredContent),
      characters: textOf(result).length,
    };
    const what = `${tool}${args.response_format ? ', detailed' : ', concise'}${count === 20 ? '' : `, ${count} hits`}`;
    results.answers[what] = row;
    console.log(
      `${what.padEnd(36)}${String(row.text).padStart(8)}${String(row.structured).padStart(12)}${String(row.characters).padStart(12)}`,
    );
  }
  if (values.json) await writeFile(values.json, `${JSON.stringify(results, null, 1)}\n`);
} finally {
  for (const cleanup of cleanups) await cleanup();
}

function print(what, { model, sent, description }) {
  console.log(
    `${what.padEnd(24)}${String(model).padStart(14)}${String(sent).padStart(10)}${String(description).padStart(13)}`,
  );
}
