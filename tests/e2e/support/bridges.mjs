// What a bridge costs, mcp-remote and `toolhost stdio --url` beside each other: start-up, memory, time of a call.
import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BINARY, SLOWNESS, wait } from './host.mjs';

const MCP_REMOTE = join(dirname(fileURLToPath(import.meta.url)), '../node_modules/mcp-remote/dist/proxy.js');

/** The two programs, with what an assistant would start: {name, command, args, env}. */
function programs(url, key, home) {
  return [
    { name: 'toolhost', command: BINARY, args: ['stdio', '--url', `${url}/sse`], env: { HELPDESK_API_KEY: key } },
    {
      name: 'mcp-remote',
      command: process.execPath,
      args: [MCP_REMOTE, `${url}/sse`, '--header', 'X-API-Key:${HELPDESK_KEY}'],
      env: { HELPDESK_KEY: key, HOME: home, MCP_REMOTE_CONFIG_DIR: join(home, '.mcp-auth'), BROWSER: '/bin/true' },
    },
  ];
}

class Bridge {
  constructor({ name, command, args, env }) {
    this.name = name;
    this.waiting = new Map();
    this.last = 0;
    this.process = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['pipe', 'pipe', 'ignore'] });
    this.ended = new Promise((done) => this.process.once('close', done));
    this.process.stdin.on('error', () => {});
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      this.waiting.get(message.id)?.(message);
      this.waiting.delete(message.id);
    });
  }

  async request(method, params) {
    const id = ++this.last;
    const answer = new Promise((done) => this.waiting.set(id, done));
    this.process.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    const silent = Symbol('silent');
    let message = silent;
    await wait(
      answer.then((arrived) => (message = arrived)),
      30_000 * SLOWNESS,
    );
    if (message === silent || message.error)
      throw new Error(`${this.name}: ${method}: ${JSON.stringify(message.error)}`);
    return message.result;
  }

  async initialize() {
    const clientInfo = { name: 'bench', version: '1' };
    await this.request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
    this.process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  }

  /** Resident bytes. */
  async memory() {
    const status = await readFile(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
  }

  async close() {
    this.process.stdin.end();
    const late = setTimeout(() => this.process.kill('SIGKILL'), 3_000);
    await this.ended;
    clearTimeout(late);
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/**
 * Both in turn on a host with the test plugin `echo`: {startup, memory, latency}, each {toolhost, mcpRemote, ratio} in
 * milliseconds, bytes and microseconds. `starts`: of each; `rounds` of `calls` calls each.
 */
export async function compareBridges(host, key, { starts = 5, rounds = 6, calls = 50 } = {}) {
  const home = join(host.directory, 'home');
  await mkdir(home, { recursive: true });
  const both = programs(host.url, key, home);
  const measured = { startup: [[], []], memory: [[], []], latency: [[], []] };

  for (let i = 0; i <= starts; ++i) {
    for (const [which, program] of both.entries()) {
      const began = performance.now();
      const bridge = new Bridge(program);
      await bridge.initialize();
      if (i > 0) measured.startup[which].push(performance.now() - began); // the first one warms the disk
      await bridge.close();
    }
  }
  const bridges = both.map((program) => new Bridge(program));
  try {
    for (const bridge of bridges) await bridge.initialize();
    for (let round = 0; round <= rounds; ++round) {
      for (const [which, bridge] of bridges.entries()) {
        for (let i = 0; i < calls; ++i) {
          const began = performance.now();
          await bridge.request('tools/call', { name: 'echo', arguments: { text: `Printer ${i}` } });
          if (round > 0) measured.latency[which].push((performance.now() - began) * 1000);
        }
      }
    }
    for (const [which, bridge] of bridges.entries()) measured.memory[which].push(await bridge.memory());
  } finally {
    for (const bridge of bridges) await bridge.close();
  }
  return Object.fromEntries(
    Object.entries(measured).map(([what, [ours, theirs]]) => {
      const [toolhost, mcpRemote] = [median(ours), median(theirs)];
      return [what, { toolhost, mcpRemote, ratio: toolhost / mcpRemote }];
    }),
  );
}
