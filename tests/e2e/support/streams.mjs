// Calls whose answers are event streams, and coming back for them when the connection is lost, as the revision says.
import { sleep, SLOWNESS } from './host.mjs';
import { keyHeaders } from './clients.mjs';
import { JSON_HEADERS, post, rpc } from './raw.mjs';

const INITIALIZE = { protocolVersion: '2025-11-25', clientInfo: { name: 'toolhost-e2e', version: '1.0.0' } };

/** The id of a new session. */
export async function openSession(url, key, capabilities = {}) {
  const answer = await post(url, key, rpc('initialize', { ...INITIALIZE, capabilities }));
  return answer.headers.get('mcp-session-id');
}

/** The events of a response's body as they come: {id, event, retry, data}. Throws when the connection breaks. */
export async function* eventsOf(response) {
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const event = {};
      for (const line of text.slice(0, end).split('\n')) {
        const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (field) event[field] = value;
      }
      if (Object.keys(event).length > 0) yield event; // else it was a heartbeat
    }
  }
}

/** One request over a session, whose answer is fetched wherever it is. */
export class Call {
  constructor(url, key, session, body) {
    Object.assign(this, { url, key, session, body });
    this.id = JSON.parse(body).id;
    this.messages = []; // everything that came, in order
    this.connections = 0;
    this.lastEventId = undefined;
    this.retry = 1_000;
  }

  get answer() {
    return this.messages.find((message) => message.id === this.id && !message.method);
  }

  headers(more) {
    return { ...JSON_HEADERS, ...keyHeaders(this.key), 'Mcp-Session-Id': this.session, ...more };
  }

  /** Sends the request and reads until the answer, the stream's end or the connection's. True when it is answered. */
  send() {
    return this.read(() => fetch(`${this.url}/mcp`, { method: 'POST', headers: this.headers(), body: this.body }));
  }

  /** Comes back with the last event's id; `url` may be another host's. */
  resume(url = this.url) {
    const headers = this.headers({ Accept: 'text/event-stream', 'Last-Event-ID': this.lastEventId });
    return this.read(() => fetch(`${url}/mcp`, { headers }));
  }

  /** send(), then resume() until there is an answer or `limit` milliseconds have passed. */
  async complete(limit = 30_000) {
    const end = performance.now() + limit * SLOWNESS;
    await this.send();
    while (!this.answer && this.lastEventId && performance.now() < end) {
      await sleep(Math.min(this.retry, 250));
      await this.resume();
    }
    return this.answer;
  }

  async read(start) {
    try {
      const response = await start();
      this.status = response.status;
      this.connections += 1;
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
        const text = await response.text();
        if (response.ok && text) this.messages.push(JSON.parse(text));
        return this.answer !== undefined;
      }
      for await (const event of eventsOf(response)) this.take(event);
    } catch {
      // the connection is gone; what came is kept
    }
    return this.answer !== undefined;
  }

  take({ id, retry, data }) {
    if (id) this.lastEventId = id;
    if (retry) this.retry = Number(retry);
    if (data) this.messages.push(JSON.parse(data));
  }
}
