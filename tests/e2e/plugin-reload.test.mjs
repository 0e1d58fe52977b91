// Another version of a plugin takes the place of the one that serves, under load, without a lost call.
import assert from 'node:assert/strict';
import { copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { Admin } from './support/admin.mjs';
import { sdk1Http } from './support/clients.mjs';
import { command } from './support/helpdesk.mjs';
import { BINARY, eventually, freshDirectory, Host, sleep, sql } from './support/host.mjs';
import { callTool, post, rpc, SseStream, textOf } from './support/raw.mjs';

const RELOADS = Number(process.env.TOOLHOST_TEST_PLUGIN_RELOADS ?? 500);
const CLIENTS = 32;
const BUILT = join(dirname(BINARY), '..', 'test-plugins');

describe('plugin-reload', { timeout: 1_800_000 }, () => {
  /** A host that serves version 1, and put(N), which renames version N over the file as an operator does. */
  const serve = async (t, more = {}) => {
    const directory = join(await freshDirectory(t), 'plugins');
    await mkdir(directory, { mode: 0o755 });
    const file = join(directory, 'versions.so');
    const put = async (version) => {
      await copyFile(join(BUILT, `versions_${version}.so`), `${file}.next`);
      await rename(`${file}.next`, file);
    };
    await put(1);
    const yaml = (entry = {}, rest = {}) =>
      JSON.stringify({
        plugins: [{ file, ...entry }],
        reload: { watch: false },
        defaults: { limits: { key: { rate: 'off' } } },
        tenants: [{ name: 'demo', ...rest }],
      });
    const host = await Host.start(t, { config: yaml(more.entry, more.tenant) });
    return { host, key: await host.key(), put, file, yaml };
  };
  const reload = (host, ...args) => command(host, ['plugin', 'reload', 'versions', ...args]);
  const metric = async (host, name) =>
    Number(new RegExp(`^${name}\\{plugin="versions"\\} (.*)$`, 'm').exec(await (await fetch(`${host.url}/metrics`)).text())[1]);

  test(`${RELOADS} reloads under ${CLIENTS} clients lose no call and no memory`, async (t) => {
    const { host, key, put } = await serve(t);
    const admin = await Admin.open(host);
    t.after(() => admin.close());
    const streams = await Promise.all(Array.from({ length: 4 }, () => SseStream.connect(host.port, key)));
    t.after(() => Promise.all(streams.map((stream) => stream.close())));

    let running = true;
    const seen = { 1: 0, 2: 0 };
    let noted = 0;
    const client = async (number) => {
      for (let round = 0; running; round += 1) {
        const tool = ['which', 'note', 'linger'][(number + round) % 3];
        const args = { which: {}, note: { text: 'x' }, linger: { ms: 5 } }[tool];
        const text = textOf(await callTool(host.url, key, tool, args));
        assert.ok(text in seen, `${tool}: ${text}`);
        seen[text] += 1;
        if (tool === 'note') noted += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    clients.catch(() => {});

    let atStart = 0;
    let report;
    const times = [];
    for (let round = 1; round <= RELOADS; round += 1) {
      await put(1 + (round % 2));
      const began = performance.now();
      // Instances that still end their calls are bounded: who reloads faster than calls end is told to wait.
      for (;;) {
        report = await admin.ask('reload_plugin', { id: 'versions' });
        if (!/still end their calls/.test(report.error ?? '')) break;
        await sleep(5);
      }
      times.push(performance.now() - began);
      assert.equal(report.generation, round + 1, JSON.stringify(report));
      if (round === Math.ceil(RELOADS / 5)) atStart = await host.residentBytes();
    }
    const atEnd = await host.residentBytes();
    running = false;
    await clients;
    times.sort((a, b) => a - b);
    t.diagnostic(
      `${RELOADS} reloads, ${seen[1]} calls in version 1 and ${seen[2]} in version 2 meanwhile; a reload takes ` +
        `${times[RELOADS >> 1].toFixed(0)} ms (p99 ${times[Math.floor(RELOADS * 0.99)].toFixed(0)} ms); resident ` +
        `${(atStart / 1e6).toFixed(1)} MB after a fifth, ${(atEnd / 1e6).toFixed(1)} MB at the end; mapped: ` +
        `${report.versions} versions, ${report.mapped_bytes} bytes of files`,
    );
    assert.ok(seen[1] > 0 && seen[2] > 0);
    assert.equal(report.versions, 2, 'the same content is mapped once');
    assert.ok(atEnd < atStart * 1.1 + 8e6, 'memory is flat');
    const rows = await sql(await host.command('db', 'url'), 'select count(*) from versions.notes');
    assert.equal(Number(rows), noted, 'every note that was answered is there once');
    await eventually('all replaced instances have ended', async () => (await metric(host, 'toolhost_plugin_retiring_instances')) === 0);
    assert.equal(await metric(host, 'toolhost_plugin_versions'), 2);
    for (const [number, stream] of streams.entries()) {
      await stream.send(rpc('ping', {}, `still ${number}`));
      assert.deepEqual((await stream.answer(`still ${number}`)).result, {});
    }
  });

  test('an operator sees what clients would see otherwise before it takes effect, and clients are told', async (t) => {
    const { host, key, put } = await serve(t);
    const sdk = await sdk1Http(host.url, key);
    t.after(() => sdk.close());
    const before = (await sdk.listTools()).map((tool) => tool.name);
    assert.ok(before.includes('only_old'));
    let told = 0;
    sdk.client.fallbackNotificationHandler = async ({ method }) => {
      if (method === 'notifications/tools/list_changed') told += 1;
    };

    await put(2);
    const dry = await reload(host, '--dry-run');
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^versions 2\.0\.0 would take the place of 1\.0\.0\n/);
    assert.match(dry.stdout, /^ {2}tool only_old is gone$/m);
    assert.match(dry.stdout, /^ {2}tool note: inputSchema\/properties\/text\/maxLength: 100 -> 200$/m);
    assert.match(dry.stdout, /^offers_sha256: [0-9a-f]{64}$/m);
    assert.equal(textOf(await callTool(host.url, key, 'which', {})), '1', 'nothing has changed');

    const done = await reload(host);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^versions 2\.0\.0 serves in the place of 1\.0\.0 \(generation 2\)\n/);
    assert.match(done.stdout, /^2 versions of it in memory, [\d,]+ KiB of files; /m);
    assert.equal(textOf(await callTool(host.url, key, 'which', {})), '2');
    await eventually('the client is told that its tools changed', () => told === 1);
    const after = (await sdk.listTools()).map((tool) => tool.name);
    assert.ok(after.includes('only_new') && !after.includes('only_old'));
    const gone = await post(host.url, key, rpc('tools/call', { name: 'only_old', arguments: {} }));
    assert.match(gone.message.error.message, /Unknown tool: only_old/);

    const again = await reload(host, '--dry-run', '--json');
    assert.deepEqual(
      [JSON.parse(again.stdout)].map((said) => [said.same_file, said.changes.length, said.dry_run]),
      [[true, 0, true]],
    );
  });

  test('what is refused leaves the old version serving, with a reason and a cure', async (t) => {
    const { host, key, put, file } = await serve(t);
    await put(4);
    const refused = await reload(host);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /versions\.so: create\(\) answered -12; the plugin's log lines before this one say why/);
    await writeFile(file, 'no plugin');
    assert.match((await reload(host)).stderr, /versions\.so: /);
    assert.match((await reload(host, '--dry-run')).stderr, /versions\.so: /);
    const unknown = await command(host, ['plugin', 'reload', 'version']);
    assert.equal(unknown.code, 4);
    assert.match(unknown.stderr, /there is no plugin version; there is: versions/);
    assert.equal(textOf(await callTool(host.url, key, 'which', {})), '1');
    await put(2);
    assert.equal((await reload(host)).code, 0);
    assert.equal(textOf(await callTool(host.url, key, 'which', {})), '2');
    await host.stop();
    assert.notEqual((await reload(host)).code, 0, 'without a host there is nothing to reload');
  });

  test('a pinned hash of what is offered holds at the start, at a reload and after the pin was changed', async (t) => {
    const { host, key, put, yaml } = await serve(t);
    const pin = async () => /^offers_sha256: (.*)$/m.exec((await reload(host, '--dry-run')).stdout)[1];
    const first = await pin();
    await writeFile(host.configArgs[1], yaml({ offers_sha256: first }));
    const applied = await command(host, ['reload']);
    assert.match(applied.stdout, /offers_sha256/);
    await put(2);
    const refused = await reload(host);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, new RegExp(`not ${first} as the configuration wants`));
    assert.equal(textOf(await callTool(host.url, key, 'which', {})), '1');
    await writeFile(host.configArgs[1], yaml({ offers_sha256: await pin() }));
    await command(host, ['reload']);
    assert.equal((await reload(host)).code, 0);
    assert.equal(textOf(await callTool(host.url, key, 'which', {})), '2');

    await writeFile(host.configArgs[1], yaml({ offers_sha256: 'ABC' }));
    assert.match((await command(host, ['reload'])).stderr, /host\.yaml:\d+:\d+: .*offers_sha256.*64 hexadecimal digits/);
    await writeFile(host.configArgs[1], yaml({ offers_sha256: first }));
    host.options.config = yaml({ offers_sha256: first });
    await host.stop();
    await host.restart();
    assert.match(host.log, /what it offers to clients has the hash/, 'refused at the start, too');
  });

  test('a configuration that names what is gone is told at once, not at the next start', async (t) => {
    const { host, put } = await serve(t, { tenant: { tools: { deny: ['only_old'] } } });
    await put(2);
    const done = await reload(host);
    assert.equal(done.code, 0);
    assert.match(done.stderr, /host\.yaml:\d+.*: no plugin has a tool 'only_old'/);
    assert.match(done.stderr, /with this configuration the host would not start again/);
  });
});
