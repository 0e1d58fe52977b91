// The host with the three helpdesk plugins, and calls to it in few words.
import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { eventually, Host, toolhost } from './host.mjs';
import { callTool, post, rpc, textOf } from './raw.mjs';

/** Well formed, in no tenant. */
export const NOWHERE = '000000';
export const REF = /^[0-9A-HJKMNP-TV-Z]{6}$/;

/** A configuration: the helpdesk's plugins, further plugin files, and tenants as YAML-ready values. */
export const helpdeskConfig = ({ files = [], tenants = [] } = {}) =>
  JSON.stringify({
    plugins: ['tickets.so', 'tasks.so', 'search.so', ...files].map((file) => ({ file })),
    tenants: [{ name: 'demo', time_zone: 'Europe/Berlin' }, ...tenants].filter(
      ({ name }, at, all) => all.findLastIndex((other) => other.name === name) === at,
    ),
  });

/** A serving helpdesk; options as Host.start() and helpdeskConfig() take them. */
export const startHelpdesk = (t, options = {}) => Host.start(t, { config: helpdeskConfig(options), ...options });

/** A helpdesk around the tests of a describe(): call in before(), and what it returns in after(). */
export async function helpdeskForSuite(options) {
  const cleanups = [];
  const host = await startHelpdesk({ after: (cleanup) => cleanups.push(cleanup) }, options);
  return {
    host,
    stop: async () => {
      for (const cleanup of cleanups) await cleanup();
    },
  };
}

/** A key of a person: what they may do follows from their place in the tenant. */
export async function keyOf(host, owner, tenant = 'demo') {
  const key = await host.command('key', 'create', '--tenant', tenant, '--name', `of ${owner}`, '--owner', owner);
  await eventually('the new key is accepted', async () => (await post(host.url, key, rpc('ping'))).status === 200, {
    every: 5,
  });
  return key;
}

/** Calls with one key. */
export class Desk {
  constructor(host, key) {
    this.host = host;
    this.key = key;
  }

  /** The whole result, refused or not. */
  call(name, args = {}) {
    return callTool(this.host.url, this.key, name, args);
  }

  /** The structured result of a call that must succeed. */
  async ok(name, args = {}) {
    const result = await this.call(name, args);
    assert.notEqual(result.isError, true, `${name} ${JSON.stringify(args)}: ${textOf(result)}`);
    return result.structuredContent;
  }

  /** What is said about a call that must be refused. */
  async refused(name, args = {}) {
    const result = await this.call(name, args);
    assert.equal(result.isError, true, `${name} ${JSON.stringify(args)} was accepted: ${textOf(result)}`);
    return textOf(result);
  }

  /** A new ticket's id. */
  async ticket(title, fields = {}) {
    return (await this.ok('create_ticket', { title, ...fields })).ticket.id;
  }

  async task(title, fields = {}) {
    return (await this.ok('create_task', { title, ...fields })).task.id;
  }

  /** Ids of the hits of search_tickets, in order. */
  async find(query, args = {}) {
    return (await this.ok('search_tickets', { query, ...args })).hits.map((hit) => hit.id);
  }

  async tools() {
    const tools = [];
    let cursor;
    do {
      const { result } = (await post(this.host.url, this.key, rpc('tools/list', { ...(cursor && { cursor }) })))
        .message;
      tools.push(...result.tools);
      cursor = result.nextCursor;
    } while (cursor);
    return tools;
  }
}

/** A function that throws when a structured result is not what the tool's output schema promises. */
export function resultChecker(tools) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const checks = new Map(tools.map((tool) => [tool.name, ajv.compile(tool.outputSchema)]));
  return (name, result) => {
    const check = checks.get(name);
    if (check(result)) return;
    throw new Error(`${name}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(result).slice(0, 2000)}`);
  };
}

/** A command on the host's data directory: {code, stdout, stderr}. */
export const command = (host, args, options) =>
  toolhost([...args, ...host.configArgs, '--data-dir', host.dataDir], options);
