// Keys whose list of tools is find-and-call: the same tools, rights, limits and records behind two that find and call.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHelpdesk } from './support/helpdesk.mjs';
import { eventually } from './support/host.mjs';
import { modern, post, rpc, textOf } from './support/raw.mjs';

const config = {
  tenants: [
    {
      name: 'demo',
      tools: { deny: ['create_task'], texts: { create_ticket: { description: 'Opens a case for the caretaker.' } } },
      rules: [{ tools: ['create_ticket'], when: { priority: 'urgent' }, because: 'Only the caretaker says what is urgent.' }],
    },
  ],
};

test('find-and-call shows two tools, and keeps what holds for all others', { timeout: 120_000 }, async (t) => {
  const host = await startHelpdesk(t, config);
  const key = await host.command('key', 'create', '--tenant', 'demo', '--name', 'find', '--owner', 'ana@acme.example', '--tool-list', 'find');
  await eventually('the key is known', async () => (await post(host.url, key, rpc('ping'))).status === 200);
  const ask = async (method, params) => JSON.parse((await post(host.url, key, rpc(method, params))).body);
  const call = async (name, args) => (await ask('tools/call', { name, arguments: args })).result;
  const find = async (query, limit) => JSON.parse(textOf(await call('find_tools', { query, ...(limit && { limit }) })));

  const { tools } = (await ask('tools/list')).result;
  assert.deepEqual(tools.map(({ name }) => name), ['call_tool', 'find_tools']);
  const newer = JSON.parse((await modern(host.url, key, 'tools/list')).body).result;
  assert.deepEqual(newer.tools.map(({ name }) => name), ['call_tool', 'find_tools']);

  const found = await find('a case for the caretaker', 1);
  assert.equal(found.tools[0].name, 'create_ticket', 'by the text that the tenant gave it');
  assert.equal(found.tools[0].inputSchema.type, 'object');
  assert.ok(!JSON.stringify(await find('create a task', 20)).includes('"create_task"'), 'what is denied is not found');

  for (const words of ['create ticket', 'update ticket', 'search tickets', 'list tasks', 'get ticket', 'add note'])
    assert.equal((await find(words)).tools[0].name, words.replace(' ', '_'));

  const created = await call('call_tool', { name: 'create_ticket', arguments: { title: 'The lift is stuck' } });
  assert.ok(!created.isError, textOf(created));
  assert.ok(created.structuredContent, 'the result is the tool’s own');
  const wrong = await call('call_tool', { name: 'create_ticket', arguments: { titel: 'x' } });
  assert.ok(wrong.isError && /title/.test(textOf(wrong)), textOf(wrong));
  const urgent = await call('call_tool', { name: 'create_ticket', arguments: { title: 'x', priority: 'urgent' } });
  assert.match(textOf(urgent), /Only the caretaker/);
  for (const name of ['create_task', 'no_such_tool', 'call_tool', 'find_tools'])
    assert.equal((await ask('tools/call', { name: 'call_tool', arguments: { name } })).error.code, -32602, name);
  assert.equal((await ask('tools/call', { name: 'call_tool', arguments: {} })).error.code, -32602);

  await eventually('the record names the tools that were called', async () => {
    const rows = JSON.parse(await host.command('audit', 'list', '--tenant', 'demo', '--json'));
    const records = rows.map(({ record }) => (typeof record === 'string' ? JSON.parse(record) : record));
    const told = records.map(({ tool, outcome }) => `${tool} ${outcome}`);
    return ['find_tools ok', 'create_ticket ok', 'create_ticket denied', 'create_task denied', 'no_such_tool unknown_tool'].every((one) => told.includes(one));
  });

  assert.match(await host.command('key', 'list'), / all list:find /);
  const others = await host.key('demo', 'full');
  const list = JSON.parse((await post(host.url, others, rpc('tools/list'))).body).result.tools;
  assert.ok(list.length > 10 && !list.some(({ name }) => name === 'call_tool'));
});
