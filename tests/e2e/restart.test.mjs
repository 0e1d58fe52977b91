// A restart of the host is no event for a client: tickets are there, sessions go on without initialize.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually, Host } from './support/host.mjs';
import { sdk1Http, sdk1Sse, sdk2Http, sdk2Sse } from './support/clients.mjs';
import { callTool, rpc, SseStream } from './support/raw.mjs';

const CLIENTS = [
  ['SDK 1.32, SSE', sdk1Sse],
  ['SDK 1.32, Streamable HTTP', sdk1Http],
  ['SDK 2.4, SSE', (url, key) => sdk2Sse(url, key, 'legacy')],
  ['SDK 2.4, Streamable HTTP', (url, key) => sdk2Http(url, key, 'legacy')],
];

describe('restart', { timeout: 240_000 }, () => {
  test('a ticket is found again, and no second key is printed', async (t) => {
    const host = await Host.start(t);
    const [firstKey] =
      /hdsk_[0-9A-Za-z]{32}/.exec(host.output) ?? assert.fail(`the first start prints a key:\n${host.log}`);
    const created = (await callTool(host.url, firstKey, 'create_ticket', { title: 'survives' })).structuredContent
      .ticket;
    assert.deepEqual(await host.stop(), { code: 0, signal: null });
    await host.restart();
    assert.doesNotMatch(host.log, /hdsk_[0-9A-Za-z]{32}/);
    const read = await callTool(host.url, firstKey, 'get_ticket', { id: created.id });
    assert.equal(read.structuredContent.ticket.title, 'survives');
  });

  for (const signal of ['SIGTERM', 'SIGKILL']) {
    test(`connected clients go on without initialize after ${signal} and a new start`, async (t) => {
      const host = await Host.start(t);
      const key = await host.key();
      const clients = [];
      for (const [name, open] of CLIENTS) {
        const client = await open(host.url, key);
        t.after(() => client.close());
        const created = await client.callTool('create_ticket', { title: `before ${name}` });
        clients.push({ name, client, id: created.structuredContent.ticket.id });
      }
      await host.stop(signal);
      await host.restart();
      for (const { name, client, id } of clients) {
        const read = await eventually(
          `${name} calls again`,
          () => client.callTool('get_ticket', { id }).catch(() => undefined),
          { limit: 20_000, every: 250 },
        );
        assert.equal(read.structuredContent?.ticket.title, `before ${name}`, JSON.stringify(read));
      }
    });
  }

  test('an SSE stream whose session was never initialised is served', async (t) => {
    const host = await Host.start(t);
    const stream = await SseStream.connect(host.port, await host.key());
    t.after(() => stream.close());
    const { status } = await stream.send(rpc('tools/call', { name: 'list_tickets', arguments: {} }, 'first'));
    assert.equal(status, 202);
    assert.notEqual((await stream.answer('first')).result.isError, true);
  });
});
