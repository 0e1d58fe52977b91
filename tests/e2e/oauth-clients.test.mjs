// The OAuth flow of real clients against a real authorization server: from nothing to a tool call.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { AuthorizationServer, MemoryClient } from './support/authorization.mjs';
import { mcpRemote } from './support/clients.mjs';
import { freePort, freshDirectory, Host, SLOWNESS } from './support/host.mjs';

const IDENTITY = { name: 'toolhost-e2e', version: '1.0.0' };
const LIMIT = { timeout: 30_000 * SLOWNESS };

/** From nothing to a connected client: {client, transport}. */
async function signedIn(make, person) {
  const first = make(person);
  await assert.rejects(new Client(IDENTITY).connect(first, LIMIT), UnauthorizedError);
  await first.finishAuth(await person.authorize());
  await first.close();
  const client = new Client(IDENTITY);
  const transport = make(person);
  await client.connect(transport, LIMIT);
  return { client, transport };
}

describe('oauth: clients', { timeout: 240_000 }, () => {
  let host, server;
  const cleanups = [];
  before(async () => {
    const t = { after: (cleanup) => cleanups.push(cleanup) };
    server = await AuthorizationServer.start(t, { claims: { groups: ['helpdesk'] } });
    const port = await freePort();
    host = await Host.start(t, {
      port,
      config: `
http: {public_url: "http://127.0.0.1:${port}"}
authorization:
  scopes_supported: [tickets:read]
  issuers:
    - issuer: ${server.issuer}
      tenant: {name: demo}
      role: {claim: groups, values: {helpdesk: agent}}
      scopes:
        tickets:read: {tools: ["tickets.*"], read_only: true}
        tickets:write: {tools: ["tickets.*"]}
`,
    });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const transports = {
    'Streamable HTTP': (person) =>
      new StreamableHTTPClientTransport(new URL(`${host.url}/mcp`), { authProvider: person }),
    'HTTP with SSE': (person) => new SSEClientTransport(new URL(`${host.url}/sse`), { authProvider: person }),
  };
  const text = (result) => result.content.map((block) => block.text ?? '').join('\n');

  for (const [name, make] of Object.entries(transports)) {
    test(`SDK, ${name}: signs in and calls a tool`, async () => {
      server.asked.length = 0;
      const person = new MemoryClient(server);
      const { client } = await signedIn(make, person);
      assert.deepEqual(server.asked, ['tickets:read'], 'the scopes that the challenge names');
      const { tools } = await client.listTools(undefined, LIMIT);
      assert.ok(tools.some((tool) => tool.name === 'list_tickets'));
      const result = await client.callTool({ name: 'list_tickets', arguments: {} }, undefined, LIMIT);
      assert.notEqual(result.isError, true, text(result));
      await client.close();
    });
  }

  test('SDK: one scope more, by step-up', async () => {
    const person = new MemoryClient(server);
    const { client, transport } = await signedIn(transports['Streamable HTTP'], person);
    const create = () =>
      client.callTool({ name: 'create_ticket', arguments: { title: 'stepped up' } }, undefined, LIMIT);
    server.asked.length = 0;
    await assert.rejects(create(), UnauthorizedError);
    const asked = new URL(person.sentTo).searchParams.get('scope').split(' ').sort();
    assert.deepEqual(asked, ['tickets:read', 'tickets:write']);
    await transport.finishAuth(await person.authorize());
    const result = await create();
    assert.notEqual(result.isError, true, text(result));
    await client.close();
  });

  test('the authorization server changes its key while clients work', async () => {
    const person = new MemoryClient(server);
    const { client } = await signedIn(transports['Streamable HTTP'], person);
    server.rotate();
    const later = new MemoryClient(server);
    const { client: next } = await signedIn(transports['Streamable HTTP'], later);
    const result = await next.callTool({ name: 'list_tickets', arguments: {} }, undefined, LIMIT);
    assert.notEqual(result.isError, true, text(result));
    await client.close();
    await next.close();
  });

  /** What follows mcp-remote's words, and signs in where they say; once for each address. */
  const person = () => {
    const seen = new Map();
    const onWords = (words) => {
      for (const [address] of words.matchAll(/https?:\/\/localhost:\d+\/auth\?\S+(?=\s)/g)) {
        if (!seen.has(address))
          seen.set(
            address,
            server.signIn(address).then((back) => fetch(back)).then((answer) => answer.text()),
          );
      }
    };
    return { onWords, visits: () => seen.size };
  };

  test('mcp-remote: opens the browser, and works', async (t) => {
    const ana = person();
    const home = await freshDirectory(t);
    const remote = await mcpRemote(host.url, undefined, home, ['--allow-http', '--transport', 'http-first'], ana.onWords);
    const tools = await remote.listTools();
    assert.ok(tools.some((tool) => tool.name === 'list_tickets'), remote.words());
    const result = await remote.callTool('list_tickets', {});
    assert.notEqual(result.isError, true, text(result));
    await remote.close();
    assert.equal(ana.visits(), 1);
  });

  // Once there is metadata to be found it begins a sign-in at any 401, whatever the challenge says, and once more when
  // that did not help. The key stays wrong, and it gives up.
  test('mcp-remote with a wrong key does not go round in circles', async (t) => {
    const ana = person();
    const home = await freshDirectory(t);
    const args = ['--allow-http', '--transport', 'http-only'];
    await assert.rejects(mcpRemote(host.url, 'hdsk_wrong', home, args, ana.onWords), /Giving up/);
    assert.ok(ana.visits() <= 2, `${ana.visits()} sign-ins`);
  });
});
