// A new configuration takes effect in one step, under load, or not at all.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Admin } from './support/admin.mjs';
import { sdk1Http, sdk1Sse } from './support/clients.mjs';
import { command } from './support/helpdesk.mjs';
import { eventually, freshDirectory, Host, sleep, SLOWNESS } from './support/host.mjs';
import { insertKeys } from './support/keys.mjs';
import { buildOutsidePlugins } from './support/outside.mjs';
import { post, rpc, SseStream, textOf } from './support/raw.mjs';

/** How often the configuration alternates; 10,000 takes some minutes. */
const RELOADS = Number(process.env.TOOLHOST_TEST_RELOADS ?? 300);
const CLIENTS = 32;

describe('reload', { timeout: 1_800_000 }, () => {
  const cleanups = [];
  let plugin;
  before(async () => {
    const plugins = await buildOutsidePlugins({ after: (cleanup) => cleanups.push(cleanup) });
    plugin = join(plugins, 'outside_many.so');
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const yaml = (tenants, more = {}) =>
    JSON.stringify(
      { plugins: [{ file: plugin }], reload: { watch: false }, defaults: { limits: { key: { rate: 'off' } } }, ...more, tenants },
      null,
      1,
    );
  const toolNames = async (url, key) =>
    (await post(url, key, rpc('tools/list'))).message.result.tools.map((tool) => tool.name);
  const readiness = async (host) => {
    const answer = await fetch(`${host.url}/readyz`);
    return { status: answer.status, ...(await answer.json()) };
  };

  test(`${RELOADS} reloads alternate two configurations under ${CLIENTS} clients`, async (t) => {
    // One allows write_00 and denies write_01, the other the reverse: every call must meet the policy of one of them.
    const version = (denied, rest) => yaml([{ name: 'demo', tools: { deny: [denied] }, settings: {}, ...rest }]);
    const versions = [version('write_00'), version('write_01', { title: 'Second' })];
    const broken = versions[0].replace('"deny"', '"deni"');
    const host = await Host.start(t, { config: versions[0] });
    const file = host.configArgs[1];
    const key = await host.key();
    const admin = await Admin.open(host);
    t.after(() => admin.close());
    const streams = await Promise.all(Array.from({ length: 8 }, () => SseStream.connect(host.port, key)));
    t.after(() => Promise.all(streams.map((stream) => stream.close())));

    let running = true;
    const seen = { calls: 0, done: [0, 0], unknown: [0, 0] };
    const client = async () => {
      while (running) {
        for (const which of [0, 1]) {
          const name = `write_0${which}`;
          const { status, message } = await post(host.url, key, rpc('tools/call', { name, arguments: {} }));
          seen.calls += 1;
          if (message?.error?.message === `Unknown tool: ${name}`) seen.unknown[which] += 1;
          else if (message?.result && textOf(message.result) === 'done') seen.done[which] += 1;
          else throw new Error(`HTTP ${status} ${JSON.stringify(message)}`);
        }
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    clients.catch(() => {});

    let [atStart, generation] = [0, 0];
    const started = performance.now();
    for (let round = 1; round <= RELOADS; round += 1) {
      const isBroken = round % 97 === 0;
      await writeFile(file, isBroken ? broken : versions[round % 2]);
      const said = await admin.ask('reload');
      assert.equal(said.applied, !isBroken, JSON.stringify(said));
      if (isBroken) {
        assert.equal(said.problems[0].file, file);
        assert.ok(said.problems[0].line > 1 && /deni/.test(said.problems[0].message), JSON.stringify(said));
        assert.equal(said.generation, generation, 'the last good one stays in force');
      } else {
        assert.ok(said.generation > generation);
        generation = said.generation;
      }
      if (round === Math.ceil(RELOADS / 5)) atStart = await host.residentBytes();
    }
    const seconds = (performance.now() - started) / 1000;
    const atEnd = await host.residentBytes();
    running = false;
    await clients;
    t.diagnostic(
      `${RELOADS} reloads in ${seconds.toFixed(1)} s, ${seen.calls} calls meanwhile: ` +
        `done ${seen.done}, unknown ${seen.unknown}; resident ${(atStart / 1e6).toFixed(1)} MB after a fifth, ` +
        `${(atEnd / 1e6).toFixed(1)} MB at the end`,
    );
    for (const counts of [seen.done, seen.unknown]) assert.ok(counts[0] > 0 && counts[1] > 0, JSON.stringify(seen));
    assert.ok(atEnd < atStart * 1.1 + 8e6, 'memory is flat');
    for (const [number, stream] of streams.entries()) {
      assert.equal(stream.hasEnded, false, 'no stream is dropped');
      await stream.send(rpc('ping', {}, `still ${number}`));
      assert.deepEqual((await stream.answer(`still ${number}`)).result, {});
    }
  });

  test('a broken file changes nothing, is named with its line, and shows in readiness until it is mended', async (t) => {
    const host = await Host.start(t, { config: yaml([{ name: 'demo' }]) });
    const file = host.configArgs[1];
    const key = await host.key();
    const before = await toolNames(host.url, key);

    await writeFile(file, yaml([{ name: 'demo', tools: { denny: ['write_00'] } }]));
    const refused = await command(host, ['reload']);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /host\.yaml:\d+:\d+: .*denny.*deny/);
    assert.deepEqual(await toolNames(host.url, key), before);
    const warned = await readiness(host);
    assert.equal(warned.status, 'ready');
    assert.match(warned.warnings.join(), /host\.yaml/);

    await writeFile(file, yaml([{ name: 'demo', tools: { deny: ['write_00', 'no_such_tool'] } }]));
    assert.match((await command(host, ['reload'])).stderr, /no_such_tool/);

    await writeFile(file, yaml([{ name: 'demo', tools: { deny: ['write_00'] } }]));
    const dry = await command(host, ['reload', '--dry-run']);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /demo loses write_00/);
    assert.deepEqual(await toolNames(host.url, key), before);

    const applied = await command(host, ['reload']);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /demo loses write_00/);
    assert.deepEqual(await toolNames(host.url, key), before.filter((name) => name !== 'write_00'));
    assert.equal((await readiness(host)).warnings, undefined);
  });

  test('SIGHUP reloads, and what needs a restart is said', async (t) => {
    const host = await Host.start(t, { config: yaml([{ name: 'demo' }]) });
    const key = await host.key();
    await writeFile(host.configArgs[1], yaml([{ name: 'demo', tools: { allow: ['read_*'] } }], { http: { max_connections: 77 } }));
    host.process.kill('SIGHUP');
    await eventually('the new list is in force', async () => (await toolNames(host.url, key)).length === 20);
    assert.match(host.log, /max_connections/);
    assert.equal(host.hasEnded, false);
  });

  test('changed files are noticed: written in place, renamed over, added to the directory, switched as a link', async (t) => {
    const directory = await freshDirectory(t);
    const versions = [1, 2].map((number) => join(directory, `..version-${number}`));
    const file = join(directory, 'toolhost.yaml');
    for (const [number, version] of versions.entries()) {
      await mkdir(version);
      await writeFile(join(version, 'acme.yaml'), `name: acme\ntools: {allow: [${number ? 'read_00' : 'read_*'}]}\n`);
    }
    await symlink(versions[0], join(directory, '..data'));
    await mkdir(join(directory, 'tenants'));
    await symlink(join(directory, '..data', 'acme.yaml'), join(directory, 'tenants', 'acme.yaml'));
    const config = (deny) => `plugins: [{file: ${plugin}}]\ndefaults: {tools: {deny: [${deny}]}}\n`;
    await writeFile(file, config(''));
    const host = await Host.start(t, { configFile: file });
    const key = await host.key('acme');
    const becomes = (count, what) =>
      eventually(what, async () => (await toolNames(host.url, key)).length === count, { limit: 5_000 });
    await becomes(20, 'the first list');

    await writeFile(file, config('read_19'));
    await becomes(19, 'written in place');
    await writeFile(`${file}.new`, config('read_18, read_19'));
    await rename(`${file}.new`, file);
    await becomes(18, 'renamed over');
    await symlink(versions[1], join(directory, '..data.new'));
    await rename(join(directory, '..data.new'), join(directory, '..data'));
    await becomes(1, 'the link points elsewhere');
    await writeFile(join(directory, 'tenants', 'globex.yaml'), 'name: globex\n');
    await eventually('the new tenant exists', async () => (await command(host, ['tenant', 'list'])).stdout.includes('globex'));
    await rm(join(directory, 'tenants', 'acme.yaml'));
    await becomes(38, 'without its file the tenant has the defaults');
  });

  test('a tenant that leaves the configuration keeps its keys, with the defaults, and reload says so', async (t) => {
    const host = await Host.start(t, { config: yaml([{ name: 'demo' }, { name: 'acme', tools: { deny: ['write_*'] } }]) });
    const key = await host.key('acme');
    assert.equal((await toolNames(host.url, key)).length, 20);
    await writeFile(host.configArgs[1], yaml([{ name: 'demo' }]));
    const said = await command(host, ['reload']);
    assert.equal(said.code, 0, said.stderr);
    assert.match(said.stdout, /acme has left the configuration: its people have the defaults/);
    assert.equal((await toolNames(host.url, key)).length, 40);
  });

  test('a host whose working directory is gone refuses what it cannot read, and reads it again when it is back', async (t) => {
    const root = await freshDirectory(t);
    const directory = join(root, 'here');
    const config = yaml([{ name: 'demo' }], { reload: { watch: true } });
    const write = async () => {
      await mkdir(directory);
      await writeFile(join(directory, 'host.yaml'), config);
    };
    await write();
    const host = await Host.start(t, { configFile: 'host.yaml', cwd: directory });
    await rm(directory, { recursive: true });
    await eventually('readiness warns', async () => /host\.yaml/.test((await readiness(host)).warnings?.join()));
    const admin = await Admin.open(host);
    t.after(() => admin.close());
    const refused = await admin.ask('reload');
    assert.equal(refused.applied, false);
    assert.match(refused.problems[0].message, /cannot be read/);
    await write();
    assert.equal((await admin.ask('reload')).applied, true);
    assert.equal((await readiness(host)).warnings, undefined);
    assert.equal(host.hasEnded, false);
  });

  test('tenants whose directory disappears keep what restricts them, and a pipe in it stops nothing', async (t) => {
    const directory = await freshDirectory(t);
    const file = join(directory, 'toolhost.yaml');
    const tenants = join(directory, 'tenants');
    await mkdir(tenants);
    await writeFile(join(tenants, 'acme.yaml'), 'name: acme\ntools: {allow: [read_00]}\n');
    await writeFile(file, `plugins: [{file: ${plugin}}]\n`);
    const host = await Host.start(t, { configFile: file });
    const key = await host.key('acme');
    await eventually('the first list', async () => (await toolNames(host.url, key)).length === 1);

    await rename(tenants, `${tenants}.gone`);
    await eventually('readiness warns', async () => /tenants/.test((await readiness(host)).warnings?.join()));
    assert.match((await command(host, ['reload'])).stderr, /disappeared; put it back/);
    assert.equal((await toolNames(host.url, key)).length, 1);
    await rename(`${tenants}.gone`, tenants);
    await eventually('it is well again', async () => !(await readiness(host)).warnings?.length);

    execFileSync('mkfifo', [join(tenants, 'pipe.yaml')]);
    const refused = await command(host, ['reload']);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /pipe\.yaml: is a pipe or a socket/);
    await rm(join(tenants, 'pipe.yaml'));
    assert.equal((await command(host, ['reload'])).code, 0);
    assert.equal((await toolNames(host.url, key)).length, 1);
  });

  test('a comment changes no generation and is no event', async (t) => {
    const config = yaml([{ name: 'demo', tools: { deny: ['write_00'] } }], { reload: { watch: true } });
    const host = await Host.start(t, { config });
    const key = await host.key();
    const explained = async () => (await command(host, ['explain', '--key', key.slice(0, 11), '--tool', 'write_00'])).stdout;
    const line = async () => Number(/host\.yaml:(\d+)/.exec(await explained())[1]);
    const before = await line();
    await writeFile(host.configArgs[1], `# one\n# two\n${config}`);
    await eventually('explain names the new line', async () => (await line()) === before + 2);
    assert.doesNotMatch(host.log, /generation.*\b2\b/);
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    assert.match(metrics, /^toolhost_configuration_generation\S* 1$/m);
  });

  test('500 tenants are made and changed by a reload in little time', async (t) => {
    const tenants = (deny) =>
      Array.from({ length: 500 }, (_, number) => ({ name: `t${number}`, tools: { deny }, settings: {} }));
    const host = await Host.start(t, { config: yaml([]) });
    const admin = await Admin.open(host);
    t.after(() => admin.close());
    const reload = async (config) => {
      await writeFile(host.configArgs[1], config);
      const started = performance.now();
      const said = await admin.ask('reload');
      assert.equal(said.applied, true, JSON.stringify(said.problems));
      return [said, performance.now() - started];
    };
    const [made, making] = await reload(yaml(tenants([])));
    assert.equal(made.changes.length, 500);
    const [changed, changing] = await reload(yaml(tenants(['write_00'])));
    assert.equal(changed.changes.length, 500);
    const [, again] = await reload(yaml(tenants(['write_00'])));
    t.diagnostic(`made in ${making.toFixed(0)} ms, changed in ${changing.toFixed(0)} ms, the same in ${again.toFixed(0)} ms`);
    const slowest = Math.max(making / 4, changing, again); // each new tenant is a transaction
    assert.ok(slowest < 5_000 * SLOWNESS, `${slowest} ms`);
  });

  for (const [transport, connect] of [['SSE', sdk1Sse], ['Streamable HTTP', sdk1Http]]) {
    test(`a client over ${transport} is told that its tools changed, and only whom it concerns`, async (t) => {
      const tenants = (deny) => [{ name: 'acme', tools: { deny } }, { name: 'globex' }];
      const host = await Host.start(t, { config: yaml(tenants([])) });
      const [acme, globex] = await insertKeys(host, [
        { tenant: 'acme', name: 'a' },
        { tenant: 'globex', name: 'g' },
      ]);
      await eventually('the keys are known', async () => (await post(host.url, globex.key, rpc('ping'))).status === 200);
      const told = { acme: 0, globex: 0 };
      for (const [name, { key }] of Object.entries({ acme, globex })) {
        const session = await connect(host.url, key);
        t.after(() => session.close());
        assert.equal(session.client.getServerCapabilities().tools.listChanged, true);
        session.client.fallbackNotificationHandler = async ({ method }) => {
          if (method === 'notifications/tools/list_changed') told[name] += 1;
        };
      }
      await sleep(300 * SLOWNESS); // Streamable HTTP opens its GET stream behind connect()
      await writeFile(host.configArgs[1], yaml(tenants(['write_00'])));
      await command(host, ['reload']);
      await eventually('the client of acme is told', () => told.acme > 0, { limit: 5_000 });
      await sleep(200 * SLOWNESS);
      assert.deepEqual(told, { acme: 1, globex: 0 });
    });
  }
});
