// Clients of `toolhost stdio`: the SDKs, which start it themselves, and a bare pipe.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import * as v2 from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioClientTransport2 } from '@modelcontextprotocol/client/stdio';
import { BINARY, eventually, SLOWNESS } from './host.mjs';
import { MODERN } from './raw.mjs';

const IDENTITY = { name: 'toolhost-e2e', version: '1.0.0' };
const LIMIT = { timeout: 30_000 * SLOWNESS };

/** What `toolhost stdio` serves: the tools of this machine, or those of a host with an address. */
export const FORMS = {
  local: (host) => ['stdio', ...host.configArgs, '--data-dir', host.dataDir],
  'bridge to /mcp': (host) => ['stdio', '--url', `${host.url}/mcp`],
  'bridge to /sse': (host) => ['stdio', '--url', `${host.url}/sse`],
};

/** As assistants start it: nothing of this process's environment but PATH. */
const started = (args, key, env) => ({
  command: BINARY,
  args,
  env: { PATH: process.env.PATH, ...(key && { HELPDESK_API_KEY: key }), ...env },
  stderr: 'pipe',
});

function client1(elicit) {
  const client = new Client(IDENTITY, { capabilities: elicit ? { elicitation: {} } : {} });
  if (elicit) client.setRequestHandler(ElicitRequestSchema, ({ params }) => elicit(params));
  return client;
}

function client2(mode, elicit) {
  const client = new v2.Client(IDENTITY, {
    versionNegotiation: { mode },
    ...(elicit && { capabilities: { elicitation: { form: {} } } }),
  });
  if (elicit) client.setRequestHandler('elicitation/create', ({ params }) => elicit(params));
  return client;
}

async function connected(client, transport) {
  let words = '';
  const errors = [];
  client.onerror = (error) => errors.push(error);
  transport.stderr?.setEncoding('utf8').on('data', (text) => (words += text));
  await client.connect(transport, LIMIT).catch(async (error) => {
    await transport.close();
    throw error;
  });
  return {
    client,
    transport,
    errors,
    words: () => words,
    listTools: async () => (await client.listTools(undefined, LIMIT)).tools,
    callTool: (name, args, options) =>
      client instanceof v2.Client
        ? client.callTool({ name, arguments: args }, { ...LIMIT, ...options })
        : client.callTool({ name, arguments: args }, undefined, { ...LIMIT, ...options }),
    close: () => client.close(),
  };
}

/** name -> open(args, key, {elicit, env}). */
export const CLIENTS = {
  'SDK 1.32': (args, key, { elicit, env } = {}) =>
    connected(client1(elicit), new StdioClientTransport(started(args, key, env))),
  'SDK 2.4': (args, key, { elicit, env } = {}) =>
    connected(client2('legacy', elicit), new StdioClientTransport2(started(args, key, env))),
  'SDK 2.4, auto': (args, key, { elicit, env } = {}) =>
    connected(client2('auto', elicit), new StdioClientTransport2(started(args, key, env))),
  [`SDK 2.4, ${MODERN} only`]: (args, key, { elicit, env } = {}) =>
    connected(client2({ pin: MODERN }, elicit), new StdioClientTransport2(started(args, key, env))),
};

/** The program, and lines. */
export class Pipe {
  constructor(t, args, key, env = {}) {
    this.lines = [];
    this.words = '';
    this.process = spawn(BINARY, args, {
      env: { PATH: process.env.PATH, ...(key && { HELPDESK_API_KEY: key }), ...env },
      stdio: 'pipe',
    });
    t.after(() => this.process.kill('SIGKILL'));
    this.ended = new Promise((done) => this.process.once('close', (code, signal) => done({ code, signal })));
    this.process.stdin.on('error', () => {});
    this.process.stderr.setEncoding('utf8').on('data', (text) => (this.words += text));
    createInterface({ input: this.process.stdout }).on('line', (line) => this.lines.push(line));
  }

  /** Text goes out as it is, anything else as JSON. */
  send(message) {
    this.process.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  get messages() {
    return this.lines.map((line) => JSON.parse(line));
  }

  /** The answer to the request with this id. */
  answer(id, limit = 20_000) {
    const isAnswer = (message) => message.id === id && !message.method;
    return eventually(`${JSON.stringify(id)} is answered\n${this.words}`, () => this.messages.find(isAnswer), {
      limit,
    });
  }

  async request(method, params, id) {
    this.send({ jsonrpc: '2.0', id, method, params });
    return this.answer(id);
  }

  async initialize(version = '2025-11-25', capabilities = {}) {
    const answer = await this.request(
      'initialize',
      { protocolVersion: version, capabilities, clientInfo: IDENTITY },
      'initialize',
    );
    this.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return answer;
  }

  /** Closes its input: {code, signal, ms} of its end. */
  async close() {
    const began = performance.now();
    this.process.stdin.end();
    return { ...(await this.ended), ms: performance.now() - began };
  }
}
