// The command line as people and scripts use it: every subcommand, against a running and a stopped database.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually, freshDirectory, Host, sleep, sql, toolhost, toolhostOk } from './support/host.mjs';
import { callTool, post, rpc, SseStream, textOf } from './support/raw.mjs';
import { buildOutsidePlugins, configWith } from './support/outside.mjs';

const EXIT = { ok: 0, failed: 1, usage: 2, unavailable: 3, notFound: 4 };
const KEY = /^hdsk_[0-9A-Za-z]{32}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Every subcommand that touches data, in one life of a data directory; the same whether its database runs or not. */
async function everySubcommand(dataDir) {
  const data = ['--data-dir', dataDir];
  const json = async (...args) => JSON.parse(await toolhostOk([...args, '--json', ...data]));

  await toolhostOk(['migrate', ...data]);
  await toolhostOk(['migrate', ...data]); // again: nothing to do
  await toolhostOk(['tenant', 'create', 'acme', '--title', 'Acme Inc.', '--time-zone', 'Europe/Berlin', ...data]);
  assert.equal((await toolhost(['tenant', 'create', 'acme', ...data])).code, EXIT.failed);
  const badName = await toolhost(['tenant', 'create', 'Not A Name', ...data]);
  assert.equal(badName.code, EXIT.usage);
  assert.match(badName.stderr, /name/i);
  const badZone = await toolhost(['tenant', 'create', 'zoned', '--time-zone', 'Europe/Nowhere', ...data]);
  assert.equal(badZone.code, EXIT.usage);
  assert.match(badZone.stderr, /Europe\/Nowhere/);
  const acme = (await json('tenant', 'list')).find((tenant) => tenant.name === 'acme');
  assert.deepEqual(
    { ...acme, created_at: undefined },
    { name: 'acme', title: 'Acme Inc.', time_zone: 'Europe/Berlin', created_at: undefined },
  );
  assert.match(acme.created_at, TIME);

  const created = await toolhost([
    'key',
    'create',
    '--tenant',
    'acme',
    '--name',
    'My laptop',
    '--owner',
    'ana@acme.example',
    ...data,
  ]);
  assert.equal(created.code, EXIT.ok);
  const key = created.stdout.trimEnd();
  assert.match(key, KEY, 'the key stands alone on standard output');
  const second = await toolhostOk(['key', 'create', '--tenant', 'acme', '--name', 'Other', ...data]);
  const nowhere = await toolhost(['key', 'create', '--tenant', 'acmee', '--name', 'x', ...data]);
  assert.equal(nowhere.code, EXIT.notFound);
  assert.match(nowhere.stderr, /acme/, 'the tenants that exist are named');
  assert.equal(nowhere.stdout, '');

  const keys = await json('key', 'list', '--tenant', 'acme');
  assert.deepEqual(
    keys.map((row) => row.name),
    ['My laptop', 'Other'],
  );
  assert.deepEqual(
    { ...keys[0], created_at: undefined },
    {
      prefix: key.slice(0, 11),
      tenant: 'acme',
      name: 'My laptop',
      owner: 'ana@acme.example',
      status: 'active',
      created_at: undefined,
      last_used_at: null,
      usage_count: 0,
    },
  );
  const listing = await toolhost(['key', 'list', ...data]);
  assert.ok(listing.stdout.includes('My laptop') && !listing.stdout.includes(key), 'a key is never shown again');

  assert.equal((await toolhost(['key', 'delete', 'hdsk_000000', ...data])).code, EXIT.notFound);
  await toolhostOk(['key', 'delete', key, ...data]);
  assert.equal((await toolhost(['key', 'delete', key, ...data])).code, EXIT.notFound);
  await toolhostOk(['key', 'delete', second.slice(0, 11), ...data]);
  assert.deepEqual(await json('key', 'list', '--tenant', 'acme'), []);

  const [plugin] = await json('plugin', 'list');
  assert.equal(plugin.state, 'serving', plugin.reason);
  assert.deepEqual(plugin.tools.toSorted(), ['add_reply', 'create_ticket', 'get_ticket', 'list_tickets']);
  assert.match(await toolhostOk(['db', 'url', ...data]), /^postgresql:\/\//);
}

describe('command line', { timeout: 300_000 }, () => {
  test('every subcommand works while nothing serves', async (t) =>
    everySubcommand(join(await freshDirectory(t), 'data')));

  test('every subcommand works while the host serves, which goes on serving', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    const stream = await SseStream.connect(host.port, key);
    t.after(() => stream.close());
    await everySubcommand(host.dataDir);
    assert.equal(await sql(await host.command('db', 'url'), 'select 1'), '1');
    assert.equal((await callTool(host.url, key, 'list_tickets', {})).isError ?? false, false);
    assert.equal(stream.hasEnded, false);
  });

  test('used keys show when and how often, within seconds', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    for (let i = 0; i < 3; i += 1) await callTool(host.url, key, 'list_tickets', {});
    const used = await eventually(
      'three uses are counted',
      async () => {
        const rows = JSON.parse(await host.command('key', 'list', '--json'));
        return rows.find((row) => row.prefix === key.slice(0, 11) && row.usage_count === 3);
      },
      { limit: 10_000, every: 250 },
    );
    assert.match(used.last_used_at, TIME);
  });

  test('--help explains every command; wrong usage ends with 2 and says what was expected', async () => {
    const commands = [
      [],
      ['serve'],
      ['check-config'],
      ['tenant'],
      ['tenant', 'list'],
      ['tenant', 'create'],
      ['key'],
      ['key', 'create'],
      ['key', 'list'],
      ['key', 'delete'],
      ['plugin'],
      ['plugin', 'list'],
      ['migrate'],
      ['db'],
      ['db', 'url'],
      ['version'],
    ];
    for (const command of commands) {
      const help = await toolhost([...command, '--help']);
      assert.equal(help.code, EXIT.ok, command.join(' '));
      assert.ok(help.stdout.length > 60, `toolhost ${command.join(' ')} --help says nothing`);
      if (['serve', 'migrate'].includes(command[0]) || command.length === 2)
        assert.match(help.stdout, /--data-dir[\s\S]*|--config/, command.join(' '));
    }
    assert.match((await toolhost(['--help'])).stdout, /Exit codes/);
    assert.match(await toolhostOk(['version']), /\d+\.\d+\.\d+/);
    for (const wrong of [
      [],
      ['nonsense'],
      ['serve', '--nonsense'],
      ['key', 'create'],
      ['key', 'create', '--tenant', 'demo'],
      ['serve', '--port', 'x'],
      ['serve', '--port', '70000'],
      ['key', 'delete'],
      ['tenant', 'create'],
    ]) {
      const result = await toolhost(wrong);
      assert.equal(result.code, EXIT.usage, `toolhost ${wrong.join(' ')}: ${result.stderr}`);
      assert.notEqual(result.stderr + result.stdout, '');
    }
  });

  test('the first start prints a key and three snippets to paste, a later one does not', async (t) => {
    const host = await Host.start(t);
    const [key] = /hdsk_[0-9A-Za-z]{32}/.exec(host.output);
    const blocks = [...host.output.matchAll(/^\{\n[\s\S]*?^\}/gm)].map(
      (match) => JSON.parse(match[0]).mcpServers.helpdesk,
    );
    assert.deepEqual(blocks, [
      { type: 'sse', url: `${host.url}/sse`, headers: { 'X-API-Key': key } },
      {
        command: 'npx',
        args: ['-y', 'mcp-remote', `${host.url}/sse`, '--header', 'X-API-Key:${HELPDESK_KEY}'],
        env: { HELPDESK_KEY: key },
      },
    ]);
    assert.ok(host.output.includes(`${host.url}/mcp`) && host.output.includes(`Authorization: Bearer ${key}`));
    assert.equal(
      (await post(host.url, undefined, rpc('ping'), { headers: { Authorization: `Bearer ${key}` } })).status,
      200,
    );
    assert.ok(!host.errors.includes(key), 'the log never holds the key');

    await host.stop();
    await host.restart();
    assert.doesNotMatch(host.log, /hdsk_[0-9A-Za-z]{32}/);
    assert.equal((await post(host.url, key, rpc('ping'))).status, 200);
  });

  test('a taken port ends the start with 3 and says which', async (t) => {
    const blocker = net.createServer().listen(0, '127.0.0.1');
    t.after(() => blocker.close());
    await new Promise((done) => blocker.once('listening', done));
    const { port } = blocker.address();
    const result = await toolhost([
      'serve',
      '--port',
      String(port),
      '--data-dir',
      join(await freshDirectory(t), 'data'),
    ]);
    assert.equal(result.code, EXIT.unavailable, result.stderr);
    assert.ok(result.stderr.includes(String(port)), result.stderr);
    assert.match(result.stderr, /--port|another|use/i);
  });

  test('a second host on the same data directory is refused and the first goes on', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    const second = await toolhost(['serve', '--port', '0', '--data-dir', host.dataDir]);
    assert.equal(second.code, EXIT.failed, second.stderr);
    assert.ok(second.stderr.includes(host.dataDir), second.stderr);
    assert.equal((await post(host.url, key, rpc('ping'))).status, 200);
  });

  const badConfigs = [
    ['an unknown key', 'http:\n  prot: 8080\n', 2, /prot.*did you mean.*port/s],
    ['a wrong type', 'http:\n  port: eighty\n', 2, /port/],
    ['a duplicate key', 'calls:\n  workers: 4\n  workers: 8\n', 3, /duplicate.*workers/s],
    ['a value out of range', 'http:\n  port: 99999\n', 2, /port|65535/],
    ['a time without a unit', 'calls:\n  timeout: 30\n', 2, /timeout|30s/],
    ['broken YAML', 'http:\n  port: [8080\n', 0, /./],
    ['an unknown section', 'htpp:\n  port: 8080\n', 1, /htpp.*http/s],
  ];
  for (const [what, text, line, message] of badConfigs) {
    test(`a configuration with ${what} is refused with file and line`, async (t) => {
      const directory = await freshDirectory(t);
      const file = join(directory, 'bad.yaml');
      await writeFile(file, text);
      for (const args of [
        ['check-config', file],
        ['serve', '--config', file, '--data-dir', join(directory, 'data'), '--port', '0'],
      ]) {
        const result = await toolhost(args);
        assert.equal(result.code, EXIT.usage, result.stdout + result.stderr);
        assert.ok(result.stderr.includes(line ? `${file}:${line}:` : file), result.stderr);
        assert.match(result.stderr, message);
      }
    });
  }

  test('a missing configuration file is named', async () => {
    const result = await toolhost(['check-config', '/nowhere/toolhost.yaml']);
    assert.equal(result.code, EXIT.usage, result.stderr);
    assert.match(result.stderr, /\/nowhere\/toolhost\.yaml/);
  });

  test('an unusable data directory is named', async (t) => {
    const file = join(await freshDirectory(t), 'occupied');
    await writeFile(file, '');
    const result = await toolhost(['serve', '--port', '0', '--data-dir', join(file, 'data')]);
    assert.notEqual(result.code, EXIT.ok);
    assert.ok(result.stderr.includes(file), result.stderr);
  });

  test('SIGTERM lets a running call end and refuses new ones; then the process ends with 0', async (t) => {
    const plugins = await buildOutsidePlugins(t);
    const host = await Host.start(t, { config: configWith(join(plugins, 'outside_notes.so')) });
    const key = await host.key();
    const stream = await SseStream.connect(host.port, key);
    const running = callTool(host.url, key, 'outside_wait', { ms: 1500 });
    await sleep(300);
    const ended = host.stop('SIGTERM');
    assert.equal(textOf(await running), 'waited');
    assert.deepEqual(await ended, { code: 0, signal: null });
    await stream.closed;
    assert.equal(await host.postmaster(), 0);
  });

  test('a data directory that another user made can be used again', async (t) => {
    const directory = join(await freshDirectory(t), 'data');
    await mkdir(directory, { mode: 0o755 });
    const host = await Host.start(t, { dataDir: directory });
    assert.equal((await fetch(`${host.url}/readyz`)).status, 200);
  });
});
