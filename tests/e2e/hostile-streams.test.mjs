// Very many streams, and readers that do not read: bounded memory, and everybody else is served.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { eventually, sleep, SLOWNESS, wait } from './support/host.mjs';
import { callTool, Connection, postLines, requestBytes, rpc, SseStream } from './support/raw.mjs';
import { hostileHost, MEGABYTE } from './support/hostile.mjs';

describe('hostile streams', { timeout: 600_000 }, () => {
  const target = hostileHost();

  test(
    '10,000 idle SSE streams: memory for each, and the host answers on them and beside them',
    { timeout: 400_000 },
    async (t) => {
      // Node has raised its own limit, which the shell inherits, to the hard one.
      const limit = Number(execFileSync('bash', ['-c', 'ulimit -n']).toString());
      const count = Math.min(10_000, limit - 500);
      const keys = [target.key, target.otherKey];
      await sleep(200);
      const before_ = await target.host.residentBytes();
      const streams = [];
      while (streams.length < count) {
        const batch = Math.min(200, count - streams.length);
        streams.push(
          ...(await Promise.all(
            Array.from({ length: batch }, (_, i) => SseStream.connect(target.host.port, keys[i % 2])),
          )),
        );
      }
      const perStream = ((await target.host.residentBytes()) - before_) / count;
      t.diagnostic(
        `${count} idle SSE streams (file limit ${limit}): ${(perStream / 1024).toFixed(1)} KiB of resident memory each`,
      );
      assert.ok(perStream < 64 * 1024 * SLOWNESS);
      for (const stream of [streams[0], streams[count >> 1], streams.at(-1)]) {
        await stream.send(rpc('ping', {}, 'alive'));
        assert.deepEqual((await stream.answer('alive')).result, {});
      }
      assert.equal((await callTool(target.host.url, target.key, 'list_tickets', {})).isError ?? false, false);
      await Promise.all(streams.map((stream) => stream.close()));
      await eventually('memory does not grow when streams come and go', async () => {
        const again = await Promise.all(
          Array.from({ length: 200 }, () => SseStream.connect(target.host.port, target.key)),
        );
        await Promise.all(again.map((stream) => stream.close()));
        return (await target.host.residentBytes()) - before_ < 1.2 * perStream * count + 32 * MEGABYTE;
      });
    },
  );

  test('a reader that takes nothing loses its stream, and costs no more than its queue', async () => {
    const { id } = (
      await callTool(target.host.url, target.key, 'create_ticket', { title: 'large', description: 'x'.repeat(19_000) })
    ).structuredContent.ticket;
    const stream = await SseStream.connect(target.host.port, target.key);
    stream.socket.pause();
    const before_ = await target.host.residentBytes();
    const body = (number) =>
      rpc('tools/call', { name: 'get_ticket', arguments: { id, response_format: 'detailed' } }, `slow${number}`);
    let refused = 0;
    for (let number = 0; number < 1_200 && refused === 0; number += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => stream.send(body(number + i))));
      refused += answers.filter((answer) => answer.status !== 202).length;
    }
    assert.ok(refused > 0, 'the stream is gone before 1,200 answers of 20 KB are queued');
    assert.ok((await target.host.residentBytes()) - before_ < 48 * MEGABYTE * SLOWNESS);
    stream.socket.resume();
    await wait(stream.closed, 10_000 * SLOWNESS);
    assert.ok(stream.isClosed, 'the connection is closed');
  });

  test('a slow reader of many answers on one connection does not hold up others', async () => {
    const connection = await Connection.open(target.host.port);
    connection.socket.pause();
    connection.write(
      Buffer.concat(
        Array.from({ length: 2_000 }, (_, i) =>
          requestBytes('POST', '/mcp', postLines(target.host.port, target.key), rpc('tools/list', {}, i)),
        ),
      ),
    );
    for (let i = 0; i < 20; i += 1) {
      const started = performance.now();
      assert.equal((await callTool(target.host.url, target.otherKey, 'list_tickets', {})).isError ?? false, false);
      assert.ok(performance.now() - started < 2_000 * SLOWNESS);
    }
    await connection.close();
  });

  test('streams that come and go in a hurry leave nothing behind', async () => {
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, i) => {
          const connection = await Connection.open(target.host.port);
          connection.write(
            requestBytes('GET', '/sse', [
              `Host: 127.0.0.1:${target.host.port}`,
              `X-API-Key: ${target.key}`,
              'Accept: text/event-stream',
            ]),
          );
          await sleep(i % 5);
          await connection.close();
        }),
      );
    }
  });
});
