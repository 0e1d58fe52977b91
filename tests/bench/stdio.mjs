// Prints start-up time, memory and time of a call of both bridges, measured in turn on one host of their own, as ratios.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

const HELP = `tests/bench/stdio [--quick] [--json FILE]

Compares the bridges that carry MCP from a pipe to a host: toolhost stdio --url and mcp-remote, on one host with the test
plugin echo. TOOLHOST_BIN names the program (default build/release/bin/toolhost).

    --quick       fewer rounds: does it still work?
    --json FILE   also writes the results as JSON
`;

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

// They end the process when there is no program to measure.
const { compareBridges } = await import('../e2e/support/bridges.mjs');
const { Host } = await import('../e2e/support/host.mjs');

const cleanups = [];
try {
  const config = JSON.stringify({ plugins: [{ file: '../test-plugins/echo.so' }] });
  const host = await Host.start({ after: (cleanup) => cleanups.unshift(cleanup) }, { config });
  const rounds = values.quick ? { starts: 2, rounds: 2, calls: 10 } : { starts: 10, rounds: 10, calls: 100 };
  const costs = await compareBridges(host, await host.key(), rounds);
  const rows = [
    ['start-up, ms', costs.startup, 1],
    ['memory, MiB', costs.memory, 1024 * 1024],
    ['call, us', costs.latency, 1],
  ];
  console.log('                 toolhost  mcp-remote     ratio');
  for (const [what, { toolhost, mcpRemote, ratio }, unit] of rows) {
    const numbers = [toolhost / unit, mcpRemote / unit].map((number) => number.toFixed(1).padStart(10));
    console.log(`${what.padEnd(14)} ${numbers.join('  ')}  ${ratio.toFixed(3).padStart(8)}`);
  }
  if (values.json) await writeFile(values.json, `${JSON.stringify(costs, null, 2)}\n`);
} finally {
  for (const cleanup of cleanups) await cleanup();
}
