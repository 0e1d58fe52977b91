// The MCP clients that people use, each behind the same three functions: listTools(), callTool(name, args, options),
// close(). Options of a call: onprogress(progress), signal (an AbortSignal); the Inspector takes only the latter.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
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
    callTool: (name, args, options) => call(client, name, args, { ...LIMIT, ...options }),
    close: () => client.close(),
    ...extra,
  };
}

const call = (client, name, args, options) =>
  client instanceof v2.Client
    ? client.callTool({ name, arguments: args }, options)
    : client.callTool({ name, arguments: args }, undefined, options);

/** `elicit`: answers a form's params; with it the client says that it can be asked. */
function client1(elicit) {
  if (!elicit) return new Client(IDENTITY);
  const client = new Client(IDENTITY, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, (request) => elicit(request.params));
  return client;
}

/** mode: 'legacy' (the SDK's default), 'auto', which asks server/discover first, or {pin: revision}. */
function client2(mode, elicit) {
  const client = new v2.Client(IDENTITY, {
    versionNegotiation: { mode },
    ...(elicit && { capabilities: { elicitation: { form: {} } } }),
  });
  if (elicit) client.setRequestHandler('elicitation/create', (request) => elicit(request.params));
  return client;
}

const withKey = (key) => ({ requestInit: { headers: keyHeaders(key) } });

export const sdk1Sse = (url, key, { elicit } = {}) =>
  connected(client1(elicit), new SSEClientTransport(new URL(`${url}/sse`), withKey(key)));

export const sdk1Http = (url, key, path = '/mcp', { elicit } = {}) =>
  connected(client1(elicit), new StreamableHTTPClientTransport(new URL(url + path), withKey(key)));

export const sdk2Http = (url, key, mode, { path = '/mcp', elicit } = {}) =>
  connected(client2(mode, elicit), new v2.StreamableHTTPClientTransport(new URL(url + path), withKey(key)));

export const sdk2Sse = (url, key, mode, { elicit } = {}) =>
  connected(client2(mode, elicit), new v2.SSEClientTransport(new URL(`${url}/sse`), withKey(key)));

/**
 * mcp-remote as Claude Desktop starts it: stdio on this side, the guide's /sse URL on the other, the key in the
 * environment. `args`: further ones, e.g. ['--transport', 'sse-only']; `onWords` hears all that it has said on stderr so far.
 */
export async function mcpRemote(url, key, home, args = [], onWords = () => {}) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      join(MODULES, 'mcp-remote/dist/proxy.js'),
      `${url}/sse`,
      ...(key ? ['--header', 'X-API-Key:${HELPDESK_KEY}'] : []),
      ...args,
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
  transport.stderr.setEncoding('utf8').on('data', (text) => onWords((words += text)));
  try {
    return await connected(new Client(IDENTITY), transport, { words: () => words });
  } catch (error) {
    await transport.close();
    throw new Error(`${error.message}\n${words}`);
  }
}

/**
 * The Inspector's command line; every call is a process of its own. `transport` is 'sse' or 'http', `era` what
 * --protocol-era takes.
 */
export function inspector(url, key, transport, home, era = 'legacy') {
  const program = join(MODULES, '@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const invoke = async (signal, ...args) => {
    const result = await run(
      process.execPath,
      [
        program,
        '--cli',
        `${url}/${transport === 'sse' ? 'sse' : 'mcp'}`,
        '--transport',
        transport,
        '--protocol-era',
        era,
        ...(key ? ['--header', `X-API-Key: ${key}`] : []),
        ...args,
      ],
      {
        // As in a terminal: the Inspector may then try to sign in, and says what the server answered.
        env: { HOME: home, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'memory', BROWSER: '/bin/true' },
        signal,
      },
    );
    if (result.code !== 0) throw new Error(result.stderr + result.stdout);
    return JSON.parse(result.stdout);
  };
  return {
    listTools: async () => (await invoke(undefined, '--method', 'tools/list')).tools,
    callTool: (name, args, { signal } = {}) =>
      invoke(signal, '--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
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
