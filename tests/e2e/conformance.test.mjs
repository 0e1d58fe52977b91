// The official conformance suites, whole, against a host that asks everybody for a key, and has no list of failures that
// are expected.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Host, SOURCE_DIR } from './support/host.mjs';
import { startHelpdesk } from './support/helpdesk.mjs';
import { headerProxy } from './support/header-proxy.mjs';
import { checksOf, runConformance } from './support/conformance.mjs';
import { modern, post, rpc } from './support/raw.mjs';

const STABLE = 'conformance-stable'; // 0.1.16
const NEXT = 'conformance-next'; // 0.2.0-alpha.12

// What is run, and how many scenarios that must be. Those of extensions that this host does not have are no part of it.
const SUITES = [
  { title: '0.1.16, all', name: STABLE, args: ['--suite', 'all'], count: 32 },
  { title: '0.2.0-alpha.12, what 2025-11-25 requires', name: NEXT, args: ['--requirements', '2025-11-25'], count: 33 },
  { title: '0.2.0-alpha.12, what 2026-07-28 requires', name: NEXT, args: ['--requirements', '2026-07-28'], count: 40 },
];
const EXTENSIONS = /^tasks-/;
// Run by name as well, because the set of 2026-07-28 does not score them.
const HEADERS = ['http-header-validation', 'http-custom-header-server-validation'];

describe('conformance', { timeout: 300_000, concurrency: true }, () => {
  const cleanups = [];
  const runs = new Map();

  before(async () => {
    const t = { after: (cleanup) => cleanups.push(cleanup) };
    const host = await Host.start(t, { configFile: join(SOURCE_DIR, 'config/conformance.yaml') });
    const [key] = /hdsk_[0-9A-Za-z]{32}/.exec(host.output) ?? assert.fail(`no key was printed:\n${host.log}`);
    const url = `${await headerProxy(t, host.port, 'X-API-Key', key)}/mcp`;
    const start = (title, name, args) =>
      runs.set(title, runConformance(name, url, args, join(host.directory, `results ${title}`)));
    for (const { title, name, args } of SUITES) start(title, name, args);
    for (const scenario of HEADERS) start(scenario, NEXT, ['--scenario', scenario]);
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  for (const { title, count } of SUITES) {
    test(title, async (t) => {
      const { code, output, scenarios } = await runs.get(title);
      const own = [...scenarios].filter(([scenario]) => !EXTENSIONS.test(scenario));
      for (const [scenario, checks] of own) await t.test(scenario, (each) => assertPassed(each, checks));
      assert.equal(own.length, count, `${own.length} of ${count} scenarios ran:\n${output.slice(-4000)}`);
      assert.equal(code, 0, output.slice(-4000));
    });
  }

  for (const scenario of HEADERS) {
    test(`0.2.0-alpha.12, ${scenario}`, async (t) => {
      const { code, output, scenarios } = await runs.get(scenario);
      assert.equal(code, 0, output);
      assertPassed(t, scenarios.get(scenario));
    });
  }

  test('a host without resources, prompts and questions declares tools only, and knows no more', async (t) => {
    const host = await startHelpdesk(t);
    const key = await host.key();
    const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } };
    const legacy = await post(host.url, key, rpc('initialize', initialize));
    assert.deepEqual(Object.keys(legacy.message.result.capabilities), ['tools']);
    const discovered = await modern(host.url, key, 'server/discover');
    assert.deepEqual(Object.keys(discovered.message.result.capabilities), ['tools']);

    const methods = ['resources/list', 'resources/templates/list', 'prompts/list', 'completion/complete'];
    for (const method of [...methods, 'logging/setLevel']) {
      const answer = await post(host.url, key, rpc(method));
      assert.deepEqual([method, answer.status, answer.message?.error?.code], [method, 200, -32601]);
    }
    for (const method of methods) {
      const answer = await modern(host.url, key, method);
      assert.deepEqual([method, answer.status, answer.message?.error?.code], [method, 404, -32601]);
    }
  });
});

/** Every check that was made has passed; what the suite only advises is shown. */
function assertPassed(t, checks) {
  for (const warning of checksOf(checks, 'WARNING')) t.diagnostic(warning);
  assert.deepEqual(checksOf(checks, 'FAILURE'), []);
  assert.ok(checks.length > 0, 'nothing was checked');
}
