// kill -9 of a host with 200 calls under way whose answers are streams: each client comes back and learns the truth, and
// no call that writes has happened twice.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { helpdeskConfig } from './support/helpdesk.mjs';
import { eventually, Host, sleep, SLOWNESS } from './support/host.mjs';
import { runningCalls } from './support/metrics.mjs';
import { listAll } from './support/many.mjs';
import { callTool, modern, rpc } from './support/raw.mjs';
import { Call, openSession } from './support/streams.mjs';

const CALLS = 200;
const PATIENCE = 20_000 * SLOWNESS; // milliseconds in which every request is answered or fails
const LEDGER = '../test-plugins/ledger.so';
const NO_LIMITS = { limits: { key: { rate: 'off', concurrent: 'off' } } };
const NOTHING_SAVED = /Nothing was saved/;
const MAY_BE_SAVED = /may have been saved/;

const booked = async (host, key) => {
  const { entries } = (await callTool(host.url, key, 'booked', {})).structuredContent;
  return new Map(entries.map(({ marker, times }) => [marker, times]));
};

describe('killed streams', { timeout: 300_000 }, () => {
  test(`${CALLS} writing calls: each is answered or was not, and every answer is true`, async (t) => {
    const config = { calls: { workers: 64 }, plugins: [{ file: LEDGER, workers: 64 }], defaults: NO_LIMITS };
    const host = await Host.start(t, { config: JSON.stringify(config) });
    const key = await host.key();
    const session = await openSession(host.url, key);
    const calls = Array.from({ length: CALLS }, (_, index) => {
      // Some end before the kill, some are cut off, some have not begun.
      const args = { marker: `m${index}`, ms: 200 + ((index * 37) % 2_000) };
      const body = rpc(
        'tools/call',
        { name: 'book', arguments: args, _meta: { progressToken: `p${index}` } },
        `c${index}`,
      );
      return Object.assign(new Call(host.url, key, session, body), { marker: args.marker });
    });
    const ends = calls.map((call) => call.complete(60_000));
    await eventually('some are answered, all others are streams', async () => {
      const answered = calls.filter((call) => call.answer).length;
      return answered > CALLS / 10 && calls.every((call) => call.answer || call.lastEventId);
    });
    assert.ok((await runningCalls(host, 'ledger')) >= 20, 'many are at work');
    host.process.kill('SIGKILL');
    await host.ended;
    const answeredBefore = calls.filter((call) => call.answer).length;
    assert.ok(answeredBefore < CALLS, 'the kill came in the middle');
    await host.restart();
    await Promise.all(ends);

    const times = await booked(host, key);
    const told = { result: 0, nothing: 0, perhaps: 0 };
    for (const call of calls) {
      const count = times.get(call.marker) ?? 0;
      assert.ok(count <= 1, `${call.marker} was written ${count} times`);
      if (call.answer?.result) {
        told.result += 1;
        assert.equal(call.answer.result.content[0].text, `booked ${call.marker}`);
        assert.equal(count, 1, `${call.marker} was answered and is not there`);
      } else {
        assert.ok(call.answer, `${call.marker} learns nothing: status ${call.status}`);
        assert.equal(call.answer.error.code, -32603);
        const { message } = call.answer.error;
        if (MAY_BE_SAVED.test(message)) told.perhaps += 1;
        else {
          assert.match(message, NOTHING_SAVED);
          told.nothing += 1;
          assert.equal(count, 0, `${call.marker} was written, and its caller told that it was not`);
        }
      }
    }
    t.diagnostic(`${answeredBefore} were answered before the kill; in the end: ${JSON.stringify(told)}`);
    assert.equal(told.perhaps, 0, 'these calls commit with their answers: there is no "perhaps"');
    assert.equal(times.size, told.result);
    assert.ok(told.nothing > 0, 'some were cut off');
  });

  test('what was told once is told again, and a call that was lost stays lost', async (t) => {
    const host = await Host.start(t, { config: JSON.stringify({ plugins: [{ file: LEDGER }] }) });
    const key = await host.key();
    const session = await openSession(host.url, key);
    const book = (id, ms) => {
      const args = { name: 'book', arguments: { marker: id, ms }, _meta: { progressToken: id } };
      return new Call(host.url, key, session, rpc('tools/call', args, id));
    };
    const lost = book('lost', 20_000);
    const sending = lost.send();
    await eventually('the stream has begun', () => lost.lastEventId && lost.messages.length > 0);
    host.process.kill('SIGKILL');
    await host.ended;
    await sending;
    await host.restart();
    for (const round of [1, 2]) {
      lost.messages.length = 0;
      await lost.resume();
      assert.match(lost.answer?.error?.message ?? `round ${round}: ${lost.status}`, NOTHING_SAVED);
    }
    const again = book('again', 100);
    assert.equal((await again.complete()).result.content[0].text, 'booked again');
    assert.deepEqual([...(await booked(host, key))], [['again', 1]]);
  });

  test('stateless clients repeat with an idempotency key: no ticket is made twice', async (t) => {
    const host = await Host.start(t, { config: helpdeskConfig() });
    const key = await host.key();
    const answered = new Map();
    let failures = 0;
    let isOver = false;
    t.after(() => (isOver = true));
    const create = async (title) => {
      const call = { name: 'create_ticket', arguments: { title, idempotency_key: title.replaceAll(' ', '-') } };
      while (!answered.has(title) && !isOver) {
        const signal = AbortSignal.timeout(PATIENCE);
        const answer = await modern(host.url, key, 'tools/call', call, { signal }).catch((error) => {
          assert.notEqual(error.name, 'TimeoutError', `${title}: no answer within ${PATIENCE} ms`);
        });
        const ticket = answer?.message?.result?.structuredContent?.ticket;
        if (ticket) answered.set(title, ticket.id);
        else {
          failures += 1;
          await sleep(50);
        }
      }
    };
    const lanes = Array.from({ length: 16 }, async (_, lane) => {
      for (let index = 0; index < 25; index += 1) await create(`modern ${lane} ${index}`);
    });
    await eventually('a third is answered', () => answered.size > 130, { every: 1 });
    host.process.kill('SIGKILL');
    await host.ended;
    await host.restart();
    await Promise.all(lanes);
    assert.ok(failures > 0, 'some were cut off');
    const tickets = await listAll(host.url, key);
    assert.equal(tickets.length, 400);
    for (const { id, title } of tickets) assert.equal(answered.get(title), id, title);
  });
});
