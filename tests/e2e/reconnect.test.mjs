// Clients in the middle of a call whose host is killed, or whose line breaks: what do they learn, and do they go on?
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { breakableLine } from './support/broken-line.mjs';
import { inspector, mcpRemote, sdk1Http, sdk1Sse, sdk2Http, sdk2Sse } from './support/clients.mjs';
import { eventually, freshDirectory, Host } from './support/host.mjs';
import { runningCalls } from './support/metrics.mjs';
import { callTool, MODERN } from './support/raw.mjs';

const CONFIG = JSON.stringify({ plugins: [{ file: '../test-plugins/ledger.so' }] });
const NOTHING_SAVED = /Nothing was saved/;

const remote =
  (...args) =>
  (url, key, home) =>
    mcpRemote(url, key, home, args);
const inspect = (transport, era) => (url, key, home) => inspector(url, key, transport, home, era);

// `resumes`: comes back for a call whose connection was lost. Others have no way back: they fail it at once, or (`waits`)
// when their patience ends.
const CLIENTS = [
  { name: 'SDK 1.32, Streamable HTTP', open: (url, key) => sdk1Http(url, key), resumes: true },
  { name: 'SDK 2.4, Streamable HTTP, default', open: (url, key) => sdk2Http(url, key, 'legacy'), resumes: true },
  { name: 'SDK 2.4, Streamable HTTP, auto', open: (url, key) => sdk2Http(url, key, 'auto'), waits: true },
  {
    name: `SDK 2.4, Streamable HTTP, ${MODERN} only`,
    open: (url, key) => sdk2Http(url, key, { pin: MODERN }),
    waits: true,
  },
  { name: 'SDK 1.32, SSE', open: sdk1Sse, waits: true },
  { name: 'SDK 2.4, SSE, default', open: (url, key) => sdk2Sse(url, key, 'legacy'), waits: true },
  { name: 'SDK 2.4, SSE, auto', open: (url, key) => sdk2Sse(url, key, 'auto'), waits: true },
  { name: 'mcp-remote 0.15, http-first', open: remote('--transport', 'http-first'), resumes: true },
  { name: 'mcp-remote 0.15, http-only', open: remote('--transport', 'http-only'), resumes: true },
  { name: 'mcp-remote 0.15, sse-first', open: remote('--transport', 'sse-first'), waits: true },
  { name: 'mcp-remote 0.15, sse-only', open: remote('--transport', 'sse-only'), waits: true },
  { name: 'Inspector 2.12, Streamable HTTP', open: inspect('http', 'legacy'), resumes: true },
  { name: 'Inspector 2.12, Streamable HTTP, auto', open: inspect('http', 'auto') },
  { name: 'Inspector 2.12, Streamable HTTP, modern', open: inspect('http', 'modern') },
];

describe('reconnect', { timeout: 600_000, concurrency: 4 }, () => {
  for (const { name, open, resumes, waits } of CLIENTS) {
    test(`${name}: the host is killed in the middle of a call`, async (t) => {
      const host = await Host.start(t, { config: CONFIG });
      const key = await host.key();
      const client = await connect(t, open, host.url, key);
      const { failure } = await callInTheMiddle(client, host, 20_000);
      host.process.kill('SIGKILL');
      await host.ended;
      await host.restart();
      t.diagnostic(`the host listens again after ${host.startedIn.toFixed(0)} ms`);
      if (!waits) {
        const words = await failure;
        if (resumes) assert.match(words, NOTHING_SAVED);
        t.diagnostic(`what its user reads: ${words.replace(/\s+/g, ' ').slice(0, 200)}`);
      }
      const after = await eventually(
        'it calls again',
        () => client.callTool('book', { marker: 'after', ms: 0 }).catch(() => undefined),
        { limit: 30_000, every: 250 },
      );
      assert.equal(after.content[0].text, 'booked after');
      const { entries } = (await callTool(host.url, key, 'booked', {})).structuredContent;
      assert.deepEqual(entries, [{ marker: 'after', times: 1 }]);
    });

    if (!resumes) continue;
    test(`${name}: the line breaks in the middle of a call`, async (t) => {
      const host = await Host.start(t, { config: CONFIG });
      const key = await host.key();
      const line = await breakableLine(t, host.port);
      const client = await connect(t, open, line.url, key);
      const { result } = await callInTheMiddle(client, host, 4_000);
      line.cut();
      assert.equal((await result).content[0].text, 'booked before');
      const { entries } = (await callTool(host.url, key, 'booked', {})).structuredContent;
      assert.deepEqual(entries, [{ marker: 'before', times: 1 }]);
    });
  }
});

async function connect(t, open, url, key) {
  const home = join(await freshDirectory(t), 'home');
  await mkdir(home);
  const client = await open(url, key, home);
  t.after(() => client.close());
  return client;
}

/** Starts a call that takes `ms` and waits until it runs as a stream: {result, failure: what it says when it fails}. */
async function callInTheMiddle(client, host, ms) {
  let heard = 0;
  const result = client.callTool('book', { marker: 'before', ms }, { onprogress: () => (heard += 1) });
  const failure = result.then(
    (answer) => JSON.stringify(answer),
    (error) => error.message,
  );
  let since;
  await eventually(
    'the call runs',
    async () => {
      if (heard > 1) return true;
      if ((await runningCalls(host, 'ledger')) === 0) return false;
      since ??= performance.now();
      return performance.now() - since > 1_500; // a call that runs longer than streams.after is a stream
    },
    { limit: 30_000, every: 50 },
  );
  return { result, failure };
}
