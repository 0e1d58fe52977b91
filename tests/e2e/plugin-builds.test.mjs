// One plugin, built in every way that authors build theirs: by two compilers as C99 and C++20, with their own copy of the C++
// run time, without exceptions, with the old ABI of std::string, optimised and not; and in Rust. All of them are loaded into
// one host, and each must pass the same tests. The sources in C and C++ are those of the kept plugins (tests/fixtures), headers
// and crate those of today, from the installed package.
import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freshDirectory, Host, run, SOURCE_DIR, toolhost } from './support/host.mjs';
import { BUILD_DIR } from './support/outside.mjs';
import { callTool, textOf } from './support/raw.mjs';

const CXX20 = ['-std=c++20', '-fvisibility-inlines-hidden'];
const STATIC = ['-static-libstdc++', '-static-libgcc'];
const GCC = [...CXX20, '-fno-gnu-unique'];
const NO_EXCEPTIONS = ['-x', 'c++', '-std=c++20', '-fno-exceptions', '-fno-rtti'];

/** Plugin id: how it is built. probe.c is C99 and C++20; probe.cpp is the same by toolhost/plugin.hpp. */
const BUILDS = {
  c99_gcc: ['gcc', 'probe.c', '-std=c99', '-pedantic', '-O2'],
  c99_clang: ['clang-19', 'probe.c', '-std=c99', '-pedantic', '-O2'],
  c17_gcc_o0: ['gcc', 'probe.c', '-std=c17', '-O0', '-g'],
  no_exceptions_gxx: ['g++', 'probe.c', ...NO_EXCEPTIONS, '-O2'],
  no_exceptions_clangxx: ['clang++-19', 'probe.c', ...NO_EXCEPTIONS, '-O2'],
  gxx: ['g++', 'probe.cpp', ...GCC, '-O2'],
  gxx_o0: ['g++', 'probe.cpp', ...GCC, '-O0', '-g'],
  gxx_o3: ['g++', 'probe.cpp', ...GCC, '-O3'],
  gxx_lto: ['g++', 'probe.cpp', ...GCC, '-O2', '-flto'],
  gxx_static: ['g++', 'probe.cpp', ...GCC, '-O2', ...STATIC],
  gxx_no_rtti: ['g++', 'probe.cpp', ...GCC, '-O2', '-fno-rtti'],
  gxx_old_abi: ['g++', 'probe.cpp', ...GCC, '-O2', '-D_GLIBCXX_USE_CXX11_ABI=0'],
  clangxx: ['clang++-19', 'probe.cpp', ...CXX20, '-O2'],
  clangxx_o0: ['clang++-19', 'probe.cpp', ...CXX20, '-O0', '-g'],
  clangxx_o3: ['clang++-19', 'probe.cpp', ...CXX20, '-O3'],
  clangxx_lto: ['clang++-19', 'probe.cpp', ...CXX20, '-O2', '-flto', '-fuse-ld=lld'],
  clangxx_static: ['clang++-19', 'probe.cpp', ...CXX20, '-O2', ...STATIC],
  rust: ['cargo', 'plugin-builds/probe.rs', 'build', '--release', '--offline'],
};

describe('builds of a plugin', { timeout: 900_000 }, () => {
  const cleanups = [];
  const t = { after: (cleanup) => cleanups.push(cleanup) };
  let directory, host, key, other;

  async function build(id) {
    const [compiler, source, ...flags] = BUILDS[id];
    const prefix = join(directory, 'prefix');
    if (compiler === 'cargo') return buildCrate(id, prefix, join(SOURCE_DIR, 'tests/e2e', source), flags);
    const result = await run(
      compiler,
      [
        ...flags,
        ...['-Wall', '-Wextra', '-Werror', '-fPIC', '-fvisibility=hidden', '-shared', `-DPROBE="${id}"`],
        `-I${join(prefix, 'include')}`,
        join(SOURCE_DIR, 'tests/fixtures/abi-1.0', source),
        ...['-o', join(directory, `${id}.so`), '-Wl,-z,defs,-z,now,-z,nodelete'],
        `-Wl,--version-script=${join(prefix, 'share/cmake/toolhost-plugin/toolhost_plugin.map')}`,
      ],
      { limit: 300_000 },
    );
    assert.equal(result.code, 0, `${id}: ${result.stderr}`);
  }

  async function buildCrate(id, prefix, source, args) {
    const crate = join(directory, id);
    await mkdir(crate);
    const path = join(prefix, 'share/toolhost-plugin/rust');
    await writeFile(
      join(crate, 'Cargo.toml'),
      `[package]\nname = "${id}"\nversion = "1.0.0"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\npath = "${source}"\n` +
        `[dependencies]\ntoolhost-plugin = { path = "${path}" }\n`,
    );
    const result = await run('cargo', args, { cwd: crate, limit: 300_000 });
    assert.equal(result.code, 0, `${id}: ${result.stderr}`);
    await copyFile(join(crate, 'target/release', `lib${id}.so`), join(directory, `${id}.so`));
  }

  before(async () => {
    directory = await freshDirectory(t);
    const installed = await run('cmake', [
      '--install',
      BUILD_DIR,
      '--component',
      'plugin-api',
      '--prefix',
      join(directory, 'prefix'),
    ]);
    assert.equal(installed.code, 0, installed.stderr);
    const left = Object.keys(BUILDS);
    const work = async () => {
      for (let id = left.shift(); id; id = left.shift()) await build(id);
    };
    await Promise.all([work(), work()]);
    const entry = (id) => `  - { file: ${join(directory, `${id}.so`)}, id: ${id}, settings: { greeting: ${id}, retries: 3 } }\n`;
    host = await Host.start(t, {
      config:
        `calls: { workers: 2 }\nplugins:\n${Object.keys(BUILDS).map(entry).join('')}` +
        'tenants:\n  - { name: acme, members: [{ email: ada@acme.com, name: Ada Lovelace, role: admin }] }\n  - { name: globex }\n',
    });
    [key, other] = [await host.key('acme'), await host.key('globex')];
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  test('all of them serve', async () => {
    const listed = await toolhost(['plugin', 'list', '--json', ...host.configArgs, '--data-dir', host.dataDir]);
    const plugins = JSON.parse(listed.stdout);
    assert.deepEqual(plugins.map(({ id }) => id).toSorted(), Object.keys(BUILDS).toSorted());
    for (const plugin of plugins) assert.equal(plugin.state, 'serving', plugin.reason);
  });

  for (const id of Object.keys(BUILDS)) {
    test(`${id}: ${BUILDS[id].join(' ')}`, async () => {
      const ask = (tool, args = {}, as = key) => callTool(host.url, as, `${id}_${tool}`, args);
      const answer = async (...call) => {
        const result = await ask(...call);
        assert.notEqual(result.isError, true, `${call[0]}: ${textOf(result)}`);
        return result.structuredContent;
      };

      const args = { text: 'הד 🔁 "quoted" \\ \n', count: -9007199254740991, ratio: 0.1, flag: true, list: ['a', 'é', ''] };
      const given = await ask('args', args);
      assert.deepEqual(given.structuredContent, { ...args, more: false });
      assert.equal(given.content[0].text, args.text);
      assert.equal((await answer('args', { ...args, more: 'x' })).more, true);
      assert.equal((await ask('args', { ...args, count: 'x' })).isError, true);

      assert.deepEqual(await answer('write', { title: 'one' }), { affected: 1 });
      const twice = await ask('write', { title: 'one' });
      assert.equal(twice.isError, true);
      assert.match(textOf(twice), /There is a note of that title\./);
      assert.deepEqual(await answer('write', { title: 'one' }, other), { affected: 1 }, 'of another tenant');
      const note = { flag: true, count: 2 ** 40, ratio: 0.25, raw: 'raw \x01', doc: '{"a": 1}', at: 1700000000123456, empty: true };
      assert.deepEqual(await answer('read'), { notes: [{ title: 'one', ...note }] });

      assert.deepEqual(await answer('settings'), { greeting: id, retries: 3 });
      const { token } = await answer('token');
      assert.deepEqual(await answer('token', { token }), { data: 'page 7' });
      assert.deepEqual(await answer('token', { token: token.slice(1) }), { data: '(refused)' });
      assert.deepEqual(await answer('token', { token }, other), { data: '(refused)' });
      assert.deepEqual(await answer('people', { text: 'lovelace' }), {
        people: [{ email: 'ada@acme.com', name: 'Ada Lovelace', role: 'admin' }],
      });
      const { views } = await answer('views');
      assert.deepEqual(views.map(({ plugin }) => plugin).toSorted(), Object.keys(BUILDS).toSorted());
      assert.deepEqual(views.find(({ plugin }) => plugin === id), { plugin: id, titles: 1 });
      const who = await answer('who');
      assert.equal(who.tenant, 'acme');
      assert.deepEqual([who.has_request_id, who.is_cancelled, who.attempt], [true, false, 0]);

      const refused = await ask('refuse');
      assert.equal(refused.isError, true);
      assert.match(textOf(refused), /There is nothing here\./);
      // Twelve at a time, on several threads.
      const many = await Promise.all(Array.from({ length: 12 }, (_, n) => answer('write', { title: `many ${n}` })));
      assert.ok(many.every(({ affected }) => affected === 1));
      assert.equal((await answer('read')).notes.length, 13);
    });
  }

  test('the wrapper says what to do without exceptions', async () => {
    const result = await run('g++', [
      ...['-std=c++20', '-fno-exceptions', '-fsyntax-only', '-DPROBE="x"', `-I${join(directory, 'prefix/include')}`],
      join(SOURCE_DIR, 'tests/fixtures/abi-1.0/probe.cpp'),
    ]);
    assert.notEqual(result.code, 0);
    const [first] = result.stderr.match(/error:.*/);
    assert.match(first, /plugin\.hpp reports errors by exceptions; with -fno-exceptions use toolhost\/plugin\.h/);
  });
});
