// A client's trace goes on in the host: its id in the log, and spans at a collector of OpenTelemetry's.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { NOWHERE } from './support/helpdesk.mjs';
import { eventually, Host } from './support/host.mjs';
import { metricsOf, sum } from './support/metrics.mjs';
import { post, rpc } from './support/raw.mjs';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const parent = (span, flags = '01', trace = TRACE) => `00-${trace}-${span}-${flags}`;

/** Takes OTLP over HTTP; answers `status()`. */
async function collector(t, status = () => 200) {
  const requests = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text) => (body += text));
    request.on('end', () => {
      const code = status();
      requests.push({ code, url: request.url, headers: request.headers, body: JSON.parse(body) });
      response.writeHead(code, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const spans = () =>
    requests
      .filter(({ code }) => code === 200)
      .flatMap(({ body }) => body.resourceSpans[0].scopeSpans[0].spans);
  return { url: `http://127.0.0.1:${server.address().port}/v1/traces`, requests, spans };
}

const attributes = (span) => Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.stringValue]));
const call = (host, key, name, args, meta, headers) =>
  post(host.url, key, rpc('tools/call', { name, arguments: args, ...(meta && { _meta: meta }) }), { headers });

test('traces of clients reach the log, and the collector once it answers', { timeout: 120_000 }, async (t) => {
  let isDown = true;
  const otlp = await collector(t, () => (isDown ? 503 : 200));
  const host = await Host.start(t, {
    config: JSON.stringify({ tracing: { otlp: otlp.url, sample: 0, headers: { authorization: 'env:OTLP_TOKEN' } } }),
    env: { OTLP_TOKEN: 'Bearer of-spans' },
  });
  const key = await host.key();

  await call(host, key, 'create_ticket', { title: 'Printer jams' }, { traceparent: parent('b7ad6b7169203331'), tracestate: 'desk=1' });
  await call(host, key, 'get_ticket', { id: NOWHERE }, undefined, { traceparent: parent('00000000000000aa') });
  // The message stands above the field; what nobody samples, and what belongs to no trace, is not sent.
  await call(host, key, 'list_tickets', {}, { traceparent: parent('00000000000000bb') }, { traceparent: parent('00000000000000cc') });
  await call(host, key, 'list_tickets', {}, { traceparent: parent('00000000000000dd', '00') });
  await call(host, key, 'list_tickets', {});

  await eventually('the collector was asked', () => otlp.requests.length > 0);
  await eventually('the log says that it takes nothing', () => /"component":"tracing".*503/.test(host.errors));
  isDown = false;
  await eventually('the spans came', () => otlp.spans().filter((span) => span.kind === 2).length >= 3);

  const [created, got, listed, ...others] = otlp.spans().filter((span) => span.kind === 2);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [created, got, listed].map((span) => [span.name, span.parentSpanId]),
    [
      ['tools/call create_ticket', 'b7ad6b7169203331'],
      ['tools/call get_ticket', '00000000000000aa'],
      ['tools/call list_tickets', '00000000000000bb'],
    ],
  );
  assert.equal(created.traceState, 'desk=1');
  assert.ok(otlp.spans().every((span) => span.traceId === TRACE));
  assert.equal(attributes(created)['toolhost.tenant'], 'demo');
  assert.equal(attributes(created)['toolhost.outcome'], 'ok');
  assert.equal(attributes(got)['error.type'], 'tool_error');
  assert.equal(got.status.code, 2);
  // What the call is made of lies beneath it, within its time.
  const parts = otlp.spans().filter((span) => span.parentSpanId === created.spanId);
  assert.ok(parts.some(({ name }) => name === 'handler'), JSON.stringify(parts));
  for (const part of parts) assert.ok(BigInt(part.startTimeUnixNano) >= BigInt(created.startTimeUnixNano));

  const { headers, url } = otlp.requests.at(-1);
  assert.equal(url, '/v1/traces');
  assert.equal(headers.authorization, 'Bearer of-spans');
  assert.ok(!host.log.includes('of-spans'), 'no secret in the log');
  const refused = host.errors.split('\n').find((line) => line.includes('"tool":"get_ticket"'));
  assert.equal(JSON.parse(refused).trace, TRACE);
  assert.equal(sum(await metricsOf(host), 'toolhost_spans_dropped_total'), 0);
});

test('what runs when the host ends is sent before it does', { timeout: 60_000 }, async (t) => {
  const otlp = await collector(t);
  const host = await Host.start(t, { config: JSON.stringify({ tracing: { otlp: otlp.url } }) });
  const key = await host.key();
  await call(host, key, 'list_tickets', {});
  assert.equal((await host.stop()).code, 0);
  const [span] = otlp.spans();
  assert.equal(span.name, 'tools/call list_tickets');
  assert.match(span.traceId, /^[0-9a-f]{32}$/);
  assert.equal(span.parentSpanId, undefined);
});
