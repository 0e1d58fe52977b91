// `toolhost stdio`: the tools of this machine, or of a host elsewhere, for assistants that start programs.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, Host, sleep, SLOWNESS } from './support/host.mjs';
import { MODERN } from './support/raw.mjs';
import { CLIENTS, FORMS, Pipe } from './support/stdio.mjs';

const PLUGINS = ['tickets', '../test-plugins/conformance', '../test-plugins/ask', '../test-plugins/slow'].concat(
  '../test-plugins/noisy',
  '../test-plugins/echo',
);
const CONFIG = JSON.stringify({
  http: { max_body: '16MiB' },
  plugins: PLUGINS.map((name) => ({ file: `${name}.so` })),
});
const MEGABYTE = 1024 * 1024;
const END = 1_500; // milliseconds: clients send SIGTERM after two seconds
const LATE_PROGRESS = /^Received a progress notification for an unknown token/;
const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientCapabilities': {},
};

describe('stdio', { timeout: 600_000 }, () => {
  let host, key;
  const cleanups = [];

  before(async () => {
    host = await Host.start({ after: (cleanup) => cleanups.unshift(cleanup) }, { config: CONFIG });
    key = await host.key();
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  /** How many calls of `sleep` the audit knows as cancelled. */
  const cancelledCalls = async () => {
    const list = await host.command(
      'audit',
      'list',
      '--tool',
      'sleep',
      '--outcome',
      'cancelled',
      '--json',
      '--limit',
      '1000',
    );
    return JSON.parse(list).length;
  };

  for (const [form, argumentsOf] of Object.entries(FORMS)) {
    for (const [name, open] of Object.entries(CLIENTS)) {
      const begin = async (t, options) => {
        const client = await open(argumentsOf(host), key, options);
        t.after(() => client.close());
        return client;
      };

      test(`${form}, ${name}: lists, calls, hears of errors and progress, and nothing of a plugin's noise`, async (t) => {
        const client = await begin(t);
        const names = (await client.listTools()).map((tool) => tool.name);
        assert.deepEqual(names, names.toSorted());
        assert.ok(names.includes('create_ticket') && names.includes('chatter'), names.join());
        const created = await client.callTool('create_ticket', { title: `🖨️ ${form}` });
        const { id } = created.structuredContent.ticket;
        assert.equal((await client.callTool('get_ticket', { id })).structuredContent.ticket.title, `🖨️ ${form}`);
        assert.match((await client.callTool('test_error_handling', {})).content[0].text, /intentionally/);

        const progress = [];
        await client.callTool('test_tool_with_progress', {}, { onprogress: (step) => progress.push(step.progress) });
        // What arrives together with the answer the SDKs drop.
        assert.deepEqual(progress.slice(0, 2), [0, 50]);

        assert.equal((await client.callTool('chatter', {})).content[0].text, 'said it');
        const errors = client.errors.map((error) => error.message).filter((words) => !LATE_PROGRESS.test(words));
        assert.deepEqual(errors, []);
        if (form === 'local') assert.match(client.words(), /noise: printf called/);
        const began = performance.now();
        await client.close();
        assert.ok(performance.now() - began < END * SLOWNESS, `closing took ${performance.now() - began} ms`);
      });

      test(`${form}, ${name}: a call that is given up ends`, async (t) => {
        const client = await begin(t);
        const before = await cancelledCalls();
        const giving = new AbortController();
        const sleeping = client.callTool('sleep', { ms: 30_000 }, { signal: giving.signal });
        sleeping.catch(() => {});
        await sleep(300 * SLOWNESS); // until the call runs
        giving.abort();
        await assert.rejects(sleeping);
        assert.equal((await client.callTool('echo', { text: 'on' })).content[0].text, 'on');
        await eventually('the audit knows', async () => (await cancelledCalls()) === before + 1);
      });

      test(`${form}, ${name}: a tool asks the person at the other end`, async (t) => {
        const client = await begin(t, { elicit: () => ({ action: 'accept', content: { ok: true } }) });
        const closed = await client.callTool('close_ticket', { title: `T-17 ${form} ${name}` });
        assert.deepEqual(closed.structuredContent, { closed: true });
      });
    }
  }

  for (const [form, argumentsOf] of Object.entries(FORMS)) {
    test(`${form}: lines that are none, messages of any size, and both eras on one pipe`, async (t) => {
      const pipe = new Pipe(t, argumentsOf(host), key);
      const discovered = await pipe.request('server/discover', { _meta: META }, 'probe');
      assert.ok(discovered.result.supportedVersions.includes(MODERN));
      const steps = () => pipe.messages.filter(({ method }) => method === 'notifications/progress');
      assert.equal((await pipe.initialize()).result.protocolVersion, '2025-11-25');
      pipe.send('this is no JSON');
      pipe.send('');
      pipe.send('{"jsonrpc":"2.0","id":7,"method":"ping"}\r');
      await pipe.answer(7);
      const refused = pipe.messages.filter((message) => message.error?.code === -32700);
      assert.deepEqual(
        refused.map((message) => message.id),
        [null],
      );
      const large = await pipe.request(
        'tools/call',
        { name: 'echo', arguments: { text: 'x'.repeat(9.9 * MEGABYTE) } },
        8,
      );
      assert.ok(large.result?.isError, JSON.stringify(large).slice(0, 300));
      pipe.send(`{"jsonrpc":"2.0","id":9,"method":"ping","params":{"text":"${'x'.repeat(11 * MEGABYTE)}"}}`);
      await eventually('too long a line is refused', () =>
        pipe.messages.some(({ error }) => error?.message.includes('10 MiB')),
      );
      const modern = await pipe.request('tools/call', { name: 'echo', arguments: { text: 'm' }, _meta: META }, 'm');
      const legacy = await pipe.request('tools/call', { name: 'echo', arguments: { text: 'l' } }, 'l');
      assert.equal(legacy.result.content[0].text, 'l');
      assert.equal(legacy.result.resultType, undefined);
      assert.equal(modern.result.resultType, 'complete');
      await pipe.request('tools/call', { name: 'test_tool_with_progress', _meta: { progressToken: 'p' } }, 'told');
      assert.deepEqual(
        steps().map(({ params }) => params.progress),
        [0, 50, 100],
      );
      const ids = pipe.messages
        .filter((message) => !message.method && message.id !== null)
        .map((message) => message.id);
      assert.deepEqual(ids, [...new Set(ids)], 'nothing is answered twice');
    });

    test(`${form}: what is under way when the input ends is answered or cancelled, and the program ends`, async (t) => {
      const quick = new Pipe(t, argumentsOf(host), key);
      await quick.initialize();
      quick.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'spin', arguments: { ms: 100 } } });
      const ended = await quick.close();
      assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, quick.words);
      assert.equal(quick.messages.find(({ id }) => id === 1)?.result.content[0].text, 'spun');

      const slow = new Pipe(t, argumentsOf(host), key);
      await slow.initialize();
      const before = await cancelledCalls();
      slow.send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'sleep', arguments: { ms: 30_000 } } });
      slow.send({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'spin', arguments: { ms: 20_000 } } });
      await sleep(200 * SLOWNESS);
      const { code, ms } = await slow.close();
      assert.equal(code, 0, slow.words);
      assert.ok(ms < END * SLOWNESS, `it took ${ms} ms`);
      await eventually('the call was cancelled', async () => (await cancelledCalls()) > before);
    });

    test(`${form}: a key that is none is refused with words`, async (t) => {
      for (const [name, open] of Object.entries(CLIENTS)) {
        const error = await open(argumentsOf(host), `${key.slice(0, -2)}zz`).then(
          (client) => client.close(),
          (thrown) => thrown,
        );
        const words = name.includes('only') ? /did not offer/ : /Invalid API key.*HELPDESK_API_KEY/s;
        assert.match(error?.message ?? 'it was accepted', words, name);
      }
      const pipe = new Pipe(t, argumentsOf(host), '');
      const answer = await pipe.request('initialize', { protocolVersion: '2025-11-25', capabilities: {} }, 0);
      assert.match(answer.error.message, /API key.*HELPDESK_API_KEY/s);
      if (form !== 'local') return;
      assert.equal((await pipe.ended).code, 1);
      assert.equal(pipe.words.trim().split('\n').length, 1, pipe.words);
    });

    test(`${form}: a deleted key ends its calls`, async (t) => {
      const short = await host.key('demo', 'short');
      const pipe = new Pipe(t, argumentsOf(host), short);
      await pipe.initialize();
      pipe.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'sleep', arguments: { ms: 60_000 } } });
      await sleep(200 * SLOWNESS);
      await host.command('key', 'delete', short);
      assert.ok((await pipe.answer(1)).error);
      const later = await pipe.request('tools/call', { name: 'echo', arguments: { text: 'x' } }, 2);
      assert.match(later.error.message, /Invalid API key/);
    });
  }
});

describe('stdio without serve', { timeout: 300_000 }, () => {
  test('processes start the database, share it, and leave it to each other', async (t) => {
    const host = await Host.start(t, { config: CONFIG });
    const key = await host.key();
    await host.stop();
    const args = FORMS.local(host);
    const pipes = Array.from({ length: 3 }, () => new Pipe(t, args, key));
    await Promise.all(pipes.map((pipe) => pipe.initialize()));
    const echo = (pipe, id) => pipe.request('tools/call', { name: 'list_tickets', arguments: {} }, id);
    for (const pipe of pipes) assert.notEqual((await echo(pipe, 1)).result.isError, true);
    assert.equal((await pipes[0].close()).code, 0);
    pipes[1].process.kill('SIGKILL');
    await pipes[1].ended;
    for (let i = 0; i < 40; ++i) {
      const { result } = await echo(pipes[2], `after ${i}`);
      assert.notEqual(result.isError, true, JSON.stringify(result));
      await sleep(25);
    }
    for (const pipe of [pipes[0], pipes[2]]) assert.doesNotMatch(pipe.words, /database|error/i);
    // A host that starts takes the database over; whoever was there goes on.
    await host.restart();
    await eventually('the process goes on', async () => {
      const { result } = await echo(pipes[2], `beside ${performance.now()}`);
      return !result?.isError;
    });
    assert.equal((await pipes[2].close()).code, 0);
    const calls = await host.command('audit', 'list', '--tool', 'list_tickets', '--json', '--limit', '1000');
    assert.ok(JSON.parse(calls).length >= 43, `${JSON.parse(calls).length} calls are in the audit`);
  });
});

describe('stdio that is killed', { timeout: 300_000 }, () => {
  test('leaves records that the next serve ships, each of them once', async (t) => {
    const host = await Host.start(t, { config: CONFIG });
    const key = await host.key();
    const echo = async (pipe, id) => {
      const { result } = await pipe.request('tools/call', { name: 'echo', arguments: { text: 'x' } }, id);
      assert.equal(result?.content[0].text, 'x', JSON.stringify(result));
    };
    const pipe = new Pipe(t, FORMS.local(host), key);
    await pipe.initialize();
    const goOn = await host.freezeDatabase(t);
    const calls = 20;
    for (let id = 0; id < calls; ++id) await echo(pipe, id);
    pipe.process.kill('SIGKILL');
    await pipe.ended;
    const stopped = host.stop('SIGKILL');
    await sleep(200);
    goOn();
    await stopped;

    const place = join(host.dataDir, 'audit', 'stdio-0');
    const segments = (await readdir(place)).filter((name) => name.endsWith('.seg'));
    const left = await Promise.all(segments.map((name) => readFile(join(place, name), 'latin1')));
    assert.equal(left.join('').split('"tool":"echo"').length - 1, calls, 'they are on disk');

    await host.restart();
    const listed = async () =>
      JSON.parse(await host.command('audit', 'list', '--tool', 'echo', '--json', '--limit', '1000')).length;
    await eventually('they are in the audit', async () => (await listed()) === calls);
    assert.match(host.log, /shipped \d+ records that a 'toolhost stdio' had left in .*stdio-0/);
    await host.command('audit', 'verify'); // succeeds
    const next = new Pipe(t, FORMS.local(host), key);
    await next.initialize();
    await echo(next, 'next');
    assert.equal((await next.close()).code, 0);
    await eventually('the next one is, too', async () => (await listed()) >= calls + 1);
    assert.equal(await listed(), calls + 1);
    await host.command('audit', 'verify');
  });
});

describe('the bridge', { timeout: 300_000 }, () => {
  for (const [form, argumentsOf] of Object.entries(FORMS)) {
    if (form === 'local') continue;
    test(`${form}: clients go on when the host is killed and starts again`, async (t) => {
      const host = await Host.start(t, { config: CONFIG });
      const key = await host.key();
      const clients = [];
      for (const [name, open] of Object.entries(CLIENTS)) {
        const client = await open(argumentsOf(host), key);
        t.after(() => client.close());
        const { id } = (await client.callTool('create_ticket', { title: name })).structuredContent.ticket;
        clients.push({ name, client, id });
      }
      const pipe = new Pipe(t, argumentsOf(host), key);
      await pipe.initialize();
      pipe.send({
        jsonrpc: '2.0',
        id: 'cut',
        method: 'tools/call',
        params: { name: 'spin', arguments: { ms: 20_000 } },
      });
      await sleep(1_000 * SLOWNESS);
      await host.stop('SIGKILL');
      const waiting = clients.map(({ client }) => client.listTools());
      await sleep(500);
      await host.restart();
      for (const tools of await Promise.all(waiting)) assert.ok(tools.length > 0);
      for (const { name, client, id } of clients) {
        const read = await client.callTool('get_ticket', { id });
        assert.equal(read.structuredContent?.ticket.title, name, JSON.stringify(read));
      }
      const cut = await pipe.answer('cut', 40_000);
      assert.match(cut.error.message, /Nothing was saved|may have been done/, JSON.stringify(cut));
      assert.equal(
        (await pipe.request('tools/call', { name: 'echo', arguments: { text: 'x' } }, 'x')).result.content[0].text,
        'x',
      );
      assert.equal(pipe.messages.filter(({ id, method }) => id === 'cut' && !method).length, 1);
    });
  }
});
