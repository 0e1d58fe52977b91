// The kit for authors of plugins: from an empty folder, with nothing but the installed tree, to a tool that a real
// client calls; in each language. What is wrong with a plugin is said where it is made, or by the host; what goes wrong
// in one ends its call and nothing else.
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sdk1Http } from './support/clients.mjs';
import { BINARY, eventually, freshDirectory, Host, run, SOURCE_DIR } from './support/host.mjs';
import { textOf } from './support/raw.mjs';

const BUILD_DIR = process.env.TOOLHOST_BUILD_DIR ?? resolve(dirname(BINARY), '..');
/** Debian's cmake would take make, which is not needed for anything else here. */
const BUILD_ENV = { CMAKE_GENERATOR: 'Ninja' };

/** The commands and the plugin file of each language, as `plugin new` prints them for the id kit.stock. */
const LANGUAGES = {
  cpp: {
    build: (prefix) => [
      ['cmake', '-B', 'build', `-DCMAKE_PREFIX_PATH=${prefix}`],
      ['cmake', '--build', 'build'],
    ],
    file: 'build/kit.stock.so',
    source: 'kit_stock_plugin.cpp',
    answer: { greeting: 'Hello, Ana', first_time: true },
    tools: ['kit_stock_greet', 'kit_stock_list'],
    // Where the handler begins, and what goes wrong in it.
    fault: [
      /(Greeting greet\(.*\{\n)/,
      '$1    if (in.name == "fault") throw std::runtime_error("thrown on purpose");\n',
    ],
    faultIncludes: '#include <stdexcept>\n',
    wrongId: [/"kit\.stock"/, '"Kit Stock"'],
    saysOfId: /a plugin id is \[a-z\]/,
  },
  c: {
    build: (prefix) => [
      ['cmake', '-B', 'build', `-DCMAKE_PREFIX_PATH=${prefix}`],
      ['cmake', '--build', 'build'],
    ],
    file: 'build/kit.stock.so',
    source: 'kit_stock_plugin.c',
    answer: { greeted: 'Ana' },
    tools: ['kit_stock_greet'],
    wrongId: [/\.id = "kit\.stock"/, '.id = "kit.shop"'],
  },
  rust: {
    build: () => [['cargo', 'build', '--release', '--offline']],
    file: 'target/release/libkit_stock_plugin.so',
    source: 'src/lib.rs',
    answer: { greeting: 'Hello, Ana', first_time: true },
    tools: ['kit_stock_greet', 'kit_stock_list'],
    fault: [/(let name = call\.str\("\/name"\)\?;\n)/, '$1    assert!(name != "fault", "thrown on purpose");\n'],
    wrongId: [/id: "kit\.stock"/, 'id: "Kit Stock"'],
    saysOfId: /the id must be \[a-z\]/,
  },
};

/** Whether the help of 'toolhost plugin' names the command. */
const has = async (program) =>
  run(program, ['--version']).then(
    (result) => result.code === 0,
    () => false,
  );
const noCargo = (await has('cargo')) ? false : 'cargo is not installed; apt-get install cargo';

describe('plugin kit', { timeout: 600_000 }, () => {
  let prefix, toolhost;
  const cleanups = [];
  before(async () => {
    const directory = await freshDirectory({ after: (cleanup) => cleanups.push(cleanup) });
    const installed = join(directory, 'installed');
    const result = await run('cmake', ['--install', BUILD_DIR, '--prefix', installed], { limit: 180_000 });
    assert.equal(result.code, 0, result.stdout + result.stderr);
    // Nothing in the tree may know where it was installed.
    prefix = join(directory, 'moved');
    await rename(installed, prefix);
    toolhost = join(prefix, 'bin/toolhost');
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const must = async (command, cwd) => {
    const [program, ...args] = command;
    const result = await run(program, args, { cwd, env: BUILD_ENV, limit: 180_000 });
    assert.equal(result.code, 0, `${command.join(' ')}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };

  /** A new plugin kit.stock in a fresh directory, not built. */
  async function newPlugin(t, language) {
    const directory = join(await freshDirectory(t), 'stock');
    const said = await must([toolhost, 'plugin', 'new', '--lang', language, '--dir', directory, 'kit.stock']);
    return { directory, said };
  }

  async function build(language, directory) {
    for (const command of LANGUAGES[language].build(prefix)) await must(command, directory);
  }

  /** The host for development that comes with the plugin, started in its directory. */
  async function serving(t, directory) {
    const configFile = join(directory, 'toolhost.yaml');
    const host = await Host.start(t, { binary: toolhost, configFile, cwd: directory });
    host.command = async (...args) =>
      (await must([toolhost, ...args, ...host.configArgs, '--data-dir', host.dataDir], directory)).trimEnd();
    return host;
  }

  async function change(directory, file, [pattern, replacement]) {
    const path = join(directory, file);
    const text = await readFile(path, 'utf8');
    assert.match(text, pattern);
    await writeFile(path, text.replace(pattern, replacement));
  }

  for (const [language, kit] of Object.entries(LANGUAGES)) {
    const options = { skip: language === 'rust' && noCargo };

    test(`${language}: from an empty folder to a call of a real client`, options, async (t) => {
      const started = performance.now();
      const steps = [];
      const step = async (what, action) => {
        const began = performance.now();
        const result = await action();
        steps.push(`${what} ${((performance.now() - began) / 1000).toFixed(1)} s`);
        return result;
      };
      const { directory, said } = await step('new', () => newPlugin(t, language));
      for (const file of ['README.md', '.gitignore', 'toolhost.yaml', '.github/workflows/ci.yml', kit.source])
        assert.ok((await readFile(join(directory, file), 'utf8')).length > 0, file);
      for (const command of kit.build(prefix)) assert.ok(said.includes(command.slice(0, 3).join(' ')), said);
      for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const text = await readFile(join(entry.parentPath ?? entry.path, entry.name), 'utf8');
        assert.doesNotMatch(entry.name + text, /example[._]?hello/i, `${entry.name} still has the template's name`);
      }
      await step('build', () => build(language, directory));
      await step('validate', () => must([toolhost, 'plugin', 'validate', kit.file], directory));
      await step('test', () => must([toolhost, 'plugin', 'test', kit.file, 'tests/cases.yaml'], directory));
      const host = await step('serve', () => serving(t, directory));
      const client = await sdk1Http(host.url, await host.key());
      t.after(() => client.close());
      await step('call', async () => {
        assert.deepEqual((await client.listTools()).map((tool) => tool.name).sort(), kit.tools);
        const answer = await client.callTool('kit_stock_greet', { name: 'Ana' });
        assert.deepEqual(answer.structuredContent, kit.answer);
        if (!kit.tools.includes('kit_stock_list')) return;
        const list = await client.callTool('kit_stock_list', { language: 'en' });
        assert.deepEqual(
          list.structuredContent.greeted.map(({ name, language }) => [name, language]),
          [['Ana', 'en']],
        );
      });
      const refused = await client.callTool('kit_stock_greet', { name: language === 'c' ? '' : ' ' });
      assert.equal(refused.isError, true);
      assert.match(textOf(refused), /whom shall I greet/);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      t.diagnostic(`${steps.length} steps, ${seconds} s: ${steps.join(', ')}`);
    });

    test(`${language}: a wrong id is said clearly`, options, async (t) => {
      const { directory } = await newPlugin(t, language);
      await change(directory, kit.source, kit.wrongId);
      if (kit.saysOfId) {
        await assert.rejects(build(language, directory), kit.saysOfId, 'the compiler refuses an id that is none');
        return;
      }
      await build(language, directory); // only the host can tell that card and definition differ
      const host = await Host.start(t, {
        binary: toolhost,
        config: `plugins:\n  - file: tickets.so\n  - file: ${join(directory, kit.file)}\n`,
      });
      await eventually('the log says so', () => /kit\.stock.*kit\.shop|kit\.shop.*kit\.stock/.test(host.log));
    });

    if (!kit.fault) continue;
    test(`${language}: what goes wrong in a handler ends its call and nothing else`, options, async (t) => {
      const { directory } = await newPlugin(t, language);
      await change(directory, kit.source, kit.fault);
      if (kit.faultIncludes) await change(directory, kit.source, [/^/, kit.faultIncludes]);
      await build(language, directory);
      const host = await serving(t, directory);
      const client = await sdk1Http(host.url, await host.key());
      t.after(() => client.close());
      const failed = await client.callTool('kit_stock_greet', { name: 'fault' });
      assert.equal(failed.isError, true);
      assert.doesNotMatch(textOf(failed), /on purpose/, 'the client sees no text of it');
      await eventually('the log has its text', () => /thrown on purpose/.test(host.log));
      const line = host.log.split('\n').find((text) => text.includes('thrown on purpose'));
      assert.match(line, /kit_stock_greet/);
      const next = await client.callTool('kit_stock_greet', { name: 'Ana' });
      assert.deepEqual(next.structuredContent, kit.answer);
    });
  }

  test('rust: values, arguments, tokens, content, asking, resources, prompts', { skip: noCargo }, async (t) => {
    const { directory } = await newPlugin(t, 'rust');
    await cp(join(SOURCE_DIR, 'tests/e2e/plugin-kit/everything.rs'), join(directory, 'src/lib.rs'));
    await build('rust', directory);
    const secret = join(directory, 'secret');
    await writeFile(secret, 'sesame', { mode: 0o600 });
    const many = [...Array(40).keys()]; // more people than the crate first makes room for
    const host = await Host.start(t, {
      binary: toolhost,
      config: JSON.stringify({
        plugins: [
          { file: 'tickets.so' },
          {
            file: join(directory, LANGUAGES.rust.file),
            settings: { greeting: 'hello' },
            secrets: { token: `file:${secret}` },
          },
        ],
        tenants: [
          { name: 'demo', members: many.map((n) => ({ email: `p${n}@example.com`, name: `${n ? 'Ben' : 'Ana'} ${n}` })) },
        ],
      }),
    });
    const answers = { action: 'accept', content: { ok: true } };
    const session = await sdk1Http(host.url, await host.key(), '/mcp', { elicit: () => answers });
    t.after(() => session.close());
    const { client } = session;
    const structured = async (name, args = {}) => {
      const answer = await session.callTool(name, args);
      assert.notEqual(answer.isError, true, textOf(answer) + host.log);
      return answer.structuredContent;
    };

    await eventually('on_create has read the setting', () => host.log.includes('made with greeting=hello'));
    assert.deepEqual(await structured('kit_values'), { same: true, one: true, text: 'té🔁xt' });
    const args = { count: 3, ratio: 0.5, tags: ['a', 'b"'], map: { 'k/1': 0 } };
    assert.deepEqual(await structured('kit_arguments', args), {
      tenant: 'demo',
      count: 3,
      ratio: 0.5,
      absent: true,
      tags: ['a', 'b"'],
      deep: { nothing: null, key: 'k/1' },
    });
    assert.deepEqual(await structured('kit_token'), { same: true, refused: true, setting: 'hello' });

    assert.deepEqual(await structured('kit_savepoints'), { conflict: true, names: 'kept' });
    assert.deepEqual(await structured('kit_others'), {
      ana: 'Ana 0',
      people: 40,
      views: ['tickets "tickets"."search_documents"'],
    });

    assert.deepEqual(await structured('kit_beside'), { denied: true, secret: 6 });
    for (const words of ['beside the handler', 'contained on purpose', 'failed on purpose'])
      await eventually(`the log has "${words}"`, () => host.log.includes(words));
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    assert.match(metrics, /^toolhost_plugin_kit_stock_sold_total\{[^}]*kind="book"[^}]*\} 2$/m);
    assert.match(metrics, /^toolhost_plugin_kit_stock_left(\{\})? 7$/m);

    const failed = await session.callTool('kit_wrong_sql', {});
    assert.equal(failed.isError, true);
    assert.doesNotMatch(textOf(failed), /nowhere/, 'the client sees nothing of what the database said');
    await eventually('the log has what the database said', () => /42P01[^\n]*nowhere/.test(host.log));

    const progress = [];
    const mixed = await session.callTool('kit_content', {}, { onprogress: (step) => progress.push(step.message) });
    assert.deepEqual(
      mixed.content.map(({ type, data, uri, text }) => [type, data ?? uri ?? text]),
      [
        ['text', 'see'],
        ['image', 'AQID'],
        ['resource_link', 'kit:/notes/1'],
      ],
    );
    assert.deepEqual(progress, ['half']);
    assert.deepEqual(JSON.parse(textOf(await session.callTool('kit_ask', {}))), answers);

    const [note] = (await client.readResource({ uri: 'kit:/notes/a%20b' })).contents;
    assert.deepEqual([note.mimeType, note.text], ['text/plain', 'note a b of kit:/notes/a%20b']);
    assert.equal((await client.readResource({ uri: 'kit:/notes/bytes' })).contents[0].blob, 'AAEC');
    assert.equal((await client.readResource({ uri: 'kit:/all' })).contents[0].text, 'all');
    await assert.rejects(client.readResource({ uri: 'kit:/notes/nothing' }), /not found|no resource/i);
    const prompt = await client.getPrompt({ name: 'kit_about', arguments: { topic: 'tea' } });
    assert.equal(prompt.description, 'with an argument');
    assert.deepEqual(
      prompt.messages.map(({ role, content }) => [role, content.text]),
      [
        ['user', 'Tell me about tea.'],
        ['assistant', 'Gladly.'],
      ],
    );
    await assert.rejects(client.getPrompt({ name: 'kit_about', arguments: {} }), /topic/);
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'kit_about' },
      argument: { name: 'topic', value: 'te' },
      context: { arguments: { other: 'cup' } },
    });
    assert.deepEqual([completion.values, completion.total], [['topic-te', 'cup'], 2]);
  });

  test('the example, a knowledge base, is built and called whole, and searched beside tickets', async (t) => {
    const directory = join(await freshDirectory(t), 'knowledge_base');
    await cp(join(prefix, 'share/toolhost-plugin/examples/knowledge_base'), directory, { recursive: true });
    for (const command of LANGUAGES.cpp.build(prefix)) await must(command, directory);
    await must([toolhost, 'plugin', 'test', 'build/knowledge_base.so', 'tests/cases.yaml'], directory);
    const plugins = ['tickets.so', join(directory, 'build/knowledge_base.so'), 'search.so'];
    const host = await Host.start(t, {
      binary: toolhost,
      config: `plugins:\n${plugins.map((file) => `  - file: ${file}\n`).join('')}`,
    });
    const session = await sdk1Http(host.url, await host.key());
    t.after(() => session.close());
    const { client } = session;
    const call = async (name, args) => {
      const answer = await session.callTool(name, args);
      assert.notEqual(answer.isError, true, textOf(answer));
      return answer.structuredContent;
    };

    const article = {
      id: 'vpn-on-linux',
      title: 'VPN on Linux',
      body: 'Install the client, then connect to the **gateway**.',
      tags: ['vpn'],
    };
    const uri = 'kb:/articles/vpn-on-linux';
    const { author, updated_at: written, ...created } = await call('create_article', article);
    assert.deepEqual(created, { ...article, uri });
    assert.ok(author && written);
    assert.match(textOf(await session.callTool('create_article', article)), /already.*update_article/);
    assert.equal((await call('update_article', { id: article.id, tags: ['vpn', 'linux'] })).body, article.body);
    const found = (await call('search_articles', { query: 'connecting gateways', tag: 'linux' })).articles;
    assert.deepEqual(found.map((hit) => hit.uri), [uri]);

    assert.match((await client.readResource({ uri: 'kb:/articles' })).contents[0].text, /VPN on Linux/);
    assert.match((await client.readResource({ uri })).contents[0].text, /^# VPN on Linux\n\nInstall/);
    await assert.rejects(client.readResource({ uri: 'kb:/articles/nothing' }), /not found|no resource/i);
    const completed = await client.complete({
      ref: { type: 'ref/resource', uri: 'kb:/articles/{id}' },
      argument: { name: 'id', value: 'vpn' },
    });
    assert.deepEqual(completed.completion.values, [article.id]);
    const prompt = await client.getPrompt({
      name: 'answer_from_articles',
      arguments: { question: 'How do I connect to the VPN?' },
    });
    assert.match(prompt.messages[0].content.text, /Question: How do I connect[^]*kb:\/articles\/vpn-on-linux/);

    await call('create_ticket', { title: 'The VPN gateway does not answer' });
    const everywhere = await eventually('search_all finds both', async () => {
      const answer = await call('search_all', { query: 'gateway' });
      return answer.total === 2 && answer;
    });
    assert.match(JSON.stringify(everywhere), /"article"/);
  });

  test('plugin new refuses wrong ids, unknown languages and directories that are not empty', async (t) => {
    const directory = await freshDirectory(t);
    await writeFile(join(directory, 'mine.txt'), 'mine');
    const refusals = [
      [['--lang', 'cpp', 'Acme.Stock'], 2, /'A'.*a-z, 0-9 and _/s],
      [['--lang', 'cpp', 'acme-stock'], 2, /'-'/],
      [['--lang', 'cpp', '1st'], 2, /begin with a letter/],
      [['--lang', 'cpp', 'acme..stock'], 2, /dots/],
      [['--lang', 'cpp', 'a'.repeat(48)], 2, /48 bytes/],
      [['--lang', 'go', 'acme.stock'], 2, /'go'.*c cpp rust/],
      [['--lang', 'cpp', '--name', 'say "hi"', 'acme.stock'], 2, /name/],
      [['--lang', 'cpp', '--dir', directory, 'acme.stock'], 1, /is not empty/],
      [['--lang', 'cpp', '--dir', join(directory, 'mine.txt'), 'acme.stock'], 1, /no directory/],
      [['--lang', 'rust', '--prefix', directory, 'acme.stock'], 4, /--prefix/],
      [['acme.stock'], 2, /--lang/],
    ];
    for (const [args, code, words] of refusals) {
      const result = await run(toolhost, ['plugin', 'new', ...args], { cwd: directory });
      assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, words);
      assert.deepEqual(await readdir(directory), ['mine.txt'], 'nothing was written');
    }
    await must([toolhost, 'plugin', 'new', '--lang', 'c', 'acme.stock_levels'], directory);
    assert.match(await readFile(join(directory, 'stock_levels/README.md'), 'utf8'), /^# Acme stock levels$/m);
  });
});
