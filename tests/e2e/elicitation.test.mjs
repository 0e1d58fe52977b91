// A tool that asks the person at the other end: the same lines of a plugin, for clients that are sent a request and for
// clients that are told what is required.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sdk1Http, sdk1Sse, sdk2Http, sdk2Sse } from './support/clients.mjs';
import { Host } from './support/host.mjs';
import { MODERN, modern } from './support/raw.mjs';
import { Wire } from './support/wire.mjs';

const CLIENTS = [
  { name: 'SDK 1.32, Streamable HTTP', open: (url, key, elicit) => sdk1Http(url, key, '/mcp', { elicit }) },
  { name: 'SDK 1.32, SSE', open: (url, key, elicit) => sdk1Sse(url, key, { elicit }) },
  { name: 'SDK 2.4, Streamable HTTP, default', open: (url, key, elicit) => sdk2Http(url, key, 'legacy', { elicit }) },
  { name: 'SDK 2.4, SSE, default', open: (url, key, elicit) => sdk2Sse(url, key, 'legacy', { elicit }) },
  { name: 'SDK 2.4, Streamable HTTP, auto', open: (url, key, elicit) => sdk2Http(url, key, 'auto', { elicit }) },
  {
    name: `SDK 2.4, Streamable HTTP, ${MODERN} only`,
    open: (url, key, elicit) => sdk2Http(url, key, { pin: MODERN }, { elicit }),
  },
];

describe('elicitation', { timeout: 300_000 }, () => {
  const cleanups = [];
  let host, key;

  before(async () => {
    const config = JSON.stringify({ plugins: [{ file: '../test-plugins/ask.so' }] });
    host = await Host.start({ after: (cleanup) => cleanups.unshift(cleanup) }, { config });
    key = await host.key();
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  for (const { name, open } of CLIENTS) {
    const ask = async (t, elicit, tool = 'close_ticket', args = { title: `T-17 ${name}` }) => {
      const questions = [];
      const client = await open(
        host.url,
        key,
        elicit &&
          ((params) => {
            questions.push(params);
            return elicit(params, questions.length);
          }),
      );
      t.after(() => client.close());
      return { result: await client.callTool(tool, args), questions };
    };

    test(`${name}: what the person says is what happens`, async (t) => {
      const { result, questions } = await ask(t, () => ({ action: 'accept', content: { ok: true } }));
      assert.deepEqual(result.structuredContent, { closed: true });
      assert.equal(questions.length, 1);
      assert.equal(questions[0].message, `Close T-17 ${name}?`);
      assert.deepEqual(questions[0].requestedSchema, {
        type: 'object',
        properties: { ok: { type: 'boolean', description: 'Close it' } },
        required: ['ok'],
      });
      for (const answer of [
        { action: 'accept', content: { ok: false } },
        { action: 'decline' },
        { action: 'cancel' },
      ]) {
        const { result: refused } = await ask(t, () => answer);
        assert.deepEqual(refused.structuredContent, { closed: false }, JSON.stringify(answer));
      }
    });

    test(`${name}: one question after another, and what the first run wrote is undone`, async (t) => {
      const { result, questions } = await ask(
        t,
        (params, round) => ({ action: 'accept', content: round === 1 ? { colour: 'red' } : {} }),
        'ask_in_turn',
        {},
      );
      assert.equal(result.content[0].text, 'red accept 2');
      assert.deepEqual(
        questions.map(({ message }) => message),
        ['Which colour?', 'red?'],
      );
      const { result: written } = await ask(t, () => ({ action: 'accept', content: { ok: true } }), 'write_then_ask', {
        title: `once ${name}`,
      });
      assert.equal(written.content[0].text, 'round 1');
    });

    test(`${name}: a client that cannot be asked is told what it lacks`, async (t) => {
      const { result } = await ask(t, undefined).catch((error) => ({ result: error }));
      const words = result instanceof Error ? result.message : result.content[0].text;
      assert.ok(result instanceof Error || result.isError, words);
      assert.match(words, /elicit|ask|form/i);
    });
  }

  // Without a client library: those look at what a person filled in themselves.
  for (const [transport, revision] of [
    ['http', '2025-11-25'],
    ['sse', '2025-06-18'],
    ['http', MODERN],
  ]) {
    test(`${transport}, ${revision}: an answer that is none is asked for again`, async (t) => {
      const answers = [{ ok: 'of course' }, {}, { ok: true }].map((content) => ({ action: 'accept', content }));
      let asked = 0;
      const elicit = () => answers[asked++];
      const wire = await Wire.open(transport, revision, { host, key }, { 'elicitation/create': elicit });
      t.after(() => wire.close());
      const result = await wire.call('close_ticket', { title: `asked twice ${transport} ${revision}` });
      assert.deepEqual(result.structuredContent, { closed: true });
      assert.equal(asked, 3);
    });
  }

  test('a tool that asks for what it cannot get says so by code, before anything else', async () => {
    const answer = await modern(host.url, key, 'tools/call', { name: 'close_ticket', arguments: { title: 'T-1' } });
    assert.equal(answer.status, 400);
    assert.equal(answer.message.error.code, -32021);
    assert.deepEqual(answer.message.error.data, { requiredCapabilities: { elicitation: { form: {} } } });
  });
});
