// What works in which revision over which transport, without a client library in between; the table in README.md is made
// of what is tried here.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, Host, run, SLOWNESS, SOURCE_DIR, wait } from './support/host.mjs';
import { callsOf } from './support/metrics.mjs';
import { MODERN } from './support/raw.mjs';
import { Wire } from './support/wire.mjs';

const REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', MODERN];
const TRANSPORTS = { sse: REVISIONS.slice(0, -1), http: REVISIONS, stdio: REVISIONS };
const PLUGINS = ['conformance', 'conformance_c', 'echo', 'ledger'];
const WATCHED = 'test://watched-resource';

const ANSWERS = {
  'elicitation/create': () => ({ action: 'accept', content: { username: 'ana', email: 'ana@acme.example' } }),
  'sampling/createMessage': () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'Paris' } }),
  'roots/list': () => ({ roots: [{ uri: 'file:///work', name: 'work' }] }),
};

const kinds = (result) => result.content.map((block) => block.type);
/** Listens for what `filter` names (stateless revisions), or does what older ones do instead. */
async function listen(wire, filter, older = async () => {}) {
  if (!wire.isModern) return older();
  const giveUp = new AbortController();
  wire.exchange('subscriptions/listen', { notifications: filter }, { signal: giveUp.signal }).catch(() => {});
  await eventually('the acknowledgement', () => wire.heard('notifications/subscriptions/acknowledged').length > 0);
  return giveUp;
}
/** The value, or a failure when it does not come. */
const orLate = async (promise) => {
  let value;
  await wait(
    promise.then((come) => (value = come)),
    10_000 * SLOWNESS,
  );
  return value ?? assert.fail('no answer');
};
const hears = (wire, method) => eventually(method, () => wire.heard(method)[0]);

// Each feature: the first revision that has it (default: all), and what shows that it works.
const FEATURES = [
  {
    name: 'tools: list, call, errors',
    async check(wire) {
      const { tools } = await wire.request('tools/list');
      assert.ok(tools.some((tool) => tool.name === 'test_simple_text' && tool.inputSchema.type === 'object'));
      assert.deepEqual(kinds(await wire.call('test_simple_text')), ['text']);
      assert.equal((await wire.call('test_error_handling')).isError, true);
      await assert.rejects(wire.call('no_such_tool'), { code: -32602 });
    },
  },
  {
    name: 'pictures and resources in results',
    async check(wire) {
      assert.deepEqual(kinds(await wire.call('test_multiple_content_types')), ['text', 'image', 'resource']);
    },
  },
  {
    name: 'sound in results',
    since: '2025-03-26',
    async check(wire) {
      assert.deepEqual(kinds(await wire.call('test_audio_content')), ['audio']);
    },
  },
  {
    name: 'structured results',
    since: '2025-06-18',
    async check(wire) {
      assert.deepEqual((await wire.call('echo', { text: 'hi' })).structuredContent, { text: 'hi' });
    },
  },
  {
    name: 'progress',
    async check(wire) {
      await wire.call('test_tool_with_progress', {}, { meta: { progressToken: 'token' } });
      const steps = wire.heard('notifications/progress').filter((step) => step.progressToken === 'token');
      assert.deepEqual(
        steps.map((step) => step.progress),
        [0, 50, 100],
      );
    },
  },
  {
    name: 'cancelling',
    async check(wire, { host }) {
      const before = await callsOf(host, 'book', 'cancelled');
      const giveUp = new AbortController();
      const isByAbort = wire.isModern && wire.transport === 'http';
      const options = {
        id: 'booking',
        meta: { progressToken: 'booking' },
        ...(isByAbort && { signal: giveUp.signal }),
      };
      let answer;
      wire.exchange('tools/call', { name: 'book', arguments: { marker: 'cut', ms: 30_000 } }, options).then(
        (response) => (answer = response),
        () => {},
      );
      await hears(wire, 'notifications/progress');
      const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'booking' } };
      if (isByAbort) giveUp.abort();
      else await wire.channel.send(cancelled);
      // The metrics are those of the process that listens.
      if (wire.transport !== 'stdio')
        await eventually('it has ended', async () => (await callsOf(host, 'book', 'cancelled')) === before + 1);
      assert.equal((await wire.call('booked')).content[0].text, '{"entries":[]}');
      assert.equal(answer, undefined, 'who gave up hears no more');
    },
  },
  {
    name: 'answers of connections that were lost',
    since: '2025-03-26',
    until: '2025-11-25',
    transports: ['http'],
    async check(wire) {
      const line = new AbortController();
      const args = { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 'lost' } };
      const answer = new Promise((done) => wire.waiting.set('lost', done));
      wire.channel
        .send({ jsonrpc: '2.0', id: 'lost', method: 'tools/call', params: args }, line.signal)
        .catch(() => {});
      await hears(wire, 'notifications/progress');
      line.abort();
      await wire.channel.listen(wire.channel.lastEventId);
      assert.equal((await orLate(answer)).result.content[0].text, 'Told three times how far it was.');
      const steps = wire.heard('notifications/progress').map((step) => step.progress);
      assert.deepEqual(steps, [0, 50, 100], 'nothing twice, nothing left out');
    },
  },
  {
    name: 'log messages',
    async check(wire) {
      if (!wire.isModern) await wire.request('logging/setLevel', { level: 'info' });
      const meta = wire.isModern ? { 'io.modelcontextprotocol/logLevel': 'info' } : {};
      await wire.call('test_tool_with_logging', {}, { meta });
      assert.equal(wire.heard('notifications/message').length, 3);
    },
  },
  {
    name: 'resources and templates',
    async check(wire) {
      const { resources } = await wire.request('resources/list');
      assert.ok(resources.some((resource) => resource.uri === WATCHED));
      const { resourceTemplates } = await wire.request('resources/templates/list');
      assert.equal(resourceTemplates[0].uriTemplate, 'test://template/{id}/data');
      const { contents } = await wire.request('resources/read', { uri: 'test://template/123/data' });
      assert.match(contents[0].text, /123/);
    },
  },
  {
    name: 'resources that change',
    async check(wire) {
      const older = () => wire.request('resources/subscribe', { uri: WATCHED });
      const listening = await listen(wire, { resourceSubscriptions: [WATCHED] }, older);
      await wire.call('test_trigger_resource_update');
      assert.equal((await hears(wire, 'notifications/resources/updated')).uri, WATCHED);
      listening.abort?.();
    },
  },
  {
    name: 'prompts',
    async check(wire) {
      const { prompts } = await wire.request('prompts/list');
      assert.ok(prompts.some((prompt) => prompt.name === 'test_simple_prompt'));
      const args = { arg1: 'one', arg2: 'two' };
      const { messages } = await wire.request('prompts/get', { name: 'test_prompt_with_arguments', arguments: args });
      assert.match(messages[0].content.text, /one.*two/);
    },
  },
  {
    name: 'completion',
    async check(wire) {
      const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
      const { completion } = await wire.request('completion/complete', {
        ref,
        argument: { name: 'arg1', value: 'par' },
      });
      assert.deepEqual(completion.values, ['paris', 'park', 'party']);
    },
  },
  {
    name: 'lists that change',
    async check(wire) {
      const listening = await listen(wire, { toolsListChanged: true });
      await wire.call('test_trigger_tool_change');
      await hears(wire, 'notifications/tools/list_changed');
      listening?.abort();
    },
  },
  {
    name: "the assistant's model is asked",
    async check(wire) {
      assert.match((await wire.call('test_sampling', { prompt: 'Capital?' })).content[0].text, /Paris/);
    },
  },
  {
    name: 'its folders are asked for',
    async check(wire) {
      assert.match((await wire.call('test_input_required_result_list_roots')).content[0].text, /file:\/\/\/work/);
    },
  },
  {
    name: 'the person is asked',
    since: '2025-06-18',
    async check(wire) {
      assert.match((await wire.call('test_elicitation', { message: 'Who?' })).content[0].text, /accept.*ana/);
    },
  },
  {
    name: 'batches',
    since: '2025-03-26',
    until: '2025-03-26',
    async check(wire) {
      const requests = ['b1', 'b2'].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
      const answers = Promise.all(requests.map(({ id }) => new Promise((done) => wire.waiting.set(id, done))));
      await wire.channel.send(requests);
      for (const { result } of await orLate(answers)) assert.deepEqual(result, {});
    },
  },
];

const applies = ({ since = REVISIONS[0], until = MODERN, transports }, transport, revision) =>
  revision >= since && revision <= until && (transports?.includes(transport) ?? true);

describe('revisions', { timeout: 600_000 }, () => {
  const cleanups = [];
  const records = [];
  let host, key;

  before(async () => {
    const config = JSON.stringify({ plugins: PLUGINS.map((name) => ({ file: `../test-plugins/${name}.so` })) });
    host = await Host.start({ after: (cleanup) => cleanups.unshift(cleanup) }, { config });
    key = await host.key();
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  for (const [transport, revisions] of Object.entries(TRANSPORTS)) {
    for (const revision of revisions) {
      test(`${transport}, ${revision}`, async (t) => {
        const wire = await Wire.open(transport, revision, { host, key }, ANSWERS);
        t.after(() => wire.close());
        if (!wire.isModern) assert.equal(wire.server.protocolVersion, revision);
        for (const feature of FEATURES) {
          let passed = false;
          const check = async () => {
            wire.notifications.length = 0;
            await feature.check(wire, { host });
            passed = true;
          };
          if (applies(feature, transport, revision)) await t.test(feature.name, check);
          records.push({ transport, revision, feature: feature.name, passed });
        }
      });
    }
  }

  test('README.md says what was seen', async () => {
    const file = join(host.directory, 'records.json');
    await writeFile(file, JSON.stringify(records));
    const table = join(SOURCE_DIR, 'tests/support/protocol_table.mjs');
    const args = [
      table,
      process.env.TOOLHOST_TEST_WRITE_README ? '--write' : '--check',
      file,
      join(SOURCE_DIR, 'README.md'),
    ];
    const { code, stderr } = await run(process.execPath, args);
    assert.equal(code, 0, stderr);
  });
});
