// What an operator sees without the database: metrics, logs, readiness, and `toolhost top`.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { command } from './support/helpdesk.mjs';
import { eventually, Host, sleep } from './support/host.mjs';
import { insertKeys } from './support/keys.mjs';
import { metricsOf, parseMetrics, sum } from './support/metrics.mjs';
import { buildOutsidePlugins } from './support/outside.mjs';
import { post, rpc, SseStream } from './support/raw.mjs';

describe('seeing what it does', { timeout: 300_000 }, () => {
  const cleanups = [];
  let plugins;
  before(async () => {
    plugins = await buildOutsidePlugins({ after: (cleanup) => cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const config = (more = {}, tenants = [{ name: 'acme', tools: { deny: ['write_01'] } }, { name: 'globex', limits: { key: { rate: '1/min', burst: 2 } } }]) =>
    JSON.stringify(
      { plugins: ['outside_many', 'outside_notes'].map((name) => ({ file: join(plugins, `${name}.so`) })), reload: { watch: false }, tenants, ...more },
      null,
      1,
    );
  const call = (host, key, name, args = {}) => post(host.url, key, rpc('tools/call', { name, arguments: args }));
  const logOf = (host) =>
    host.errors
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));

  test('from metrics and log alone: who was refused what and why, which plugin is slow, whether a reload failed', async (t) => {
    const host = await Host.start(t, { config: config() });
    const [acme, globex] = await insertKeys(host, [
      { tenant: 'acme', name: 'a' },
      { tenant: 'globex', name: 'g' },
    ]);
    await eventually('the keys are known', async () => (await post(host.url, globex.key, rpc('ping'))).status === 200);
    const earlier = await metricsOf(host);

    for (let number = 0; number < 3; number += 1) await call(host, acme.key, 'write_01');
    for (let number = 0; number < 5; number += 1) await call(host, globex.key, 'write_00');
    for (let number = 0; number < 4; number += 1) await call(host, acme.key, 'outside_wait', { ms: 400 });
    for (let number = 0; number < 20; number += 1) await call(host, acme.key, 'write_00');
    await writeFile(host.configArgs[1], config({ http: { prot: 8080 } }));
    assert.equal((await command(host, ['reload'])).code, 2);

    const samples = await metricsOf(host);
    const since = (name, labels) => sum(samples, name, labels) - sum(earlier, name, labels);
    // Refusals, by tenant and reason.
    assert.equal(since('toolhost_refusals_total', { tenant: 'acme', reason: 'tool' }), 3);
    assert.equal(since('toolhost_refusals_total', { tenant: 'globex', reason: 'key_rate' }), 3);
    assert.equal(since('toolhost_refusals_total', { tenant: 'globex', reason: 'tool' }), 0);
    const denied = logOf(host).filter((line) => line.outcome === 'denied');
    assert.equal(denied.length, 3);
    assert.deepEqual(
      [denied[0].tenant, denied[0].tool, denied[0].reason, denied[0].key],
      ['acme', 'write_01', 'tool', acme.key.slice(0, 11)],
    );
    assert.match(denied[0].place, /host\.yaml:\d+/);
    // The slow plugin, by mean time of a call.
    const mean = (plugin) =>
      since('toolhost_call_duration_seconds_sum', { plugin }) / since('toolhost_call_duration_seconds_count', { plugin });
    assert.ok(mean('outside_notes') > 0.3 && mean('outside_many') < 0.05, `${mean('outside_notes')} ${mean('outside_many')}`);
    // The failed reload.
    assert.equal(since('toolhost_reloads_total', { result: 'refused' }), 1);
    const reload = logOf(host).find((line) => line.event === 'configuration_reloaded' && line.result === 'refused');
    assert.match(JSON.stringify(reload), /host\.yaml:\d+:\d+.*prot/);

    const words = (await (await fetch(`${host.url}/metrics`)).text()).toString();
    for (const secret of [acme.key, globex.key, acme.key.slice(0, 11)]) assert.ok(!words.includes(secret), 'no key in a label');
  });

  test('gauges follow what is there: streams, keys, queues, revocation age, generation', async (t) => {
    const host = await Host.start(t, { config: config() });
    const key = await host.key('acme');
    const before = await metricsOf(host);
    const streams = [await SseStream.connect(host.port, key), await SseStream.connect(host.port, key)];
    t.after(() => Promise.all(streams.map((stream) => stream.close())));
    const waiting = call(host, key, 'outside_wait', { ms: 1_000 });
    await sleep(200);
    const samples = await metricsOf(host);
    assert.equal(sum(samples, 'toolhost_open_streams') - sum(before, 'toolhost_open_streams'), 2);
    assert.equal(sum(samples, 'toolhost_plugin_running_calls', { plugin: 'outside_notes' }), 1);
    assert.ok(sum(samples, 'toolhost_keys') >= 1);
    assert.ok(sum(samples, 'toolhost_keys_unconfirmed_seconds') < 3);
    assert.equal(sum(samples, 'toolhost_configuration_generation'), 1);
    await waiting;
  });

  test('/metrics has its own address by choice, and is then not on the main one', async (t) => {
    const host = await Host.start(t, { config: config({ metrics: { address: '127.0.0.1', port: 0 } }) });
    assert.equal((await fetch(`${host.url}/metrics`)).status, 404);
    const own = await eventually('its address is told', () => /metrics on (http:\/\/127\.0\.0\.1:\d+\/metrics)/.exec(host.log));
    const answer = await fetch(own[1]);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    assert.ok(parseMetrics(await answer.text()).length > 10);
  });

  test('top shows tenants, tools and keys; the log level changes while it runs', async (t) => {
    const host = await Host.start(t, { config: config() });
    const key = await host.key('acme');
    for (let number = 0; number < 5; number += 1) await call(host, key, 'write_00');
    await call(host, key, 'write_01');
    const { code, stdout, stderr } = await command(host, ['top', '--once']);
    assert.equal(code, 0, stderr);
    for (const word of ['acme', 'write_00', key.slice(0, 11)]) assert.ok(stdout.includes(word), stdout);
    const json = JSON.parse((await command(host, ['top', '--once', '--json'])).stdout);
    assert.ok(JSON.stringify(json).includes('acme'));

    const calls = () => logOf(host).filter((line) => line.tool === 'write_00' && line.outcome === 'ok').length;
    assert.equal(calls(), 0);
    assert.equal((await command(host, ['log-level', 'debug'])).code, 0);
    await call(host, key, 'write_00');
    await eventually('successful calls are logged at debug', () => calls() === 1);
    const line = logOf(host).find((each) => each.tool === 'write_00');
    for (const field of ['request', 'tenant', 'key', 'tool']) assert.ok(line[field], JSON.stringify(line));
    assert.notEqual((await command(host, ['log-level', 'loud'])).code, 0);
  });
});
