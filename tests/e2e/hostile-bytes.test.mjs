// HTTP that no decent client sends: bodies, lengths, chunks, line ends, splits. The documented error, or it works.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sleep, SLOWNESS, wait } from './support/host.mjs';
import {
  callTool,
  Connection,
  exchange,
  post,
  postLines,
  requestBytes,
  rpc,
  SseStream,
  textOf,
} from './support/raw.mjs';
import { create, hostileHost, MEGABYTE } from './support/hostile.mjs';

describe('hostile bytes', { timeout: 600_000 }, () => {
  const target = hostileHost();

  test('10 MB are refused with 413 before they are read, announced or in chunks', async () => {
    const before_ = await target.host.residentBytes();
    const text = 'x'.repeat(10 * MEGABYTE);
    const announced = requestBytes('POST', '/mcp', postLines(target.host.port, target.key), create(text));
    const chunked = Buffer.concat([
      requestBytes('POST', '/mcp', [...postLines(target.host.port, target.key), 'Transfer-Encoding: chunked']),
      ...Array.from({ length: 160 }, () => Buffer.from(`10000\r\n${'x'.repeat(65536)}\r\n`)),
      Buffer.from('0\r\n\r\n'),
    ]);
    const stream = await SseStream.connect(target.host.port, target.key);
    const toStream = requestBytes('POST', stream.endpoint, postLines(target.host.port, target.key), create(text));
    for (const bytes of [announced, chunked, toStream])
      assert.equal((await exchange(target.host.port, bytes)).status, 413);
    await stream.close();
    assert.ok((await target.host.residentBytes()) - before_ < 64 * MEGABYTE * SLOWNESS);
  });

  test('a body just under the limit is read and judged', async () => {
    const answer = await post(target.host.url, target.key, create('x'.repeat(4 * MEGABYTE - 1024)));
    assert.equal(answer.status, 200);
    assert.equal(answer.message.result.isError, true);
    assert.match(textOf(answer.message.result), /200/, 'the title is limited to 200 characters');
  });

  test('both lengths at once are refused and nothing is smuggled', async () => {
    const smuggled = requestBytes(
      'POST',
      '/mcp',
      postLines(target.host.port, target.key),
      create('smuggled'),
    ).toString();
    const lines = postLines(target.host.port, target.key);
    const body = `0\r\n\r\n${smuggled}`;
    for (const lengths of [
      [`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', `Content-Length: ${body.length}`],
      ['Content-Length: 5', `Content-Length: ${body.length}`],
      [`Content-Length: 5, ${body.length}`],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
      ['Transfer-Encoding : chunked'],
      ['Content-Length: +5'],
      ['Content-Length: -1'],
      ['Content-Length: 0x10'],
      ['Content-Length: 99999999999999999999'],
      ['Content-Length: '],
    ]) {
      const connection = await Connection.open(target.host.port);
      connection.write(requestBytes('POST', '/mcp', [...lines, ...lengths], body));
      const answer = await connection.response();
      assert.ok([400, 413, 501].includes(answer.status), `${lengths}: ${answer.status} ${answer.body}`);
      await wait(connection.closed, 5_000 * SLOWNESS);
      assert.ok(connection.isClosed, `${lengths}: the connection is closed after the answer`);
      assert.equal(connection.text.match(/HTTP\/1\.1/g), null, `${lengths}: one answer only`);
    }
    const tickets = await callTool(target.host.url, target.key, 'list_tickets', { status: 'all', limit: 100 });
    assert.ok(tickets.structuredContent.tickets.every((ticket) => ticket.title !== 'smuggled'));
  });

  test('broken chunks end in 400 or a closed connection', async () => {
    for (const chunks of [
      'zz\r\n',
      'FFFFFFFFFFFFFFFFF\r\nx',
      '-1\r\nx\r\n',
      '5\r\nabcdefgh\r\n0\r\n\r\n',
      '\r\n\r\n',
      '1;' + 'x'.repeat(70_000) + '\r\na\r\n0\r\n\r\n',
    ]) {
      const connection = await Connection.open(target.host.port);
      connection.write(
        requestBytes(
          'POST',
          '/mcp',
          [...postLines(target.host.port, target.key), 'Transfer-Encoding: chunked'],
          chunks,
        ),
      );
      const answer = await connection.response(5_000).catch(() => undefined);
      assert.ok(
        answer ? [400, 408, 413, 431].includes(answer.status) : connection.isClosed,
        `${chunks.slice(0, 30)}: ${answer?.status}`,
      );
      await connection.close();
    }
  });

  test('a valid chunked request works', async () => {
    const body = rpc('ping', {}, 'chunked');
    const chunks = [...body].map((byte) => `1\r\n${byte}\r\n`).join('');
    const answer = await exchange(
      target.host.port,
      requestBytes(
        'POST',
        '/mcp',
        [...postLines(target.host.port, target.key), 'Transfer-Encoding: chunked'],
        `${chunks}0\r\n\r\n`,
      ),
    );
    assert.equal(JSON.parse(answer.body).id, 'chunked');
  });

  test('a request split at every byte works, on /mcp and on an SSE endpoint', async () => {
    const stream = await SseStream.connect(target.host.port, target.key);
    for (const [path, status] of [
      ['/mcp', 200],
      [stream.endpoint, 202],
    ]) {
      const bytes = requestBytes('POST', path, postLines(target.host.port, target.key), rpc('ping', {}, 'split'));
      for (let start = 1; start < bytes.length; start += 50) {
        await Promise.all(
          Array.from({ length: Math.min(50, bytes.length - start) }, async (_, i) => {
            const connection = await Connection.open(target.host.port);
            await connection.write(bytes.subarray(0, start + i));
            await sleep(2);
            connection.write(bytes.subarray(start + i));
            assert.equal((await connection.response()).status, status, `split at ${start + i}`);
            await connection.close();
          }),
        );
      }
      const connection = await Connection.open(target.host.port);
      for (const byte of bytes) await connection.write(Buffer.of(byte));
      assert.equal((await connection.response()).status, status, 'one byte at a time');
      await connection.close();
    }
    await stream.close();
  });

  test('several requests in one packet are answered in order', async () => {
    const connection = await Connection.open(target.host.port);
    connection.write(
      Buffer.concat(
        Array.from({ length: 50 }, (_, i) =>
          requestBytes('POST', '/mcp', postLines(target.host.port, target.key), rpc('ping', {}, `p${i}`)),
        ),
      ),
    );
    for (let i = 0; i < 50; i += 1) assert.equal(JSON.parse((await connection.response()).body).id, `p${i}`);
    await connection.close();
  });

  test('line ends, control bytes and sizes that are no HTTP end in 4xx or a closed connection', async () => {
    const good = requestBytes('POST', '/mcp', postLines(target.host.port, target.key), rpc('ping')).toString('latin1');
    const [requestLine] = good.split('\r\n');
    const withHeader = (line) => good.replace('\r\n', `\r\n${line}\r\n`);
    const cases = [
      good.replaceAll('\r\n', '\n'),
      good.replaceAll('\r\n', '\r'),
      withHeader('X: a\rb'),
      withHeader('X: a\0b'),
      withHeader(' folded: x'),
      withHeader('X : y'),
      withHeader('no colon here'),
      withHeader('\x01bad: x'),
      withHeader(`X: ${'y'.repeat(20_000)}`),
      withHeader(Array.from({ length: 5_000 }, (_, i) => `X${i}: y`).join('\r\n')),
      good.replace(requestLine, `POST ${'/x'.repeat(20_000)} HTTP/1.1`),
      good.replace(requestLine, 'POST /mcp HTTP/9.9'),
      good.replace(requestLine, 'POST /mcp'),
      good.replace(requestLine, 'P\0ST /mcp HTTP/1.1'),
      'POST /mcp HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + '\0'.repeat(300),
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\r\n'.repeat(50_000),
      '\0'.repeat(100_000),
      'GET'.repeat(50_000),
    ];
    for (const text of cases) {
      const connection = await Connection.open(target.host.port);
      connection.write(Buffer.from(text, 'latin1'));
      const answer = await connection.response(8_000).catch(() => undefined);
      assert.ok(
        answer ? answer.status >= 400 && answer.status < 506 && answer.status !== 500 : connection.isClosed,
        `${JSON.stringify(text.slice(0, 80))}: ${answer?.status}`,
      );
      await connection.close();
    }
  });

  test('nothing that a client sends appears as a header line of the answer', async () => {
    for (const path of [
      '/messages?sessionId=x%0d%0aX-Evil:%20yes',
      '/mcp?%0d%0aX-Evil:%20yes',
      '/sse/%0d%0aX-Evil:%20yes',
    ]) {
      const { headers } = await exchange(
        target.host.port,
        requestBytes('POST', path, [...postLines(target.host.port, target.key), 'Mcp-Session-Id: a\tb'], rpc('ping')),
      );
      assert.doesNotMatch(headers, /^x-evil/im);
    }
  });

  test('a request that never ends is given up within its limit', async () => {
    const started = performance.now();
    const connections = await Promise.all(
      [
        '',
        'POST /mcp HTTP/1.1\r\nHost: 127',
        requestBytes(
          'POST',
          '/mcp',
          [...postLines(target.host.port, target.key), 'Content-Length: 100'],
          '{',
        ).toString(),
      ].map(async (bytes) => {
        const connection = await Connection.open(target.host.port);
        await connection.write(bytes || 'G');
        return connection;
      }),
    );
    await wait(Promise.all(connections.map((connection) => connection.closed)), 15_000 * SLOWNESS);
    assert.ok(connections.every((connection) => connection.isClosed));
    assert.ok(performance.now() - started > 2_000, 'and not before it');
  });
});
