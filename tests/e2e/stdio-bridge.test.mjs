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

describe('the bridge and', { timeout: 120_000 }, () => {
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
