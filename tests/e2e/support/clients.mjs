// The MCP clients that people use, each behind the same three functions: listTools(), callTool(name, args), close().
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as v2 from '@modelcontextprotocol/client';
import { run, SLOWNESS } from './host.mjs';

const MODULES = join(dirname(fileURLToPath(import.meta.url)), '../node_modules');
const IDENTITY = { name: 'toolhost-e2e', version: '1.0.0' };
const LIMIT = { timeout: 30_000 * SLOWNESS };

/** The headers of a key; none without one. */
export const keyHeaders = (key) => (key ? { 'X-API-Key': key } : {});

async function connected(client, transport, extra = {}) {
  client.onerror = () => {}; // what matters reaches the caller as a rejected promise
  await client.connect(transport, LIMIT);
  return {
    client,
    transport,
    listTools: async () => (await client.listTools(undefined, LIMIT)).tools,
    callTool: (name, args) => call(client, name, args),
    close: () => client.close(),
    ...extra,
  };
}

const call = (client, name, args) =>
  client instanceof v2.Client
    ? client.callTool({ name, arguments: args }, LIMIT)
    : client.callTool({ name, arguments: args }, undefined, LIMIT);

export const sdk1Sse = (url, key) =>
  connected(
    new Client(IDENTITY),
    new SSEClientTransport(new URL(`${url}/sse`), { requestInit: { headers: keyHeaders(key) } }),
  );

export const sdk1Http = (url, key, path = '/mcp') =>
  connected(
    new Client(IDENTITY),
    new StreamableHTTPClientTransport(new URL(url + path), { requestInit: { headers: keyHeaders(key) } }),
  );

/** mode: 'legacy' (the SDK's default) or 'auto', which asks server/discover first. */
export const sdk2Http = (url, key, mode) =>
  connected(
    new v2.Client(IDENTITY, { versionNegotiation: { mode } }),
    new v2.StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: keyHeaders(key) } }),
  );

export const sdk2Sse = (url, key, mode) =>
  connected(
    new v2.Client(IDENTITY, { versionNegotiation: { mode } }),
    new v2.SSEClientTransport(new URL(`${url}/sse`), { requestInit: { headers: keyHeaders(key) } }),
  );

/**
 * mcp-remote as Claude Desktop starts it: stdio on this side, the guide's /sse URL on the other, the key in the
 * environment.
 */
export async function mcpRemote(url, key, home) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      join(MODULES, 'mcp-remote/dist/proxy.js'),
      `${url}/sse`,
      ...(key ? ['--header', 'X-API-Key:${HELPDESK_KEY}'] : []),
    ],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      MCP_REMOTE_CONFIG_DIR: join(home, '.mcp-auth'),
      HELPDESK_KEY: key ?? '',
      BROWSER: '/bin/true',
    },
    stderr: 'pipe',
  });
  let words = '';
  transport.stderr.setEncoding('utf8').on('data', (text) => (words += text));
  try {
    return await connected(new Client(IDENTITY), transport, { words: () => words });
  } catch (error) {
    await transport.close();
    throw new Error(`${error.message}\n${words}`);
  }
}

/** The Inspector's command line; every call is a process of its own. `transport` is 'sse' or 'http'. */
export function inspector(url, key, transport, home) {
  const program = join(MODULES, '@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const invoke = async (...args) => {
    const result = await run(
      process.execPath,
      [
        program,
        '--cli',
        `${url}/${transport === 'sse' ? 'sse' : 'mcp'}`,
        '--transport',
        transport,
        ...(key ? ['--header', `X-API-Key: ${key}`] : []),
        ...args,
      ],
      {
        // As in a terminal: the Inspector may then try to sign in, and says what the server answered.
        env: { HOME: home, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'memory', BROWSER: '/bin/true' },
      },
    );
    if (result.code !== 0) throw new Error(result.stderr + result.stdout);
    return JSON.parse(result.stdout);
  };
  return {
    listTools: async () => (await invoke('--method', 'tools/list')).tools,
    callTool: (name, args) =>
      invoke('--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
    close: async () => {},
  };
}

/** "npx -y mcp-remote ...", as Claude Desktop starts it, with the package that is here instead of the newest. */
export function overStdio({ args, env }, home) {
  const own = args.slice(args.indexOf('mcp-remote') + 1);
  assert.ok(
    own.every((arg) => !arg.includes(' ')),
    'Windows breaks arguments with a space',
  );
  return new StdioClientTransport({
    command: process.execPath,
    args: [join(MODULES, 'mcp-remote/dist/proxy.js'), ...own],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      MCP_REMOTE_CONFIG_DIR: join(home, '.mcp-auth'),
      BROWSER: '/bin/true',
      ...env,
    },
    stderr: 'ignore',
  });
}
