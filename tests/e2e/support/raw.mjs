// HTTP as bytes: for what no decent client sends, and for calls without a client library in between.
import net from 'node:net';
import { SLOWNESS } from './host.mjs';
import { keyHeaders } from './clients.mjs';

const ACCEPT = 'application/json, text/event-stream';
const REVISION = '2025-11-25';
export const JSON_HEADERS = { 'Content-Type': 'application/json', Accept: ACCEPT, 'MCP-Protocol-Version': REVISION };

let lastId = 0;
/** A JSON-RPC request as text. */
export const rpc = (method, params = {}, id = ++lastId) => JSON.stringify({ jsonrpc: '2.0', id, method, params });

/**
 * POSTs one JSON-RPC request to /mcp without a session: {status, headers, body, message}; `message` is the JSON-RPC
 * answer, if any.
 */
export async function post(url, key, body, { path = '/mcp', headers = {}, signal } = {}) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { ...JSON_HEADERS, ...keyHeaders(key), ...headers },
    body,
    signal,
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.startsWith('text/event-stream')
    ? /^data: (\{.*)$/m.exec(text)?.[1]
    : text;
  let message;
  try {
    message = JSON.parse(json);
  } catch {
    /* an answer without JSON has no message */
  }
  return { status: response.status, headers: response.headers, body: text, message };
}

export const MODERN = '2026-07-28';

/** The `_meta` that a request of the stateless era carries; `capabilities` of the client, `extra` members. */
export const envelope = (capabilities = {}, extra = {}) => ({
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'toolhost-e2e', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': capabilities,
  ...extra,
});

/** The headers that mirror the body of such a request. */
export const modernHeaders = (method, params = {}) => {
  const name = params.name ?? params.uri;
  return { 'MCP-Protocol-Version': MODERN, 'Mcp-Method': method, ...(name && { 'Mcp-Name': name }) };
};

/** POSTs one request of the stateless era; answers as post(). */
export const modern = (url, key, method, params = {}, { capabilities, headers, ...options } = {}) =>
  post(url, key, rpc(method, { _meta: envelope(capabilities), ...params }), {
    ...options,
    headers: { ...modernHeaders(method, params), ...headers },
  });

/** tools/call: the result object. Throws when the answer is not a result. */
export async function callTool(url, key, name, args, options) {
  const answer = await post(url, key, rpc('tools/call', { name, arguments: args }), options);
  if (!answer.message?.result) throw new Error(`${name}: HTTP ${answer.status} ${answer.body.slice(0, 500)}`);
  return answer.message.result;
}

/** The text a tool result shows. */
export const textOf = (result) => result.content.map((block) => block.text ?? '').join('\n');

/** The head and body of a request as one Buffer; `headers` is a list of whole lines. */
export function requestBytes(method, path, headers, body = '') {
  const bytes = Buffer.from(body);
  const lines = [`${method} ${path} HTTP/1.1`, ...headers];
  if (!headers.some((line) => /^(content-length|transfer-encoding):/i.test(line)) && bytes.length > 0)
    lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

/** The header lines of an ordinary JSON POST. */
export const postLines = (port, key) => [
  `Host: 127.0.0.1:${port}`,
  'Content-Type: application/json',
  `Accept: ${ACCEPT}`,
  `MCP-Protocol-Version: ${REVISION}`,
  `X-API-Key: ${key}`,
];

/** One connection under full control. Collects what the server sends. */
export class Connection {
  static open(port) {
    const connection = new Connection();
    connection.received = Buffer.alloc(0);
    connection.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    connection.isClosed = false;
    connection.closed = new Promise((done) =>
      connection.socket.once('close', () => {
        connection.isClosed = true;
        connection.wake?.();
        done();
      }),
    );
    connection.socket.on('error', () => {}); // a reset is an end like any other; the test looks at what was received
    connection.socket.on('data', (bytes) => {
      connection.received = Buffer.concat([connection.received, bytes]);
      connection.wake?.();
    });
    return new Promise((done, failed) => {
      connection.socket.once('connect', () => done(connection));
      connection.socket.once('error', failed);
    });
  }

  write(bytes) {
    return new Promise((done) => this.socket.write(bytes, () => done()));
  }
  get text() {
    return this.received.toString('utf8');
  }
  close() {
    this.socket.destroy();
    return this.closed;
  }

  /**
   * Waits until `find(text)` is true, which is returned. Throws when the server closes first or nothing comes for
   * `limit` ms.
   */
  async until(find, what, limit = 10_000) {
    const end = performance.now() + limit * SLOWNESS;
    for (;;) {
      const found = find(this.text);
      if (found) return found;
      if (this.isClosed)
        throw new Error(`connection closed before ${what}; received ${JSON.stringify(this.text.slice(0, 300))}`);
      const left = end - performance.now();
      if (left <= 0)
        throw new Error(
          `no ${what} within ${limit * SLOWNESS} ms; received ${JSON.stringify(this.text.slice(0, 300))}`,
        );
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, Math.min(left, 200));
      });
    }
  }

  /**
   * The next whole response with a Content-Length (or none): {status, headers, body}; it is taken out of what was
   * received.
   */
  async response(limit) {
    const head = await this.until(
      (text) => /^HTTP\/1\.1 (\d{3})[^\r]*\r\n([\s\S]*?)\r\n\r\n/.exec(text),
      'response',
      limit,
    );
    const length = Number(/^content-length: *(\d+)/im.exec(head[2])?.[1] ?? 0);
    await this.until(() => this.received.length >= head[0].length + length, 'whole response body', limit);
    const body = this.received.subarray(head[0].length, head[0].length + length).toString('utf8');
    this.received = this.received.subarray(head[0].length + length);
    return { status: Number(head[1]), headers: head[2], body };
  }
}

/** Sends bytes on a connection of their own and returns the first response. */
export async function exchange(port, bytes, limit) {
  const connection = await Connection.open(port);
  try {
    connection.write(bytes);
    return await connection.response(limit);
  } finally {
    await connection.close();
  }
}

/** An open /sse stream: messages are posted to `endpoint`; `text` is what was streamed so far, without chunks. */
export class SseStream extends Connection {
  static async connect(port, key) {
    const stream = Object.setPrototypeOf(await Connection.open(port), SseStream.prototype);
    stream.port = port;
    stream.key = key;
    const lines = [`Host: 127.0.0.1:${port}`, 'Accept: text/event-stream', `X-API-Key: ${key}`];
    await stream.write(requestBytes('GET', '/sse', lines));
    const first = await stream.until(
      (text) => /^event: endpoint\r?\ndata: (\S+)\r?\n\r?\n/m.exec(text),
      'endpoint event',
    );
    stream.endpoint = first[1];
    return stream;
  }

  get text() {
    return decodeChunks(this.received).text;
  }

  /** Whether the server has ended the stream: with its last chunk, or by closing the connection. */
  get hasEnded() {
    return this.isClosed || decodeChunks(this.received).isComplete;
  }

  /** POSTs a body to the stream's endpoint (as the stream's key, or another): the HTTP answer. */
  send(body, key = this.key) {
    return post(`http://127.0.0.1:${this.port}`, key, body, { path: this.endpoint });
  }

  /** The answer to request `id` that came on the stream. */
  async answer(id, limit) {
    const messages = (text) => [...text.matchAll(/^data: (\{.*\})\r?\n/gm)].map((match) => JSON.parse(match[1]));
    const find = (text) => messages(text).find((message) => message.id === id);
    return this.until(find, `answer to request ${JSON.stringify(id)}`, limit);
  }
}

/** The body so far of one response in chunks. A head that announces none, such as that of an error, counts as text. */
function decodeChunks(received) {
  let at = received.indexOf('\r\n\r\n') + 4;
  if (at < 4 || !/^transfer-encoding: *chunked/im.test(received.toString('latin1', 0, at))) {
    return { text: received.toString('utf8'), isComplete: false };
  }
  const parts = [];
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at);
    const size = lineEnd < 0 ? NaN : parseInt(received.toString('latin1', at, lineEnd), 16);
    const isWhole = size > 0 && received.length >= lineEnd + 2 + size + 2;
    if (isWhole) parts.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
    else return { text: Buffer.concat(parts).toString('utf8'), isComplete: size === 0 };
    at = lineEnd + 2 + size + 2;
  }
}
