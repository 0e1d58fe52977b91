// Plugins from outside: one in C99, built against the installed package only, serves beside the C++ one; bad ones are
// refused or contained with a message that names the file, the reason and the cure.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, Host, toolhost } from './support/host.mjs';
import { callTool, post, rpc, textOf } from './support/raw.mjs';
import { buildOutsidePlugins, configWith } from './support/outside.mjs';

// Offsets in the identity card (plugin.h, th_card).
const CARD = { major: 12, minor: 16, minorRequired: 20 };

describe('outside plugin', { timeout: 300_000 }, () => {
  let directory;
  const cleanups = [];
  before(async () => {
    directory = await buildOutsidePlugins({ after: (cleanup) => cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const built = (name) => join(directory, `${name}.so`);

  /** A copy of outside_notes.so, changed by `change(bytes, offset of its card)`. */
  async function changed(name, change) {
    const bytes = await readFile(built('outside_notes'));
    const card = bytes.indexOf('THCARD1\0');
    assert.ok(card > 0, 'the card is in the file');
    const file = join(directory, `${name}.so`);
    await writeFile(file, change(bytes, card) ?? bytes);
    return file;
  }

  /** The log is written behind the answers: what it says once it matches. */
  const logged = (host, pattern) => eventually(`the log says ${pattern}`, () => pattern.exec(host.errors));

  /** What `plugin list --json` says; it ends with 1 when a plugin is refused. */
  const listed = async (host) =>
    JSON.parse((await toolhost(['plugin', 'list', '--json', ...host.configArgs, '--data-dir', host.dataDir])).stdout);

  test('a C99 plugin loads beside the tickets plugin and serves its tools', async (t) => {
    const host = await Host.start(t, { config: configWith(built('outside_notes')) });
    const key = await host.key();
    const { tools } = (await post(host.url, key, rpc('tools/list'))).message.result;
    const names = tools.map((tool) => tool.name);
    for (const name of ['create_ticket', 'outside_echo', 'outside_add_note'])
      assert.ok(names.includes(name), `${names}`);

    const text = 'הד 🔁 "quoted" \\ \n';
    const echoed = await callTool(host.url, key, 'outside_echo', { text });
    assert.deepEqual(echoed.structuredContent, { text });
    assert.equal(textOf(await callTool(host.url, key, 'outside_add_note', { body: 'a note' })), 'noted');
    const read = await callTool(host.url, key, 'outside_sql', { sql: 'select body from notes' });
    assert.equal(read.content[0].text, 'a note');
    const wrong = await callTool(host.url, key, 'outside_echo', { txt: 'x' });
    assert.equal(wrong.isError, true);
    assert.match(textOf(wrong), /text/);
    assert.equal(
      (await callTool(host.url, key, 'create_ticket', { title: 'beside it' })).structuredContent.created,
      true,
    );

    const plugin = (await listed(host)).find((candidate) => candidate.id === 'outside_notes');
    assert.equal(plugin.version, '1.2.3');
    assert.equal(plugin.state, 'serving');
    assert.match(plugin.built_with, /^clang 19/);
  });

  test('a hostile plugin that runs any SQL reaches no row of another tenant and nothing of the host', async (t) => {
    const host = await Host.start(t, { config: configWith(built('outside_notes')) });
    const [alpha, beta] = [await host.key('alpha'), await host.key('beta')];
    await callTool(host.url, alpha, 'outside_add_note', { body: 'alpha only' });
    await callTool(host.url, alpha, 'create_ticket', { title: 'alpha only' });
    const asBeta = (sql) => callTool(host.url, beta, 'outside_sql', { sql });
    assert.equal(textOf(await asBeta('select count(*) from notes')), '0\ndone');
    const harmless = ["update notes set body = 'taken'", 'delete from notes'];
    for (const sql of harmless) assert.notEqual((await asBeta(sql)).isError, true, sql);
    const refused = [
      "select set_config('app.tenant_id', '1', true)",
      "select set_config('app.tenant_id', '1', false), body from notes",
      "update pg_settings set setting = '1' where name = 'app.tenant_id'",
      "set app.tenant_id = '1'",
      'reset all',
      'reset role',
      'commit',
      'begin',
      'select * from toolhost.keys',
      'select * from toolhost.tenants',
      'select * from pg_authid',
      "do $$ begin perform set_config('app.tenant_id', '1', true); end $$",
      "select query_to_xml('select set_config(''app.tenant_id'',''1'',true)', true, true, '')",
      "with x as (select set_config('app.tenant_id', '1', true)) select * from x, notes",
      'select 1; select 2',
      "copy notes to program 'cat'",
      "select pg_read_file('/etc/passwd')",
      'create table mine (x int)',
      "select lo_import('/etc/passwd')",
      "insert into notes (tenant_id, body) select n, 'x' from generate_series(1, 5) n",
      'prepare p as select 1',
      "select dblink_connect('')",
      'listen toolhost_keys',
      "explain analyze select set_config('app.tenant_id', '1', true)",
      'alter table notes disable row level security',
      'truncate notes',
      'grant all on notes to public',
    ];
    for (const sql of refused) {
      const result = await asBeta(sql);
      assert.equal(result.isError, true, `${sql} was run: ${textOf(result)}`);
      assert.ok(!textOf(result).includes('alpha only'), sql);
    }
    for (const name of ['tickets', 'com_toolhost_tickets', 'toolhost_tickets']) {
      assert.equal((await asBeta(`select title from ${name}.tickets`)).isError, true);
    }
    assert.equal(
      (await callTool(host.url, alpha, 'outside_sql', { sql: 'select body from notes' })).content[0].text,
      'alpha only',
    );
    assert.equal(textOf(await asBeta('select count(*) from notes')), '0\ndone', 'and the connection is what it was');
  });

  const bad = [
    [
      'that needs a newer ABI',
      () =>
        changed('newer_minor', (bytes, card) => {
          bytes.writeUInt32LE(7, card + CARD.minor);
          bytes.writeUInt32LE(7, card + CARD.minorRequired);
        }),
      /ABI 1\.7.*1\.1/s,
      /upgrade|older|newer/i,
    ],
    [
      'of another ABI major',
      () =>
        changed('newer_major', (bytes, card) => {
          bytes.writeUInt32LE(2, card + CARD.major);
        }),
      /ABI.*2/s,
      /upgrade|rebuild|built/i,
    ],
    [
      'that is truncated',
      () => changed('truncated', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))),
      /truncated|incomplete|damaged|shorter/i,
      /copy|build|install/i,
    ],
    [
      'that is empty',
      () => changed('empty', () => Buffer.alloc(0)),
      /empty|not an ELF|not a shared library/i,
      /copy|build|install/i,
    ],
    [
      'that is no library',
      () => changed('text', () => Buffer.from('#!/bin/sh\necho hello\n'.repeat(100))),
      /ELF|shared library/i,
      /copy|build|install/i,
    ],
    [
      'with a stray export',
      () => built('outside_stray'),
      /outside_helper/,
      /version script|toolhost_add_plugin|toolhost_plugin\.map|hidden|static/i,
    ],
    [
      'that does not exist',
      () => join(directory, 'nowhere.so'),
      /no such file|does not exist|not found|there is no/i,
      /plugins|file|path|build/i,
    ],
  ];
  for (const [what, make, reason, cure] of bad) {
    test(`a plugin ${what} is refused by file, reason and cure; the others serve`, async (t) => {
      const file = await make();
      const host = await Host.start(t, { config: configWith(file, built('outside_notes')) });
      const key = await host.key();
      assert.equal(
        (await callTool(host.url, key, 'create_ticket', { title: 'still serving' })).structuredContent.created,
        true,
      );
      assert.notEqual((await callTool(host.url, key, 'outside_echo', { text: 'x' })).isError, true);

      const plugin = (await listed(host)).find((candidate) => candidate.file === file);
      assert.ok(plugin, `plugin list names ${file}`);
      assert.equal(plugin.state, 'refused');
      t.diagnostic(plugin.reason);
      assert.match(plugin.reason, reason);
      assert.match(plugin.reason, cure);
      await eventually(`the log names ${basename(file)}`, () => host.log.includes(basename(file)) && reason.test(host.log));
    });
  }

  test('an exception in a handler fails that call only; the log names plugin, tool and reason', async (t) => {
    const host = await Host.start(t, { config: configWith(built('outside_throwing')) });
    const key = await host.key();
    const result = await callTool(host.url, key, 'outside_throw', {});
    assert.equal(result.isError, true);
    assert.ok(!textOf(result).includes('thrown on purpose'), 'the caller sees no text of the exception');
    const created = await callTool(host.url, key, 'create_ticket', { title: 'still serving' });
    assert.equal(created.structuredContent.created, true);
    const [line] = await logged(host, /^.*thrown on purpose by outside_throwing.*$/m);
    assert.match(line, /"plugin":"outside_throwing"/);
    assert.match(line, /outside_throw\b/);
  });

  test('an exception through the ABI fails its call, and the log names file, tool, reason and cure', async (t) => {
    const host = await Host.start(t, { config: configWith(built('outside_unguarded')) });
    const key = await host.key();
    const { id } = (await callTool(host.url, key, 'create_ticket', { title: 'before' })).structuredContent.ticket;
    const failed = await callTool(host.url, key, 'outside_throw_unguarded', {});
    assert.equal(failed.isError, true);
    assert.doesNotMatch(failed.content[0].text, /thrown on purpose/);
    const [line] = await logged(host, /^.*outside_throw_unguarded of \S*outside_unguarded\.so.*$/m);
    assert.match(line, /thrown on purpose by outside_unguarded/);
    assert.match(line, /toolhost\/plugin\.hpp/);
    assert.equal((await callTool(host.url, key, 'get_ticket', { id })).structuredContent.ticket.title, 'before');
  });
});
