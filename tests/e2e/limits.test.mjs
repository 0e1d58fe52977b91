// How much: rates, calls at a time, sizes, failed sign-ins; each refusal says what to wait for.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import { eventually, Host, sleep, SLOWNESS } from './support/host.mjs';
import { insertKeys, makeKey } from './support/keys.mjs';
import { buildOutsidePlugins } from './support/outside.mjs';
import { callTool, post, rpc, SseStream, textOf } from './support/raw.mjs';

describe('limits', { timeout: 300_000 }, () => {
  const cleanups = [];
  let plugins;
  before(async () => {
    plugins = await buildOutsidePlugins({ after: (cleanup) => cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const start = (t, tenants, more = {}) =>
    Host.start(t, {
      config: JSON.stringify({
        plugins: ['outside_many', 'outside_notes'].map((name) => ({ file: join(plugins, `${name}.so`) })),
        tenants,
        ...more,
      }),
    });
  const call = (host, key, name, args = {}) => post(host.url, key, rpc('tools/call', { name, arguments: args }));
  const isDone = ({ message }) => message.result.isError !== true;

  test('a key over its rate is told to wait, in the result and in Retry-After, and may go on then', async (t) => {
    const host = await start(t, [{ name: 'demo', limits: { key: { rate: '1/s', burst: 3 } } }]);
    const [first, second] = await insertKeys(host, [
      { tenant: 'demo', name: 'first' },
      { tenant: 'demo', name: 'second' },
    ]);
    await eventually('the keys are known', async () => (await post(host.url, second.key, rpc('ping'))).status === 200);
    for (let number = 0; number < 3; number += 1) assert.ok(isDone(await call(host, first.key, 'write_00')));
    const asked = performance.now();
    const refused = await call(host, first.key, 'write_00');
    assert.ok(performance.now() - asked > 90, 'a client that does not wait is made to: a tenth of a second');
    assert.equal(refused.status, 200);
    assert.equal(refused.message.result.isError, true);
    assert.match(textOf(refused.message.result), /[Ww]ait 1 s/);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.ok(isDone(await call(host, second.key, 'write_00')), 'another key has a bucket of its own');
    await sleep(1_100);
    assert.ok(isDone(await call(host, first.key, 'write_00')));
  });

  test('a tenant and a tool have limits of their own', async (t) => {
    const host = await start(t, [
      {
        name: 'demo',
        limits: { tenant: { rate: '10/min', burst: 4 }, tools: [{ tools: ['write_0*'], rate: '1/min', burst: 1 }] },
      },
      { name: 'other' },
    ]);
    const keys = await insertKeys(
      host,
      ['demo', 'demo', 'other'].map((tenant, number) => ({ tenant, name: `key ${number}` })),
    );
    await eventually('the keys are known', async () => (await post(host.url, keys[2].key, rpc('ping'))).status === 200);
    assert.ok(isDone(await call(host, keys[0].key, 'write_00')));
    assert.match(textOf((await call(host, keys[1].key, 'write_00')).message.result), /write_00/);
    assert.ok(isDone(await call(host, keys[1].key, 'write_01')), 'each matching tool has its own bucket');
    assert.ok(isDone(await call(host, keys[0].key, 'read_00')));
    assert.ok(isDone(await call(host, keys[0].key, 'read_00')));
    assert.match(textOf((await call(host, keys[1].key, 'read_00')).message.result), /tenant/);
    assert.ok(isDone(await call(host, keys[2].key, 'read_00')));
  });

  test('calls at a time: one too many is refused, and a place is free when a call has ended', async (t) => {
    const host = await start(t, [{ name: 'demo', limits: { key: { concurrent: 2 } } }]);
    const key = await host.key();
    const waiting = [1, 2].map(() => call(host, key, 'outside_wait', { ms: 1_000 * SLOWNESS }));
    await sleep(300);
    const refused = await call(host, key, 'outside_wait', { ms: 10 });
    assert.equal(refused.message.result.isError, true);
    assert.match(textOf(refused.message.result), /2 .*at a time|at once/);
    for (const answer of await Promise.all(waiting)) assert.ok(isDone(answer));
    assert.ok(isDone(await call(host, key, 'outside_wait', { ms: 10 })));
  });

  test('requests, results and streams are capped for a tenant', async (t) => {
    const host = await start(t, [
      { name: 'demo', limits: { request: '2KiB', result: '4KiB', streams: 2 } },
      { name: 'roomy' },
    ]);
    const key = await host.key();
    const roomy = await host.key('roomy');
    const large = 'x'.repeat(3_000);
    const refused = await call(host, key, 'outside_echo', { text: large });
    assert.equal(refused.status, 413);
    assert.match(refused.body, /2,?048|2 KiB|2KiB/);
    assert.ok(isDone(await call(host, roomy, 'outside_echo', { text: large })));
    const escaped = await call(host, key, 'outside_echo', { text: '\u0001'.repeat(300) });
    assert.ok(isDone(escaped));
    const streams = [await SseStream.connect(host.port, key), await SseStream.connect(host.port, key)];
    t.after(() => Promise.all(streams.map((stream) => stream.close())));
    const third = await fetch(`${host.url}/sse`, { headers: { 'X-API-Key': key, Accept: 'text/event-stream' } });
    assert.equal(third.status, 429);
    await third.body.cancel();
  });

  test('an address that guesses keys is held off; keys that work go on', async (t) => {
    const host = await start(t, [{ name: 'demo' }], { keys: { failed_sign_ins: 5, failed_sign_in_period: '1h' } });
    const [made] = await insertKeys(host, [{ tenant: 'demo', name: 'good' }]);
    const statuses = [];
    for (let number = 0; number < 8; number += 1) statuses.push((await post(host.url, makeKey(), rpc('ping'))).status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    const held = await post(host.url, makeKey(), rpc('ping'));
    assert.ok(Number(held.headers.get('retry-after')) >= 1);
    await eventually('the key is known', async () => (await post(host.url, made.key, rpc('ping'))).status === 200);
    assert.equal((await post(host.url, makeKey(), rpc('ping'))).status, 429);
  });

  test('a read-only key cannot write, whatever the tool says of itself', async (t) => {
    const host = await start(t, [{ name: 'demo' }]);
    const [reader] = await insertKeys(host, [{ tenant: 'demo', name: 'reader', scopes: ['read'] }]);
    await eventually('the key is known', async () => (await post(host.url, reader.key, rpc('ping'))).status === 200);
    const names = (await post(host.url, reader.key, rpc('tools/list'))).message.result.tools.map((tool) => tool.name);
    assert.ok(names.includes('read_00') && !names.includes('write_00') && !names.includes('outside_add_note'));
    const answer = await call(host, reader.key, 'outside_add_note', { body: 'no' });
    assert.equal(answer.message.error.message, 'Unknown tool: outside_add_note');
  });

  test('a disabled key is refused within a second, its stream closed, and works again when it is enabled', async (t) => {
    const host = await start(t, [{ name: 'demo' }]);
    const key = await host.key();
    const stream = await SseStream.connect(host.port, key);
    t.after(() => stream.close());
    await host.command('key', 'disable', key.slice(0, 11));
    await eventually('refused', async () => (await post(host.url, key, rpc('ping'))).status === 403, { limit: 1_000 });
    assert.match((await post(host.url, key, rpc('ping'))).body, /Access denied.*disabled/);
    await eventually('the stream is closed', () => stream.hasEnded, { limit: 1_000 });
    await host.command('key', 'enable', key.slice(0, 11));
    await eventually('accepted', async () => (await post(host.url, key, rpc('ping'))).status === 200, { limit: 1_000 });
  });

  test('a replaced key works until its overlap is over, its successor at once', async (t) => {
    const host = await start(t, [{ name: 'demo' }]);
    const key = await host.key();
    const begun = performance.now();
    const successor = await host.command('key', 'rotate', key.slice(0, 11), '--overlap', '3s');
    assert.match(successor, /^hdsk_[0-9A-Za-z]{32}$/);
    const rotated = performance.now();
    const statusOf = async (which) => (await post(host.url, which, rpc('ping'))).status;
    await eventually('the successor works', async () => (await statusOf(successor)) === 200, { limit: 1_000 });
    assert.equal(await statusOf(key), 200);
    const stream = await SseStream.connect(host.port, key);
    t.after(() => stream.close());
    await eventually('the old key ends', async () => (await statusOf(key)) === 403, { limit: 5_000 });
    const ended = performance.now();
    assert.ok(ended - begun > 2_900, `${ended - begun} ms after the command began`);
    assert.ok(ended - rotated < 4_500 * SLOWNESS, `${ended - rotated} ms after it had ended`);
    await eventually('its stream is closed', () => stream.hasEnded, { limit: 1_500 });
    assert.equal((await callTool(host.url, successor, 'write_00', {})).isError ?? false, false);
  });
});
