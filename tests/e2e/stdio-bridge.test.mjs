// The bridge and servers that do what servers may do: HTTP with SSE only, sessions that are forgotten, streams that
// break, fields that are wanted, answers that come twice, certificates of somebody else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { describe, test } from 'node:test';
import { makeAuthority, makeCertificate } from './support/certificates.mjs';
import { eventually, freshDirectory, sleep } from './support/host.mjs';
import { MODERN } from './support/raw.mjs';
import { Pipe } from './support/stdio.mjs';

const META = { 'io.modelcontextprotocol/protocolVersion': MODERN, 'io.modelcontextprotocol/clientCapabilities': {} };
const JSON_TYPE = { 'Content-Type': 'application/json' };
const STREAM_TYPE = { 'Content-Type': 'text/event-stream' };

/** A server whose `answer(request, response, message)` plays the part; `seen`: what it was sent. */
async function scripted(t, answer, tls) {
  const seen = [];
  const take = async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    const message = body ? JSON.parse(body) : undefined;
    seen.push({ method: request.method, url: request.url, headers: request.headers, message });
    answer(request, response, message);
  };
  const server = tls ? https.createServer(tls, take) : http.createServer(take);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: server.address().port, seen, server };
}

const json = (response, body, headers = {}, status = 200) =>
  response.writeHead(status, { ...JSON_TYPE, ...headers }).end(JSON.stringify(body));
const result = (id, value = {}) => ({ jsonrpc: '2.0', id, result: value });
const initialized = (message) =>
  result(message.id, {
    protocolVersion: message.params.protocolVersion,
    capabilities: {},
    serverInfo: { name: 'scripted', version: '1' },
  });
const event = (data, id) => `${id ? `id: ${id}\n` : ''}event: message\ndata: ${JSON.stringify(data)}\n\n`;

const bridge = (t, url, options = []) => new Pipe(t, ['stdio', '--url', url, ...options], 'hdsk_test');

describe('the bridge and', { timeout: 120_000, concurrency: true }, () => {
  test('a server that has nothing but HTTP with SSE, and starts again', async (t) => {
    let stream;
    let streams = 0;
    const server = await scripted(t, (request, response, message) => {
      if (request.method === 'GET') {
        stream = response.writeHead(200, STREAM_TYPE);
        stream.write(`: hello\r\nevent: endpoint\r\ndata: /messages?id=${++streams}\r\n\r\n`);
        return;
      }
      if (!request.url.startsWith('/messages')) return response.writeHead(405, { Allow: 'GET' }).end();
      if (request.url !== `/messages?id=${streams}`) return response.writeHead(404).end();
      response.writeHead(202).end('Accepted');
      if (message.method === 'initialize') stream.write(event(initialized(message)));
      else if (message.method === 'tools/list') stream.write(event(result(message.id, { tools: [] })));
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/sse`);
    assert.equal((await pipe.initialize('2025-06-18')).result.serverInfo.name, 'scripted');
    assert.deepEqual((await pipe.request('tools/list', {}, 1)).result.tools, []);
    assert.ok(server.seen.every(({ headers }) => headers['x-api-key'] === 'hdsk_test'));

    pipe.send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'never', arguments: {} } });
    await eventually('the call has arrived', () => server.seen.some(({ message }) => message?.id === 2));
    stream.end();
    assert.match((await pipe.answer(2)).error.message, /may have been done/);
    assert.deepEqual((await pipe.request('tools/list', {}, 3)).result.tools, []);
    const begun = server.seen
      .filter(({ url, message }) => url.startsWith('/messages') && message.method === 'initialize')
      .map(({ message }) => message.params);
    assert.equal(begun.length, 2);
    assert.deepEqual(begun[0], begun[1]);
    assert.equal(pipe.messages.filter(({ id }) => id === 'initialize').length, 1);
    assert.equal((await pipe.close()).code, 0);
  });

  test('a server that names an endpoint of somebody else', async (t) => {
    const server = await scripted(t, (request, response) => {
      if (request.method !== 'GET') return response.writeHead(404).end();
      response.writeHead(200, STREAM_TYPE).write('event: endpoint\ndata: http://127.0.0.1:1/messages\n\n');
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/sse`);
    const answer = await pipe.request('initialize', { protocolVersion: '2025-11-25', capabilities: {} }, 1);
    assert.ok(answer.error);
    assert.match(pipe.words, /endpoint elsewhere/);
  });

  test('a server that forgets sessions', async (t) => {
    let session = 0;
    const server = await scripted(t, (request, response, message) => {
      if (request.method === 'DELETE') return response.writeHead(200).end();
      if (request.method === 'GET') return response.writeHead(405).end();
      if (message.method === 'initialize')
        return json(response, initialized(message), { 'Mcp-Session-Id': `s${++session}` });
      if (request.headers['mcp-session-id'] !== `s${session}`) return response.writeHead(404).end();
      if (message.id === undefined) return response.writeHead(202).end();
      assert.equal(request.headers['mcp-protocol-version'], '2025-06-18');
      json(response, result(message.id, { session }));
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    await pipe.initialize('2025-06-18');
    assert.equal((await pipe.request('tools/call', { name: 'x' }, 1)).result.session, 1);
    session = 7; // forgotten
    const answers = await Promise.all([2, 3, 4].map((id) => pipe.request('tools/call', { name: 'x' }, id)));
    assert.deepEqual(
      answers.map((answer) => answer.result.session),
      [8, 8, 8],
    );
    const methods = server.seen.map(({ message }) => message?.method);
    assert.equal(methods.filter((method) => method === 'initialize').length, 2);
    assert.equal(methods.filter((method) => method === 'notifications/initialized').length, 2);
    await pipe.close();
    assert.equal(server.seen.at(-1).method, 'DELETE');
    assert.equal(server.seen.at(-1).headers['mcp-session-id'], 's8');
  });

  test('a session that cannot be begun anew at once: calls fail, later ones do not', async (t) => {
    const waits = []; // `initialize` without an answer
    let plays = 'well';
    let session = 0;
    let closed = 0;
    const server = await scripted(t, (request, response, message) => {
      if (request.method === 'DELETE') return response.writeHead(200).end();
      if (message?.method === 'initialize') {
        if (plays === 'dead') return waits.push(request);
        const answer = initialized(message);
        return json(response, plays === 'well' ? answer : [answer], { 'Mcp-Session-Id': `s${++session}` });
      }
      if (plays !== 'well' || request.headers['mcp-session-id'] !== `s${session}`)
        return response.writeHead(404).end();
      if (request.method === 'GET') {
        request.socket.once('close', () => (closed += 1));
        return response.writeHead(200, STREAM_TYPE).write(': hello\n\n');
      }
      if (message.id === undefined) return response.writeHead(202).end();
      json(response, result(message.id, { session }));
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    const call = (id) => pipe.request('tools/call', { name: 'x' }, id);
    await pipe.initialize();
    assert.equal((await call(1)).result.session, 1);
    await eventually('it listens', () => server.seen.some(({ method }) => method === 'GET'));

    plays = 'batch'; // instead of a message
    for (const answer of await Promise.all([call(2), call(3)])) assert.match(answer.error.message, /answered 404/);
    plays = 'well';
    assert.ok((await call(4)).result.session > 1);
    await eventually('the stream of the session before is closed', () => closed === 1);

    plays = 'dead';
    for (const id of [5, 6]) pipe.send({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'x' } });
    for (const id of [5, 6]) assert.match((await pipe.answer(id, 60_000)).error.message, /answered 404/);
    assert.equal(waits.length, 1, 'one for both');
    plays = 'well';
    assert.ok((await call(7)).result.session > 2);
  });

  test('503: a call that was not begun is sent again, any other is not', async (t) => {
    let refusals = 0;
    const server = await scripted(t, (request, response, message) => {
      if (message?.method === 'initialize') return json(response, initialized(message));
      if (message?.id === undefined) return response.writeHead(request.method === 'POST' ? 202 : 405).end();
      if (message.params.name === 'free' && refusals === 3) return json(response, result(message.id, { n: 1 }));
      const body = { error: 'unavailable', message: 'The server is stopping; try again shortly.' };
      if (message.params.name === 'free') body.repeatable = Boolean(++refusals);
      json(response, body, { 'Retry-After': '2' }, 503);
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    await pipe.initialize();
    assert.deepEqual((await pipe.request('tools/call', { name: 'free' }, 1)).result, { n: 1 });
    assert.equal(pipe.words.match(/answered 503/g).length, 1);
    assert.equal(pipe.words.match(/answers again/g).length, 1);
    assert.match((await pipe.request('tools/call', { name: 'begun' }, 2)).error.message, /may have been done/);
    assert.equal(server.seen.filter(({ message }) => message?.params?.name === 'begun').length, 1);
  });

  test('a call over HTTP with SSE that is given up: its late answer is nobody\'s', async (t) => {
    let stream;
    const server = await scripted(t, (request, response, message) => {
      if (request.method === 'GET') {
        stream = response.writeHead(200, STREAM_TYPE);
        return stream.write('event: endpoint\ndata: /messages\n\n');
      }
      if (request.url !== '/messages') return response.writeHead(405).end();
      response.writeHead(202).end();
      if (message.method === 'initialize') stream.write(event(initialized(message)));
      if (message.method === 'notifications/cancelled') stream.write(event(result(1, 'late')));
      if (message.method === 'ping') stream.write(event(result(message.id)));
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/sse`);
    await pipe.initialize('2025-06-18');
    pipe.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } });
    await eventually('it has arrived', () => server.seen.some(({ message }) => message?.id === 1));
    pipe.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await eventually('that, too', () => server.seen.some(({ message }) => message?.params?.requestId === 1));
    assert.ok((await pipe.request('ping', {}, 2)).result);
    assert.ok(!pipe.messages.some(({ id }) => id === 1));
  });

  test('a server that does not answer `initialize`: more than 64 MiB are not kept', async (t) => {
    const server = await scripted(t, () => {});
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    pipe.send({ jsonrpc: '2.0', id: 'first', method: 'initialize', params: { protocolVersion: '2025-11-25' } });
    const padding = 'x'.repeat(8 * 1024 * 1024);
    for (let id = 1; id <= 9; ++id) pipe.send({ jsonrpc: '2.0', id, method: 'tools/call', params: { padding } });
    assert.match((await pipe.answer(9)).error.message, /Too many messages wait/);
    assert.ok(!pipe.messages.some(({ id }) => id === 1));
  });

  test('a server that refuses the key: what is to be done about it', async (t) => {
    const body = { error: 'unauthorized', message: 'Send X-API-Key or Authorization: Bearer' };
    const server = await scripted(t, (request, response) => json(response, body, {}, 401));
    const refusal = async (key, options, env) => {
      const pipe = new Pipe(t, ['stdio', '--url', `http://127.0.0.1:${server.port}/mcp`, ...options], key, env);
      return (await pipe.request('initialize', { protocolVersion: '2025-11-25' }, 1)).error.message;
    };
    assert.match(
      await refusal('hdsk_test', []),
      /Bearer\. Check the API key in the environment variable HELPDESK_API_KEY\.$/,
    );
    assert.match(await refusal('', [], { TOOLHOST_API_KEY: 'a' }), /variable TOOLHOST_API_KEY\.$/);
    assert.match(await refusal('', ['--key-env', 'MINE']), /There is no API key: .*variable MINE\.$/);
    assert.match(await refusal('hdsk_test', ['--header', 'X-API-Key: other']), /that --header names\.$/);
    const asked = server.seen.length;
    assert.match(await refusal('hdsk_a\nb', []), /variable HELPDESK_API_KEY holds a line break/);
    assert.equal(server.seen.length, asked);
  });

  test('a stream that breaks and is resumed, and an answer that comes twice', async (t) => {
    const server = await scripted(t, (request, response, message) => {
      if (request.method === 'GET' && request.headers['last-event-id'] === 'e1') {
        response.writeHead(200, STREAM_TYPE).write(event(result(1, { n: 1 }), 'e2'));
        return response.end(event(result(1, { n: 2 }), 'e3'));
      }
      if (request.method !== 'POST') return response.writeHead(405).end();
      if (message.method === 'initialize') return json(response, initialized(message));
      if (message.id === undefined) return response.writeHead(202).end();
      response.writeHead(200, STREAM_TYPE).write('id: e0\nretry: 50\ndata: \n\n');
      const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } };
      response.write(event(progress, 'e1'), () => response.destroy());
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    await pipe.initialize();
    assert.deepEqual((await pipe.request('tools/call', { name: 'x' }, 1)).result, { n: 1 });
    await sleep(200);
    assert.equal(pipe.messages.filter((message) => message.id === 1).length, 1);
    assert.equal(pipe.messages.filter(({ method }) => method === 'notifications/progress').length, 1);
    const calls = server.seen.filter(({ message }) => message?.method === 'tools/call');
    assert.equal(calls.length, 1, 'a call is not repeated');
  });

  test('a server that says more than a version where a version belongs', async (t) => {
    const server = await scripted(t, (request, response, message) => {
      if (request.method !== 'POST') return response.writeHead(405).end();
      if (message.id === undefined) return response.writeHead(202).end();
      if (message.method !== 'initialize') return json(response, result(message.id));
      const answer = initialized(message);
      answer.result.protocolVersion += '\r\nX-Evil: 1';
      json(response, answer, { 'Mcp-Session-Id': 's1' });
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    const params = { protocolVersion: '2025-11-25', capabilities: {} };
    assert.match((await pipe.request('initialize', params, 1)).error.message, /impossible protocol version/);
    assert.ok((await pipe.request('ping', {}, 2)).result);
    assert.ok(server.seen.every(({ headers }) => headers['x-evil'] === undefined));
  });

  test('a server whose streams end at once, and who wants its clients back at once', async (t) => {
    const server = await scripted(t, (request, response, message) => {
      if (request.method === 'GET') return response.writeHead(200, STREAM_TYPE).end('retry: 0\n\n');
      if (message?.id === undefined) return response.writeHead(202).end();
      json(response, initialized(message), { 'Mcp-Session-Id': 's1' });
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    await pipe.initialize();
    const came = () => server.seen.filter(({ method }) => method === 'GET').length;
    await eventually('it comes back', () => came() >= 3);
    await sleep(3000);
    assert.ok(came() <= 8, `${came()} times`); // after 0.2, 0.4, 0.8, 1.6, 3.2 s
  });

  test('a server that has no stream, and answers as if it had forgotten the session', async (t) => {
    const server = await scripted(t, (request, response, message) => {
      if (request.method !== 'POST') return response.writeHead(404).end();
      if (message.id === undefined) return response.writeHead(202).end();
      json(response, initialized(message), { 'Mcp-Session-Id': 's1' });
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    await pipe.initialize();
    await sleep(1000);
    assert.equal(server.seen.filter(({ method }) => method === 'GET').length, 1);
    assert.equal(server.seen.filter(({ message }) => message?.method === 'initialize').length, 1);
  });

  test('a connection that breaks: what can be repeated is, a call is not', async (t) => {
    const counts = {};
    const server = await scripted(t, (request, response, message) => {
      if (message?.method === 'initialize') return json(response, initialized(message));
      if (message?.id === undefined) return response.writeHead(request.method === 'POST' ? 202 : 405).end();
      counts[message.method] = (counts[message.method] ?? 0) + 1;
      if (counts[message.method] === 1) return request.socket.destroy();
      json(response, result(message.id, { tools: [] }));
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    await pipe.initialize();
    assert.deepEqual((await pipe.request('tools/list', {}, 1)).result, { tools: [] });
    assert.match((await pipe.request('tools/call', { name: 'x' }, 2)).error.message, /may have been done/);
    assert.deepEqual(counts, { 'tools/list': 2, 'tools/call': 1 });
  });

  test('a modern server: its fields, those of marked arguments, and giving up by closing', async (t) => {
    const tools = [
      {
        name: 'open',
        inputSchema: {
          type: 'object',
          properties: {
            region: { type: 'string', 'x-mcp-header': 'Region' },
            count: { type: 'integer', 'x-mcp-header': 'Count' },
          },
        },
      },
    ];
    let closed = 0;
    const server = await scripted(t, (request, response, message) => {
      const { headers } = request;
      assert.equal(headers['mcp-protocol-version'], MODERN);
      assert.equal(headers['mcp-method'], message.method);
      assert.equal(headers['mcp-session-id'], undefined);
      if (message.method === 'tools/list')
        return json(response, result(message.id, { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'private' }));
      if (message.params.name === 'forever') return request.socket.once('close', () => (closed += 1));
      assert.equal(headers['mcp-name'], 'open');
      if (!headers['mcp-param-region']) {
        const error = { code: -32020, message: 'Header mismatch: Mcp-Param-Region is missing' };
        return json(response, { jsonrpc: '2.0', id: message.id, error }, {}, 400);
      }
      const region = headers['mcp-param-region'];
      json(response, result(message.id, { resultType: 'complete', region, count: headers['mcp-param-count'] }));
    });
    const pipe = bridge(t, `http://127.0.0.1:${server.port}/mcp`);
    const call = (region, id) =>
      pipe.request('tools/call', { name: 'open', arguments: { region, count: 42 }, _meta: META }, id);
    assert.deepEqual((await call('Süd', 1)).result, {
      resultType: 'complete',
      region: `=?base64?${Buffer.from('Süd').toString('base64')}?=`,
      count: '42',
    });
    assert.equal((await call('plain', 2)).result.region, 'plain');
    assert.equal(server.seen.filter(({ message }) => message.method === 'tools/list').length, 1);

    pipe.send({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'forever', _meta: META } });
    await eventually('it has arrived', () => server.seen.some(({ message }) => message.id === 3));
    pipe.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 3 } });
    await eventually('its connection is closed', () => closed === 1);
    assert.ok(!server.seen.some(({ message }) => message.method === 'notifications/cancelled'));
    assert.ok(!pipe.messages.some(({ id }) => id === 3));
  });

  test('a certificate: of an authority that is trusted, of another one, and of another name', async (t) => {
    const directory = await freshDirectory(t);
    const authority = await makeAuthority(directory);
    const files = await makeCertificate(directory, 'server');
    const tls = { cert: await readFile(files.certificate), key: await readFile(files.key) };
    const server = await scripted(
      t,
      (request, response, message) =>
        message?.id === undefined ? response.writeHead(202).end() : json(response, initialized(message)),
      tls,
    );
    const begin = (url, env) => {
      const pipe = new Pipe(t, ['stdio', '--url', url], 'hdsk_test', env);
      return pipe.request('initialize', { protocolVersion: '2025-11-25', capabilities: {} }, 1);
    };
    const trusted = { SSL_CERT_FILE: authority };
    assert.ok((await begin(`https://localhost:${server.port}/mcp`, trusted)).result);
    assert.ok((await begin(`https://127.0.0.1:${server.port}/mcp`, trusted)).result);
    assert.match((await begin(`https://localhost:${server.port}/mcp`, {})).error.message, /not trusted/);
    assert.equal(server.seen.filter(({ headers }) => headers['x-api-key']).length, 2, 'the key went to nobody else');
  });

  test('plain HTTP to another machine, fields that are none, and variables that are not set', async (t) => {
    const first = async (url, options) =>
      (await bridge(t, url, options).request('initialize', { protocolVersion: '2025-11-25' }, 1)).error.message;
    assert.match(await first('http://tools.example.com/mcp'), /not https.*--allow-http/);
    assert.match(await first('http://127.0.0.1:1/mcp', ['--header', 'no colon']), /NAME:VALUE/);
    assert.match(await first('http://127.0.0.1:1/mcp', ['--header', 'X-Key:${NOT_SET}']), /NOT_SET is not set/);
    assert.match(await first('http://127.0.0.1:1/mcp', ['--header', 'X Key:a']), /no name of an HTTP field/);
    assert.match(await first('http://127.0.0.1:1/mcp'), /127\.0\.0\.1:1 cannot be reached/);
  });
});
