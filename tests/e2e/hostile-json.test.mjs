// JSON that no serialiser would write, and well-formed requests with ill intent, over both transports: the documented
// error, or it works.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sleep } from './support/host.mjs';
import {
  callTool,
  Connection,
  exchange,
  JSON_HEADERS,
  post,
  requestBytes,
  rpc,
  SseStream,
  textOf,
} from './support/raw.mjs';
import { keyHeaders } from './support/clients.mjs';
import { create, hostileHost, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR } from './support/hostile.mjs';

describe('hostile JSON and requests', { timeout: 600_000 }, () => {
  const target = hostileHost();
  /** Sends one body over each transport; gives the JSON-RPC answer of each (or the HTTP answer when there is none). */
  async function overBoth(body, id) {
    const http = await post(target.host.url, target.key, body);
    const stream = await SseStream.connect(target.host.port, target.key);
    try {
      const accepted = await stream.send(body);
      const sse =
        accepted.status === 202 && id !== undefined ? { status: 202, message: await stream.answer(id) } : accepted;
      return { http, sse };
    } finally {
      await stream.close();
    }
  }
  /** The same body with `from` replaced in the text, to write JSON that no serialiser would. */
  const spoiled = (from, to, id) => create(from, id).replace(from, to);

  const deep = (open, close) => open.repeat(100_000) + close.repeat(100_000);
  for (const [what, text] of [
    ['arrays', deep('[', ']')],
    ['objects', deep('{"a":', '}').replace('{"a":}', '{}')],
    ['unclosed arrays', '['.repeat(100_000)],
  ]) {
    test(`100,000-deep ${what} are a parse error, as the message and inside it`, async () => {
      for (const body of [text, create('DEEP', 7).replace('"DEEP"', text)]) {
        const { http, sse } = await overBoth(body);
        for (const answer of [http, sse]) {
          assert.equal(answer.status, 400, answer.body.slice(0, 300));
          assert.equal(answer.message.error.code, PARSE_ERROR);
        }
      }
    });
  }

  test('lone surrogates are refused with words, pairs are kept', async () => {
    for (const [number, escape] of ['\\ud800', 'a\\udc00b', '\\ud83d\\ud83d', '\\udfff\\ud800'].entries()) {
      const { http, sse } = await overBoth(spoiled('SPOILED', escape, `s${number}`), `s${number}`);
      for (const { status, message } of [http, sse])
        assert.ok(message.error || message.result.isError, `${escape}: ${status} ${JSON.stringify(message)}`);
    }
    const { http } = await overBoth(spoiled('SPOILED', '\\ud83d\\ude00', 'pair'), 'pair');
    assert.equal(http.message.result.structuredContent.ticket.title, '😀');
  });

  test('escaped control characters, NUL first, do not reach the ticket', async () => {
    const { http, sse } = await overBoth(spoiled('SPOILED', 'a\\u0000b\\u001bc\\u202ed', 'nul'), 'nul');
    for (const { message } of [http, sse]) assert.equal(message.result.structuredContent?.ticket.title, 'abcd');
    const { http: only } = await overBoth(spoiled('SPOILED', '\\u0000', 'only'), 'only');
    assert.equal(only.message.result.isError, true, 'a title of nothing else is no title');
  });

  test('bytes that are no UTF-8, or no JSON, are a parse error', async () => {
    const bodies = [
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"'),
        Buffer.from([0xc0, 0xaf]),
        Buffer.from('"}}'),
      ]),
      Buffer.from('\ufeff' + rpc('ping'), 'utf16le'),
      '',
      ' ',
      '{',
      '{"jsonrpc":"2.0","id":1,"method":"ping"} trailing',
      "{'jsonrpc':'2.0'}",
      'NaN',
      '{"jsonrpc":"2.0","id":01,"method":"ping"}',
    ];
    for (const body of bodies) {
      const { http, sse } = await overBoth(body);
      for (const answer of [http, sse])
        assert.equal(answer.status, 400, `${JSON.stringify(String(body))}: ${answer.status} ${answer.body}`);
    }
  });

  test('JSON that is no request is an error, never a crash', async () => {
    for (const body of [
      'null',
      '1',
      '"x"',
      '[]',
      '{}',
      '[1,2,3]',
      '{"jsonrpc":"1.0","id":1,"method":"ping"}',
      '{"jsonrpc":"2.0","id":null,"method":"ping"}',
      '{"jsonrpc":"2.0","id":{},"method":"ping"}',
      '{"jsonrpc":"2.0","id":1,"method":7}',
      '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
      `[${rpc('initialize')}]`,
    ]) {
      const answer = await post(target.host.url, target.key, body);
      assert.ok(
        answer.status === 400 || answer.message?.error || answer.message?.[0]?.error,
        `${body}: ${answer.status} ${answer.body}`,
      );
      const { error } = Array.isArray(answer.message) ? answer.message[0] : answer.message;
      assert.ok([PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS].includes(error.code), `${body}: ${answer.body}`);
    }
    for (const params of [
      {},
      { name: 7 },
      { name: 'create_ticket', arguments: [] },
      { name: 'create_ticket', arguments: 'x' },
      { name: '\u0000' },
      { name: 'x'.repeat(100_000) },
    ]) {
      const answer = await post(target.host.url, target.key, rpc('tools/call', params));
      assert.equal(answer.message.error?.code, INVALID_PARAMS, JSON.stringify(params).slice(0, 100));
    }
  });

  test('numbers and ids of any size come back as they were or are refused', async () => {
    for (const id of ['0', '-1', '9007199254740993', '9223372036854775807', '"7"', '""', '"\\u00e9\\n"']) {
      const answer = await post(target.host.url, target.key, `{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
      assert.ok(
        new RegExp(`"id":${id.replace('\\u00e9', '(?:\\\\u00e9|é)').replace('\\n', '\\\\n')}[,}]`).test(answer.body),
        `${id}: ${answer.body}`,
      );
    }
    for (const id of ['1e400', '123456789012345678901234567890', '1.5']) {
      const answer = await post(target.host.url, target.key, `{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
      assert.ok(answer.status === 400 || answer.message.error || answer.message.result, id);
    }
    const limit = await callTool(target.host.url, target.key, 'list_tickets', { limit: 1e300 });
    assert.equal(limit.isError, true);
  });

  test("another key's session id is worth nothing, over both transports", async () => {
    const initialize = rpc('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    });
    const session = (await post(target.host.url, target.key, initialize)).headers.get('mcp-session-id');
    assert.ok(session, 'a session is assigned');
    const stream = await SseStream.connect(target.host.port, target.key);
    const theft = [
      post(target.host.url, target.otherKey, rpc('tools/list'), { headers: { 'Mcp-Session-Id': session } }),
      stream.send(rpc('tools/list', {}, 'stolen'), target.otherKey),
      fetch(`${target.host.url}/mcp`, {
        method: 'DELETE',
        headers: { ...keyHeaders(target.otherKey), 'Mcp-Session-Id': session },
      }),
      fetch(`${target.host.url}/mcp`, {
        headers: { Accept: 'text/event-stream', ...keyHeaders(target.otherKey), 'Mcp-Session-Id': session },
      }),
    ];
    for (const { status } of await Promise.all(theft)) assert.ok([401, 403, 404].includes(status), String(status));
    assert.equal(
      (await post(target.host.url, target.key, rpc('tools/list'), { headers: { 'Mcp-Session-Id': session } })).status,
      200,
      'the owner goes on',
    );
    await stream.send(rpc('ping', {}, 'mine'));
    assert.deepEqual((await stream.answer('mine')).result, {});
    assert.ok(!stream.text.includes('stolen'));
    await stream.close();
    for (const forged of ['x', session.slice(0, -1), `${session}x`, session.toUpperCase(), 'x'.repeat(10_000)]) {
      const { status } = await post(target.host.url, target.key, rpc('ping'), {
        headers: { 'Mcp-Session-Id': forged },
      });
      assert.ok([200, 400, 404, 431].includes(status), `${forged.slice(0, 40)}: ${status}`);
    }
    for (const forged of [
      '/messages',
      '/messages?sessionId=',
      `${stream.endpoint}x`,
      '/messages?sessionId=' + 'x'.repeat(5_000),
    ]) {
      assert.ok(
        [400, 404].includes((await post(target.host.url, target.key, rpc('ping'), { path: forged })).status),
        forged.slice(0, 40),
      );
    }
  });

  test('HEAD /sse ends at once and leaves the connection usable', async () => {
    const connection = await Connection.open(target.host.port);
    const lines = [`Host: 127.0.0.1:${target.host.port}`, `X-API-Key: ${target.key}`, 'Accept: text/event-stream'];
    connection.write(requestBytes('HEAD', '/sse', lines));
    const head = await connection.until((text) => /^HTTP\/1\.1 (\d{3})[\s\S]*?\r\n\r\n/.exec(text), 'answer to HEAD');
    assert.ok([200, 405].includes(Number(head[1])), head[1]);
    await sleep(200);
    assert.equal(connection.text.length, head[0].length, 'no body follows');
    await connection.close();
  });

  test('methods and paths that are not served say so', async () => {
    const status = async (method, path, headers = keyHeaders(target.key)) =>
      (await fetch(target.host.url + path, { method, headers })).status;
    for (const method of ['PUT', 'PATCH']) assert.equal(await status(method, '/mcp'), 405);
    assert.equal(await status('GET', '/mcp'), 405);
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/openid-configuration/sse',
      '/authorize',
      '/nowhere',
    ]) {
      assert.equal(await status('GET', path, {}), 404, path);
    }
    assert.equal(await status('POST', '/register', {}), 404);
    assert.equal(await status('POST', '/token', {}), 404);
  });

  test('a foreign Origin or Host is 403 before the key is looked at', async () => {
    for (const lines of [
      ['Host: evil.example.com', 'Origin: http://evil.example.com'],
      [`Host: 127.0.0.1:${target.host.port}`, 'Origin: http://evil.example.com'],
      ['Host: evil.example.com'],
      [`Host: 127.0.0.1:${target.host.port}`, 'Origin: null'],
    ]) {
      for (const credentials of [[], [`X-API-Key: ${target.key}`]]) {
        const bytes = requestBytes(
          'POST',
          '/mcp',
          [...lines, ...Object.entries(JSON_HEADERS).map(([name, value]) => `${name}: ${value}`), ...credentials],
          rpc('ping'),
        );
        assert.equal((await exchange(target.host.port, bytes)).status, 403, lines.join(', '));
      }
    }
  });

  test('two keys in one request are not a way in', async () => {
    for (const lines of [
      ['X-API-Key: nonsense', `X-API-Key: ${target.key}`],
      [`X-API-Key: ${target.key}, nonsense`],
      [`Authorization: Basic ${target.key}`],
      ['X-API-Key:', 'Authorization: Bearer'],
    ]) {
      const bytes = requestBytes(
        'POST',
        '/mcp',
        [`Host: 127.0.0.1:${target.host.port}`, 'Content-Type: application/json', 'Accept: */*', ...lines],
        rpc('ping'),
      );
      assert.ok([400, 401].includes((await exchange(target.host.port, bytes)).status), lines.join(', '));
    }
  });
});
