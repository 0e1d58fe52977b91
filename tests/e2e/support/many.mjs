// Many create_ticket calls at once, with a record of what was answered.
import { callTool, textOf } from './raw.mjs';
import { sleep } from './host.mjs';

/**
 * Creates `total` tickets with unique titles, `inFlight` at a time, over calls without a session. A call that fails
 * is tried again with the same idempotency key until `giveUpAfter` milliseconds have passed since it first failed.
 * Returns {answered: Map title -> id, errors: [text of each failed call], done: promise}.
 */
export function createMany(url, key, prefix, total, inFlight, giveUpAfter = 30_000) {
  const state = { answered: new Map(), errors: [] };
  let next = 0;
  const worker = async () => {
    while (next < total) {
      const title = `${prefix} ${next++}`;
      const end = performance.now() + giveUpAfter;
      for (;;) {
        const problem = await create(title);
        if (!problem) break;
        state.errors.push(problem);
        if (performance.now() > end) throw new Error(`${title} was never created: ${problem}`);
        await sleep(50);
      }
    }
  };
  const create = async (title) => {
    try {
      const result = await callTool(url, key, 'create_ticket', { title, idempotency_key: title.replaceAll(' ', '-') });
      if (result.isError) return textOf(result);
      state.answered.set(title, result.structuredContent.ticket.id);
      return undefined;
    } catch (error) {
      return error.cause?.code ?? error.message;
    }
  };
  state.done = Promise.all(Array.from({ length: inFlight }, worker));
  return state;
}

/** All tickets of a key's tenant through list_tickets, page by page: [{id, title}]. */
export async function listAll(url, key, args = {}) {
  const tickets = [];
  let cursor;
  do {
    const result = await callTool(url, key, 'list_tickets', {
      status: 'all',
      limit: 100,
      ...args,
      ...(cursor && { cursor }),
    });
    if (result.isError) throw new Error(textOf(result));
    tickets.push(...result.structuredContent.tickets);
    cursor = result.structuredContent.next_cursor;
  } while (cursor);
  return tickets;
}
