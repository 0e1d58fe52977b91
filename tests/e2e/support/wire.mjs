// MCP without a client library: any revision over any transport, message by message.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { keyHeaders } from './clients.mjs';
import { BINARY, SLOWNESS } from './host.mjs';
import { envelope, JSON_HEADERS, MODERN, modernHeaders } from './raw.mjs';
import { eventsOf } from './streams.mjs';

const LIMIT = 20_000 * SLOWNESS;

/** What carries messages: send(message, signal), and take(message), which the wire sets. */
class StreamableHttp {
  constructor({ host, key }, revision) {
    Object.assign(this, { url: `${host.url}/mcp`, key, revision, abort: new AbortController() });
  }

  async send(message, signal) {
    const isModern = this.revision === MODERN;
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        ...this.headers(),
        ...(isModern && message.method && modernHeaders(message.method, message.params)),
      },
      body: JSON.stringify(message),
      signal: signal ?? this.abort.signal,
    });
    this.session ??= response.headers.get('mcp-session-id') ?? undefined;
    const read = this.read(response);
    if (isModern || message.id === undefined) read.catch(() => {});
    else await read;
  }

  headers() {
    return {
      ...JSON_HEADERS,
      ...keyHeaders(this.key),
      'MCP-Protocol-Version': this.revision,
      ...(this.session && { 'Mcp-Session-Id': this.session }),
    };
  }

  async read(response) {
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      for await (const { id, data } of eventsOf(response)) {
        if (id) this.lastEventId = id;
        if (data) this.take(JSON.parse(data));
      }
      return;
    }
    const text = await response.text();
    if (text) this.take(JSON.parse(text));
  }

  /** The stream of what belongs to no request; with an event's id, what followed it. */
  async listen(lastEventId) {
    const resumed = lastEventId && { 'Last-Event-ID': lastEventId };
    const headers = { ...this.headers(), Accept: 'text/event-stream', ...resumed };
    this.read(await fetch(this.url, { headers, signal: this.abort.signal })).catch(() => {});
  }

  close() {
    this.abort.abort();
  }
}

class HttpWithSse {
  constructor({ host, key }) {
    Object.assign(this, { url: host.url, key });
  }

  /** With an event's id: as a client does that lost its stream. */
  async open(lastEventId) {
    this.line = new AbortController();
    const resumed = lastEventId && { 'Last-Event-ID': lastEventId };
    const headers = { Accept: 'text/event-stream', ...keyHeaders(this.key), ...resumed };
    const events = eventsOf(await fetch(`${this.url}/sse`, { headers, signal: this.line.signal }));
    const first = (await events.next()).value;
    this.endpoint = first.data;
    this.lastEventId = first.id;
    (async () => {
      for await (const { id, data } of events) {
        if (id) this.lastEventId = id;
        if (data) this.take(JSON.parse(data));
      }
    })().catch(() => {});
  }

  async send(message) {
    const response = await fetch(new URL(this.endpoint, this.url), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...keyHeaders(this.key) },
      body: JSON.stringify(message),
    });
    if (response.status !== 202) throw new Error(`${this.endpoint}: ${response.status} ${await response.text()}`);
  }

  close() {
    this.line.abort();
  }
}

class Stdio {
  constructor({ host, key }) {
    Object.assign(this, { host, key });
  }

  async open() {
    this.process = spawn(BINARY, ['stdio', ...this.host.configArgs, '--data-dir', this.host.dataDir], {
      env: { ...process.env, HELPDESK_API_KEY: this.key },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    createInterface({ input: this.process.stdout }).on('line', (line) => this.take(JSON.parse(line)));
  }

  async send(message) {
    this.process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** Returns when the process has ended. */
  close() {
    const ended = new Promise((done) => this.process.once('close', done));
    this.process.stdin.end();
    return ended;
  }
}

export const CHANNELS = { sse: HttpWithSse, http: StreamableHttp, stdio: Stdio };

/**
 * One client. `answers`: method -> the result that the client gives when it is asked that; what it says it can is made
 * of it. Notifications collect in `notifications`.
 */
export class Wire {
  static async open(transport, revision, server, answers = {}) {
    const wire = new Wire();
    Object.assign(wire, { transport, revision, answers, notifications: [], waiting: new Map(), lastId: 0 });
    wire.isModern = revision === MODERN;
    wire.capabilities = {
      ...(answers['elicitation/create'] && { elicitation: wire.isModern ? { form: {} } : {} }),
      ...(answers['sampling/createMessage'] && { sampling: {} }),
      ...(answers['roots/list'] && { roots: {} }),
    };
    wire.channel = new CHANNELS[transport](server, revision);
    wire.channel.take = (message) => wire.take(message);
    await wire.channel.open?.();
    if (!wire.isModern) await wire.initialize();
    return wire;
  }

  async initialize() {
    const clientInfo = { name: 'toolhost-e2e', version: '1.0.0' };
    const params = { protocolVersion: this.revision, capabilities: this.capabilities, clientInfo };
    this.server = await this.request('initialize', params);
    await this.channel.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    await this.channel.listen?.();
  }

  take(message) {
    if (Array.isArray(message)) message.forEach((each) => this.take(each));
    else if (message.method && message.id !== undefined) this.answer(message);
    else if (message.method) this.notifications.push(message);
    else this.waiting.get(message.id)?.(message);
  }

  answer({ id, method, params }) {
    const result = this.answers[method]?.(params);
    const error = { code: -32601, message: 'not known' };
    const sending = this.channel.send({ jsonrpc: '2.0', id, ...(result ? { result } : { error }) });
    sending.catch(() => {}); // an answer that does not arrive is the asker's trouble
  }

  /** The whole response. */
  async exchange(method, params = {}, { id = ++this.lastId, signal, meta = {} } = {}) {
    const _meta = { ...(this.isModern && envelope(this.capabilities)), ...meta };
    const message = {
      jsonrpc: '2.0',
      id,
      method,
      params: { ...params, ...(Object.keys(_meta).length > 0 && { _meta }) },
    };
    let late;
    const response = new Promise((done, failed) => {
      this.waiting.set(id, done);
      late = setTimeout(() => failed(new Error(`no answer to ${method} within ${LIMIT} ms`)), LIMIT).unref();
      this.channel.send(message, signal).catch(failed);
    });
    response.catch(() => {}); // who does not wait for it need not hear of it
    return response.finally(() => {
      clearTimeout(late);
      this.waiting.delete(id);
    });
  }

  /** The result; what is asked meanwhile is answered. Throws the error's message. */
  async request(method, params, options) {
    const { result, error } = await this.exchange(method, params, options);
    if (error) throw Object.assign(new Error(error.message), error);
    if (result.resultType !== 'input_required') return result;
    const inputResponses = Object.fromEntries(
      Object.entries(result.inputRequests).map(([key, asked]) => [key, this.answers[asked.method](asked.params)]),
    );
    return this.request(method, { ...params, inputResponses, requestState: result.requestState }, options);
  }

  call(name, args = {}, options) {
    return this.request('tools/call', { name, arguments: args }, options);
  }

  /** The params of the notifications of this method. */
  heard(method) {
    return this.notifications.filter((message) => message.method === method).map(({ params = {} }) => params);
  }

  close() {
    return this.channel.close();
  }
}
