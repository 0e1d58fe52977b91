// The command line as people and scripts use it: every subcommand, against a running and a stopped database.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Admin } from './support/admin.mjs';
import { BINARY, eventually, freshDirectory, Host, run, sleep, sql, toolhost, toolhostOk } from './support/host.mjs';
import { callTool, post, rpc, SseStream, textOf } from './support/raw.mjs';
import { buildOutsidePlugins, configWith } from './support/outside.mjs';

const EXIT = { ok: 0, failed: 1, usage: 2, unavailable: 3, notFound: 4 };
const KEY = /^hdsk_[0-9A-Za-z]{32}$/;
const SHIPPED = {
  tickets: [
    'add_note',
    'add_reply',
    'create_ticket',
    'get_ticket',
    'list_tickets',
    'set_ticket_status',
    'ticket_history',
    'update_ticket',
  ],
  tasks: ['complete_task', 'create_task', 'delete_task', 'get_task', 'list_tasks', 'reopen_task', 'update_task'],
  search: ['find_similar_tickets', 'search_all', 'search_tickets'],
};
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
      scopes: [],
      created_at: undefined,
      expires_at: null,
      replaced_by: null,
      last_used_at: null,
      usage_count: 0,
    },
  );
  const listing = await toolhost(['key', 'list', ...data]);
  assert.ok(listing.stdout.includes('My laptop') && !listing.stdout.includes(key), 'a key is never shown again');

  assert.equal((await toolhost(['key', 'delete', 'hdsk_000000', ...data])).code, EXIT.notFound);
  await toolhostOk(['key', 'delete', key, ...data]);
  assert.equal((await toolhost(['key', 'delete', key, ...data])).code, EXIT.notFound);
  const third = await toolhostOk(['key', 'rotate', second.slice(0, 11), '--overlap', '0', ...data]);
  assert.match(third, KEY, 'the new key stands alone on standard output');
  await toolhostOk(['key', 'disable', third, ...data]);
  assert.deepEqual(
    (await json('key', 'list', '--tenant', 'acme')).map((row) => [row.name, row.status, row.replaced_by]),
    [
      ['Other', 'replaced', third.slice(0, 11)],
      ['Other', 'disabled', null],
    ],
  );
  await toolhostOk(['key', 'enable', third.slice(0, 11), ...data]);
  for (const gone of [second, third]) await toolhostOk(['key', 'delete', gone.slice(0, 11), ...data]);
  assert.deepEqual(await json('key', 'list', '--tenant', 'acme'), []);

  const plugins = await json('plugin', 'list');
  for (const plugin of plugins) assert.equal(plugin.state, 'serving', plugin.reason);
  assert.deepEqual(Object.fromEntries(plugins.map(({ id, tools }) => [id, tools.toSorted()])), SHIPPED);
  for (const { resources, templates, prompts } of plugins) assert.deepEqual([resources, templates, prompts], [[], [], []]);
  assert.match(await toolhostOk(['db', 'url', ...data]), /^postgresql:\/\//);
  await dataCommands(dataDir);
}

/** "12 accepted, 3 unchanged, 1,000 refused" as numbers. */
function reportOf(stdout) {
  const found = /([\d,]+) accepted, ([\d,]+) unchanged, ([\d,]+) refused/.exec(stdout);
  assert.ok(found, `no report: ${stdout}`);
  return found.slice(1).map((number) => Number(number.replaceAll(',', '')));
}

/** import, export and reindex for the tenant acme. */
async function dataCommands(dataDir) {
  const data = ['--tenant', 'acme', '--data-dir', dataDir];
  const file = join(dataDir, '..', 'old.csv');
  await writeFile(file, '\ufeffNr;Betreff;Text\r\n1;Drucker;"rot; dann\r\naus"\r\n2;Maus\r\n3;Netz;\r\n');
  const load = (...args) => toolhost(['import', 'tickets', file, '--map', 'title=Betreff', ...args, ...data]);

  const dry = await load('--dry-run');
  assert.deepEqual(reportOf(dry.stdout), [2, 0, 1], dry.stderr);
  assert.match(dry.stdout, /nothing was written/);
  const refusedFile = join(dataDir, '..', 'refused.jsonl');
  const first = await load('--refused', refusedFile);
  assert.equal(first.code, EXIT.failed, first.stderr);
  assert.deepEqual(reportOf(first.stdout), [2, 0, 1]);
  assert.ok(first.stdout.includes(refusedFile));
  const refused = JSON.parse(await readFile(refusedFile, 'utf8'));
  assert.equal(refused.line, 4);
  assert.match(refused.reason, /2 columns where the first line has 3/);
  const again = await load();
  assert.deepEqual(reportOf(again.stdout), [0, 2, 1], 'what is there is not taken again');
  assert.match(again.stdout, /line 4: has 2 columns/);

  const rows = (await toolhostOk(['export', 'tickets', ...data])).split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(new Set(rows.map((row) => row.title)), new Set(['Drucker', 'Netz']));
  const output = join(dataDir, '..', 'export.jsonl');
  await toolhostOk(['export', 'tickets', '--output', output, ...data]);
  assert.equal((await readFile(output, 'utf8')).trimEnd().split('\n').length, 2);
  assert.equal((await stat(output)).mode & 0o777, 0o600, 'what is exported is for its owner');

  const reindexed = await toolhost(['reindex', ...data]);
  assert.equal(reindexed.code, EXIT.ok, reindexed.stderr);
  assert.match(reindexed.stderr, /reindexed acme \(search\)/);
  assert.equal((await toolhost(['reindex', '--tenant', 'acmee', '--data-dir', dataDir])).code, EXIT.notFound);
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
      ['config-schema'],
      ['tenant'],
      ['tenant', 'list'],
      ['tenant', 'create'],
      ['key'],
      ['key', 'create'],
      ['key', 'list'],
      ['key', 'rotate'],
      ['key', 'disable'],
      ['key', 'enable'],
      ['key', 'delete'],
      ['plugin'],
      ['plugin', 'list'],
      ['migrate'],
      ['import'],
      ['export'],
      ['reindex'],
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
      ['key', 'rotate'],
      ['key', 'disable'],
      ['tenant', 'create'],
      ['import', 'tickets'],
      ['import', 'tickets', 'tickets.csv'],
      ['export', 'tickets'],
    ]) {
      const result = await toolhost(wrong);
      assert.equal(result.code, EXIT.usage, `toolhost ${wrong.join(' ')}: ${result.stderr}`);
      assert.notEqual(result.stderr + result.stdout, '');
    }
  });

  test('an empty value is refused, for every option and argument of every command', async () => {
    /** All that take no further word, e.g. ['key', 'create']. */
    const leaves = async (path) => {
      const { stdout } = await toolhost([...path, '--help']);
      const names = /^Subcommands:\n((?: .*\n?)+)/m.exec(stdout)?.[1].matchAll(/^ {2}([a-z-]+)/gm) ?? [];
      const found = [];
      for (const [, name] of names) found.push(...(await leaves([...path, name])));
      return found.length ? found : [{ path, help: stdout }];
    };
    const commands = await leaves([]);
    assert.ok(commands.length > 20);
    for (const { path, help } of commands) {
      for (const [, option] of help.matchAll(/^ {2}(--[a-z-]+) [A-Z]{2}/gm)) {
        for (const args of [[option, ''], [`${option}=`, 'x'], [`${option}=`]]) {
          const result = await toolhost([...path, ...args]);
          assert.equal(result.code, EXIT.usage, [...path, ...args].join(' '));
          assert.ok(result.stderr.includes(`${option}: needs a value; it was empty`), `${path} ${args}: ${result.stderr}`);
        }
      }
      for (const [, argument] of help.matchAll(/^ {2}([A-Z_]+)\b/gm)) {
        const result = await toolhost([...path, '']);
        assert.equal(result.code, EXIT.usage, path.join(' '));
        assert.ok(result.stderr.includes('needs a value; it was empty'), `${argument}: ${result.stderr}`);
      }
    }
  });

  test('what cannot be printed is a failure; so is what nobody has thought of, in a line', async (t) => {
    for (const args of ['config-schema', 'version', '--help', 'check-config "$1"']) {
      const file = join(await freshDirectory(t), 'host.yaml');
      await writeFile(file, 'log: { level: info }\n');
      const full = await run('sh', ['-c', `"$0" ${args} >/dev/full`, BINARY, file]);
      assert.equal(full.code, EXIT.failed, args);
      assert.equal(full.stderr, 'toolhost: standard output takes no more\n');
    }
    const directory = await freshDirectory(t);
    const lost = await run('sh', ['-c', 'cd "$1" && rmdir "$1" && exec "$0" check-config x.yaml', BINARY, directory]);
    await mkdir(directory); // for the end of the test
    assert.ok([EXIT.failed, EXIT.usage].includes(lost.code), `${lost.code} ${lost.signal}`);
    assert.match(lost.stderr, /x\.yaml|toolhost: /);
  });

  test('a running host is not looked for in a place that the unreadable configuration did not name', async (t) => {
    const directory = await freshDirectory(t);
    const broken = join(directory, 'broken.yaml');
    await writeFile(broken, 'data_dir: /nowhere\nhttp: [\n');
    const env = { XDG_DATA_HOME: directory }; // where a host without a configuration keeps its data
    const commands = [['reload'], ['top', '--once'], ['log-level'], ['explain', '--key', 'hdsk_a', '--tool', 'x']];
    for (const command of commands) {
      for (const [file, words] of [
        [join(directory, 'nope.yaml'), /nope\.yaml: cannot be read/],
        [directory, /is a directory/],
        [broken, /broken\.yaml:\d+:\d+: this is not YAML/],
      ]) {
        const result = await toolhost([...command, '--config', file], { env });
        assert.equal(result.code, EXIT.usage, `${command} ${file}: ${result.stderr}`);
        assert.match(result.stderr, words);
      }
      if (command[0] === 'explain') continue; // works it out by itself, so it needs the file
      const named = ['--config', broken, '--data-dir', join(directory, 'data')];
      const asked = await toolhost([...command, ...named], { env });
      assert.equal(asked.code, EXIT.unavailable, 'with a data directory it is the host that is to say what is wrong');
    }
  });

  test('explain says so when it has read no configuration', async (t) => {
    const directory = await freshDirectory(t);
    const data = ['--data-dir', join(directory, 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const key = await toolhostOk(['key', 'create', '--tenant', 'acme', '--name', 'x', ...data]);
    const file = join(directory, 'host.yaml');
    await writeFile(file, 'log: { level: info }\n');
    const explain = ['explain', '--key', key, '--tool', 'get_ticket', ...data];
    const without = await toolhost(explain);
    assert.equal(without.code, EXIT.ok, without.stderr);
    assert.match(without.stderr, /no configuration was read.*--config FILE/);
    assert.equal((await toolhost([...explain, '--config', file])).stderr, '');
  });

  test('the audit is asked by a key, whole or by its prefix, and by words that there are', async (t) => {
    const data = ['--data-dir', join(await freshDirectory(t), 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const key = await toolhostOk(['key', 'create', '--tenant', 'acme', '--name', 'x', ...data]);
    const list = (...args) => toolhost(['audit', 'list', '--json', ...args, ...data]);
    for (const text of [key, key.slice(0, 11), `${key.slice(0, 11)}...`])
      assert.equal(JSON.parse((await list('--key', text)).stdout).length, 1, text);
    assert.equal(JSON.parse((await list('--kind', 'key_created')).stdout).length, 1);
    for (const [args, words] of [
      [['--key', key.slice(0, 8)], /first 11 characters/],
      [['--key', 'laptop'], /begins with 'hdsk_'/],
      [['--kind', 'key_made'], /key_made not in .*key_created/],
      [['--outcome', 'okay'], /okay not in .*denied/],
    ]) {
      const refused = await list(...args);
      assert.equal(refused.code, EXIT.usage, args.join(' '));
      assert.match(refused.stderr, words);
    }
  });

  test('a running host refuses commands whose members are of another type', async (t) => {
    const host = await Host.start(t);
    const admin = await Admin.open(host);
    t.after(() => admin.close());
    for (const [command, values] of [
      ['reload', { dry_run: 'yes' }],
      ['reload', { dry_run: 1 }],
      ['explain', { key: 7, tool: 'get_ticket' }],
      ['explain', { key: 'hdsk_000000', tool: null }],
      ['log-level', { level: 3 }],
    ])
      assert.equal((await admin.ask(command, values)).error?.code, 'invalid_argument', JSON.stringify(values));
  });

  test('a word that is no command is answered with the nearest one', async () => {
    for (const [wrong, near] of [
      [['srve'], "did you mean 'toolhost serve'"],
      [['key', 'lst'], "did you mean 'toolhost key list'"],
      [['bogus'], 'Commands: serve'],
    ]) {
      const result = await toolhost(wrong);
      assert.equal(result.code, EXIT.usage);
      assert.ok(result.stderr.includes(`'toolhost ${wrong.join(' ')}'`), result.stderr);
      assert.ok(result.stderr.includes(near), result.stderr);
    }
  });

  test('import, export and reindex say what is wrong before they write anything', async (t) => {
    const directory = await freshDirectory(t);
    const data = ['--data-dir', join(directory, 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const csv = join(directory, 'old.csv');
    await writeFile(csv, 'id,title\n1,Printer\n');
    const json = join(directory, 'old.json');
    await writeFile(json, '[{"id":1}]');
    const into = (...args) => ['import', ...args, '--tenant', 'acme', ...data];
    for (const [args, code, words] of [
      [into('tickets', join(directory, 'none.csv')), EXIT.notFound, /none\.csv/],
      [into('tickets', json), EXIT.usage, /must end in \.csv.*jq -c/s],
      [into('tikets', csv), EXIT.notFound, /did you mean 'tickets'/],
      [into('search', csv), EXIT.notFound, /search has no import; plugins that have one: .*tickets/],
      [into('tickets', csv, '--map', 'title=Titel'), EXIT.usage, /no column 'Titel'; did you mean 'title'/],
      [into('tickets', csv, '--map', 'title'), EXIT.usage, /FIELD=COLUMN/],
      [into('tickets', csv, '--refused', csv), EXIT.usage, /--refused/],
      [['import', 'tickets', csv, '--tenant', 'acmee', ...data], EXIT.notFound, /acmee.*acme/],
      [['export', 'search', '--tenant', 'acme', ...data], EXIT.notFound, /search has no export/],
      [['export', 'tickets', '--tenant', 'acme', '--output', '/nowhere/x', ...data], EXIT.unavailable, /nowhere/],
    ]) {
      const result = await toolhost(args);
      assert.equal(result.code, code, `${args.join(' ')}\n${result.stdout}${result.stderr}`);
      assert.match(result.stderr, words);
    }
    assert.equal(await readFile(csv, 'utf8'), 'id,title\n1,Printer\n');
    assert.equal(await toolhostOk(['export', 'tickets', '--tenant', 'acme', ...data]), '');
  });

  test('Ctrl-C ends an import behind what it is doing, and the next run goes on', async (t) => {
    const directory = await freshDirectory(t);
    const data = ['--data-dir', join(directory, 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const file = join(directory, 'many.jsonl');
    const total = 5000;
    const rows = Array.from({ length: total }, (_, i) => JSON.stringify({ id: `old-${i}`, title: `Ticket ${i}` }));
    await writeFile(file, rows.join('\n'));
    const args = ['import', 'tickets', file, '--tenant', 'acme', ...data];

    const url = await toolhostOk(['db', 'url', ...data]);
    const child = spawn(BINARY, args);
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
    const ended = new Promise((done) => child.once('close', (code) => done(code)));
    let hasEnded = false;
    ended.then(() => (hasEnded = true));
    const count = () => sql(url, 'select count(*) from tickets.tickets').catch(() => '0');
    await eventually('some rows are in', async () => hasEnded || Number(await count()) > 0);
    child.kill('SIGINT');
    assert.equal(await ended, EXIT.failed, out.stdout + out.stderr);
    assert.match(out.stderr, /interrupted[\s\S]*same command again/);
    const [before] = reportOf(out.stdout);
    assert.ok(before > 0 && before < total, out.stdout);

    const next = await toolhost(args);
    assert.equal(next.code, EXIT.ok, next.stderr);
    assert.deepEqual(reportOf(next.stdout), [total - before, before, 0]);
  });

  test('an import draws its progress on a terminal, and nowhere else', async (t) => {
    const directory = await freshDirectory(t);
    const data = ['--data-dir', join(directory, 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const file = join(directory, 'few.csv');
    await writeFile(file, 'id,title\n1,Printer\n');
    const command = [BINARY, 'import', 'tickets', file, '--tenant', 'acme', '--dry-run', ...data];
    const terminal = await run('script', ['-qec', command.join(' '), '/dev/null']);
    assert.ok(terminal.stdout.includes('\r\u001b[Kchecking few.csv ['), terminal.stdout);
    assert.match(terminal.stdout, /1 accepted, 0 unchanged, 0 refused/);
    const plain = await toolhost(command.slice(1));
    assert.doesNotMatch(plain.stdout + plain.stderr, /\u001b/);
  });

  test('names of keys cannot drive a terminal', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    await sql(await host.command('db', 'url'), `update toolhost.api_keys set name = e'a\u001b[2Jb\u202ec'`);
    const list = await host.command('key', 'list');
    assert.ok(list.includes('a\\x1b[2Jb\\u{202e}c'), list);
    const rotated = await toolhost(['key', 'rotate', key, '--data-dir', host.dataDir]);
    const deleted = await toolhost(['key', 'delete', key, '--data-dir', host.dataDir]);
    assert.ok(deleted.stderr.includes('a\\x1b[2Jb\\u{202e}c'), deleted.stderr);
    assert.doesNotMatch(list + rotated.stderr + deleted.stderr, /[\u001b\u202e]/);
  });

  test('a key is made with scopes and an end, and neither is taken when it makes no sense', async (t) => {
    const data = ['--data-dir', join(await freshDirectory(t), 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const create = (...args) => toolhost(['key', 'create', '--tenant', 'acme', ...args, ...data]);

    const made = await create('--name', 'CI', '--scope', 'read', '--scope', 'tickets.*', '--expires', '2101-01-31');
    assert.equal(made.code, EXIT.ok, made.stderr);
    assert.match(made.stderr, /until 2101-01-31T00:00:00Z/);
    const before = Date.now();
    await create('--name', 'Ninety days', '--owner', 'ana@acme.example', '--expires', '90d');
    const after = Date.now();
    const keys = JSON.parse(await toolhostOk(['key', 'list', '--json', ...data]));
    assert.deepEqual(
      keys.map(({ name, scopes, status }) => ({ name, scopes, status })),
      [
        { name: 'CI', scopes: ['read', 'tickets.*'], status: 'active' },
        { name: 'Ninety days', scopes: [], status: 'active' },
      ],
    );
    assert.equal(keys[0].expires_at, '2101-01-31T00:00:00Z');
    const end = Date.parse(keys[1].expires_at) - 90 * 86_400_000;
    assert.ok(end > before - 1000 && end <= after, keys[1].expires_at);
    const table = await toolhostOk(['key', 'list', ...data]);
    assert.match(table, /STATUS +SCOPES +EXPIRES/);
    assert.match(table, /CI +- +active +read tickets\.\* +2101-01-31T00:00:00Z/);

    for (const [args, words] of [
      [['--name', '  '], /1 to 60 bytes, not only spaces/],
      [['--name', 'x'.repeat(61)], /1 to 60 bytes/],
      [['--name', 'two\nlines'], /control characters; got two$/m],
      [['--name', 'a\u202eb'], /readable text/],
      [['--name', 'x', '--owner', 'ana'], /e-mail address.*got 'ana'/],
      [['--name', 'x', '--owner', 'ana@'], /e-mail address/],
      [['--name', 'x', '--owner', 'a b@c.d'], /e-mail address/],
      [['--name', 'x', '--scope', 'Read All'], /is no scope.*"read"/],
      [['--name', 'x', '--expires', '2020-01-31'], /in the past/],
      [['--name', 'x', '--expires', '0'], /in the past/],
      [['--name', 'x', '--expires', 'next year'], /such as 90d.*2027-01-31.*got 'next year'/],
      [['--name', 'x', '--expires', '2027-02-30'], /such as 90d/],
    ]) {
      const refused = await create(...args);
      assert.equal(refused.code, EXIT.usage, `${args.join(' ')}\n${refused.stderr}`);
      assert.match(refused.stderr, words);
      assert.equal(refused.stdout, '');
    }
    assert.equal(JSON.parse(await toolhostOk(['key', 'list', '--json', ...data])).length, 2);
  });

  test('what is allowed but probably not meant is warned of', async (t) => {
    const directory = await freshDirectory(t);
    const file = join(directory, 'host.yaml');
    await writeFile(
      file,
      'tenants:\n  - name: acme\n    members:\n      - { email: vi@acme.example, name: Vi, role: viewer }\n',
    );
    const data = ['--config', file, '--data-dir', join(directory, 'data')];
    await toolhostOk(['tenant', 'create', 'acme', ...data]);
    const create = (...args) => toolhost(['key', 'create', '--tenant', 'acme', ...args, ...data]);
    for (const [args, words] of [
      [['--name', 'A', '--owner', 'vi@acme.example', '--scope', 'write'], /vi@acme\.example is a viewer .* 'write'/],
      [['--name', 'B', '--scope', 'raed'], /no plugin .* 'raed' matches; did you mean 'read'/],
      [['--name', 'B', '--scope', 'create_tickt'], /no plugin .* 'create_tickt' matches; did you mean 'create_ticket'/],
      [['--name', 'B', '--scope', 'tickets.'], /'tickets\.' matches; did you mean 'tickets\.\*'/],
      [['--name', 'B', '--scope', 'nosuch.*'], /'nosuch\.\*' matches$/m],
      [['--name', 'C', '--scope', 'tickets.*', '--scope', 'create_task', '--scope', 'search_*'], null],
      [['--name', 'B', '--owner', 'bo@acme.example', '--scope', 'write'], null],
      [['--name', 'A', '--scope', 'write'], null],
      [['--name', 'B'], /key for "B" already.*--owner/],
      [['--name', 'vi@acme.example'], /key for "vi@acme\.example" already/],
      [['--name', 'A', '--owner', 'vi@acme.example', '--scope', 'read'], null],
    ]) {
      const made = await create(...args);
      assert.equal(made.code, EXIT.ok, made.stderr);
      assert.match(made.stdout, /^hdsk_[0-9A-Za-z]{32}\n$/);
      if (words) assert.match(made.stderr, words);
      else assert.doesNotMatch(made.stderr, /warning/, args.join(' '));
    }
  });

  test('a rotated key and its successor work side by side until the overlap ends', async (t) => {
    const host = await Host.start(t);
    const old = await host.key();
    const status = async (key) => (await post(host.url, key, rpc('ping'))).status;
    const rotate = (key, overlap) =>
      toolhost(['key', 'rotate', key.slice(0, 11), '--overlap', overlap, '--data-dir', host.dataDir]);

    const rotated = await rotate(old, '3s');
    assert.equal(rotated.code, EXIT.ok, rotated.stderr);
    const next = rotated.stdout.trimEnd();
    assert.match(next, KEY);
    assert.match(rotated.stderr, new RegExp(`${old.slice(0, 11)}\\.\\.\\., works until \\d{4}-.*Z`));
    await eventually('the new key works', async () => (await status(next)) === 200, { limit: 2000 });
    assert.match(await host.command('key', 'list'), /replaced \(until /);
    await eventually('the old key has ended', async () => (await status(old)) === 403, { limit: 5000 });
    assert.equal(await status(next), 200);

    const again = await rotate(old, '1h');
    assert.equal(again.code, EXIT.failed, again.stderr);
    assert.match(again.stderr, new RegExp(`replaced already; rotate ${next.slice(0, 11)} instead`));
    assert.equal(again.stdout, '');
    assert.equal((await rotate(next, 'soon')).code, EXIT.usage);
    assert.equal((await rotate('hdsk_000000', '1h')).code, EXIT.notFound);
  });

  test('a disabled key is refused within a second, with its streams, and works again when it is enabled', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    const status = async () => (await post(host.url, key, rpc('ping'))).status;
    const stream = await SseStream.connect(host.port, key);
    t.after(() => stream.close());
    await host.command('key', 'disable', key.slice(0, 11));
    await eventually('it is refused', async () => (await status()) === 403, { limit: 1000 });
    await eventually('its stream ends', async () => stream.hasEnded, { limit: 1000 });
    assert.equal((await toolhost(['key', 'rotate', key, '--data-dir', host.dataDir])).code, EXIT.failed);
    await host.command('key', 'enable', key);
    await eventually('it works again', async () => (await status()) === 200, { limit: 1000 });
  });

  test('a data directory that is none is named, and not made', async (t) => {
    const directory = await freshDirectory(t);
    for (const args of [
      ['tenant', 'list'],
      ['key', 'list', '--json'],
      ['key', 'delete', 'hdsk_000000'],
      ['key', 'disable', 'hdsk_000000'],
      ['key', 'rotate', 'hdsk_000000'],
      ['key', 'create', '--tenant', 'acme', '--name', 'x'],
      ['plugin', 'list'],
      ['explain', '--key', 'hdsk_000000', '--tool', 'get_ticket'],
      ['export', 'tickets', '--tenant', 'acme'],
      ['reindex'],
      ['db', 'url'],
    ]) {
      const typo = join(directory, 'dta');
      const result = await toolhost([...args, '--data-dir', typo]);
      assert.equal(result.code, EXIT.notFound, `${args.join(' ')}: ${result.stderr}`);
      const words = `there is no Toolhost data in ${typo}; start the host there first`;
      assert.ok(result.stderr.includes(words), result.stderr);
      await assert.rejects(stat(typo), { code: 'ENOENT' }, args.join(' '));
      assert.equal(result.stdout, '');
    }
  });

  test('plugin list names tools, resources, templates and prompts', async (t) => {
    const directory = await freshDirectory(t);
    const file = join(directory, 'host.yaml');
    await writeFile(file, JSON.stringify({ plugins: [{ file: '../test-plugins/conformance.so' }] }));
    const args = ['--config', file, '--data-dir', join(directory, 'data')];
    await toolhostOk(['migrate', ...args]);
    const [plugin] = JSON.parse(await toolhostOk(['plugin', 'list', '--json', ...args]));
    assert.ok(plugin.tools.includes('test_simple_text'), plugin.tools.join());
    assert.deepEqual(plugin.resources, ['static-text', 'static-binary', 'watched-resource']);
    assert.deepEqual(plugin.templates, ['template-data']);
    assert.ok(plugin.prompts.includes('test_simple_prompt'), plugin.prompts.join());
    const table = await toolhostOk(['plugin', 'list', ...args]);
    for (const name of ['test_simple_text', 'resource:static-text', 'resource:template-data', 'prompt:test_simple_prompt'])
      assert.match(table, new RegExp(`[ ]${name}[, ]`));
  });

  test('secrets are for their owner alone', async (t) => {
    const directory = join(await freshDirectory(t), 'data');
    await toolhostOk(['migrate', '--data-dir', directory]);
    assert.equal((await stat(join(directory, 'secrets'))).mode & 0o777, 0o700);
  });

  test('a variable that the configuration refers to and nobody has set is wrong configuration', async (t) => {
    const directory = await freshDirectory(t);
    const file = join(directory, 'host.yaml');
    await writeFile(file, 'database: { url: "env:TOOLHOST_TEST_UNSET" }\n');
    const result = await toolhost(['serve', '--config', file, '--data-dir', join(directory, 'data'), '--port', '0']);
    assert.equal(result.code, EXIT.usage, result.stderr);
    assert.match(result.stderr, /TOOLHOST_TEST_UNSET/);
  });

  test('what is missing on this machine is told all at once, before there is a database; elsewhere it need not be there', async (t) => {
    const directory = await freshDirectory(t);
    const file = join(directory, 'host.yaml');
    const data = join(directory, 'data');
    const lines = [
      'http:',
      '  public_url: https://mcp.example.com',
      '  tls: { certificate: /nowhere/chain.pem, key: "file:/nowhere/key.pem" }',
      'keys: { pepper: "file:/nowhere/pepper" }',
      'portal: { sign_in: { client_id: a, client_secret: "env:TOOLHOST_TEST_UNSET", ca_file: /nowhere/ca.pem } }',
      'plugins: [{ file: tickets.so }, { file: /nowhere/own.so }]',
    ];
    await writeFile(file, lines.join('\n'));
    const places = (text) => [...text.matchAll(/host\.yaml:(\d+):\d+: /g)].map(([, line]) => Number(line));
    const serve = await toolhost(['serve', '--config', file, '--data-dir', data, '--port', '0']);
    assert.equal(serve.code, EXIT.usage, serve.stderr);
    assert.deepEqual(places(serve.stderr), [3, 3, 4, 5, 5]);
    await assert.rejects(stat(data), 'nothing was made');
    const check = await toolhost(['check-config', file]);
    assert.equal(check.code, EXIT.usage, check.stderr);
    assert.deepEqual(places(check.stderr), [3, 3, 4, 5, 5, 6]);
    assert.match(check.stderr, /--elsewhere/);
    assert.equal((await toolhost(['check-config', '--elsewhere', file])).code, EXIT.ok);

    lines.push('metrics: { port: 8080 }');
    await writeFile(file, lines.join('\n'));
    const elsewhere = await toolhost(['check-config', '--elsewhere', file]);
    assert.equal(elsewhere.code, EXIT.usage, elsewhere.stderr);
    assert.deepEqual(places(elsewhere.stderr), [7]);
    assert.doesNotMatch(elsewhere.stderr, /--elsewhere/);
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
    const [head] = host.output.split('Your API key');
    assert.match(head, /\n {2}portal {3}http\S+\/mcp .*\n\n$/, 'the portal comes first, apart from what is pasted');
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
    ['an unknown role', 'tenants:\n  - name: a\n    default_role: boss\n', 3, /viewer, agent, admin/],
    [
      'a person listed twice',
      'tenants:\n  - name: a\n    members:\n      - email: a@b.c\n      - email: A@b.c\n',
      5,
      /listed twice/,
    ],
    [
      'settings for no plugin',
      'tenants:\n  - name: a\n    settings:\n      tikets: {}\n',
      4,
      /tikets.*did you mean 'tickets'/,
    ],
    ['a tool that no plugin has', 'defaults:\n  tools:\n    deny: [create_tikcet]\n', 3, /did you mean 'create_ticket'/],
    [
      'settings that a plugin refuses',
      'tenants:\n  - name: a\n    settings:\n      tickets:\n        categoriez: []\n',
      5,
      /did you mean 'categories'/,
    ],
    ['a public address with a user name', 'http:\n  public_url: https://user@host\n', 2, /the URL holds a user name/],
    ['a public address below a path', 'http:\n  public_url: https://host/x\n', 2, /a path or a query/],
    [
      'a provider without a client_id',
      'portal:\n  sign_in: {issuer: "https://id.acme.example"}\n',
      2,
      /has 'issuer' but no 'client_id'/,
    ],
    ['a time zone of no place', 'tenants:\n  - name: a\n    time_zone: Europe/Berlni\n', 3, /Europe\/Berlin/],
    ['a rate without a unit', 'defaults:\n  limits:\n    key: {rate: 50}\n', 3, /50\/s/],
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
