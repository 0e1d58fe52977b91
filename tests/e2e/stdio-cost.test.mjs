// What `toolhost stdio --url` costs beside mcp-remote, measured in one run: it is to be the cheaper one in every respect.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBridges } from './support/bridges.mjs';
import { Host } from './support/host.mjs';

const MOST = { startup: 0.5, memory: 0.5, latency: 1 };

test(
  'the bridge starts faster than mcp-remote, takes less memory and is no slower',
  { timeout: 120_000 },
  async (t) => {
    const host = await Host.start(t, { config: JSON.stringify({ plugins: [{ file: '../test-plugins/echo.so' }] }) });
    const costs = await compareBridges(host, await host.key(), { starts: 3, rounds: 4, calls: 25 });
    for (const [what, most] of Object.entries(MOST)) {
      const { toolhost, mcpRemote, ratio } = costs[what];
      t.diagnostic(`${what}: ${toolhost.toFixed(0)} against ${mcpRemote.toFixed(0)}, ratio ${ratio.toFixed(3)}`);
      assert.ok(
        ratio <= most,
        `${what}: ${toolhost} against ${mcpRemote}, ratio ${ratio.toFixed(2)} instead of ${most}`,
      );
    }
  },
);
