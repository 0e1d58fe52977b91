// Many at once: a lost update, a version that nobody made, or a second ticket for one idempotency key would show here.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { Desk, helpdeskForSuite, keyOf } from './support/helpdesk.mjs';
import { textOf } from './support/raw.mjs';

const CLIENTS = 64;
const CONNECTIONS = 32;

describe('races', { timeout: 300_000 * SLOWNESS }, () => {
  let suite, host, ana, desks;

  before(async () => {
    suite = await helpdeskForSuite();
    host = suite.host;
    ana = new Desk(host, await keyOf(host, 'ana@acme.example'));
    desks = [ana];
    for (const name of ['ben', 'cy', 'dee']) desks.push(new Desk(host, await keyOf(host, `${name}@acme.example`)));
  });
  after(() => suite?.stop());

  const everybody = (count, act) => Promise.all(Array.from({ length: count }, (_, i) => act(desks[i % 4], i)));
  const succeeded = (results) => results.filter((result) => !result.isError).map((result) => result.structuredContent);

  /** All steps of a ticket's history, oldest first. */
  async function historyOf(id) {
    const events = [];
    let cursor;
    do {
      const page = await ana.ok('ticket_history', { id, limit: 50, ...(cursor && { cursor }) });
      events.push(...page.events);
      cursor = page.next_cursor;
    } while (cursor);
    // A page may be newest or oldest first; the pages go on in the same direction.
    return events[0].field === 'created' || events[0].at < events.at(-1).at ? events : events.toReversed();
  }

  for (const { what, create, update, read } of [
    {
      what: 'ticket',
      create: (desk) => desk.ticket('total 0'),
      update: 'update_ticket',
      read: async (desk, id) => (await desk.ok('get_ticket', { id })).ticket,
    },
    {
      what: 'task',
      create: (desk) => desk.task('total 0'),
      update: 'update_task',
      read: async (desk, id) => (await desk.ok('get_task', { id })).task,
    },
  ]) {
    test(`${CLIENTS} clients change one ${what} with the same expected_version: one succeeds, the others learn what it did`, async () => {
      const id = await create(ana);
      const results = await everybody(CLIENTS, (desk, i) =>
        desk.call(update, { id, title: `by client ${i}`, expected_version: 1 }),
      );
      const won = succeeded(results);
      assert.equal(won.length, 1);
      const now = await read(ana, id);
      assert.equal(now.version, 2);
      assert.equal(now.title, won[0][what].title);
      for (const result of results.filter((one) => one.isError)) {
        assert.match(textOf(result), /changed by/i);
        assert.ok(textOf(result).includes(now.title), `it says what changed: ${textOf(result)}`);
      }
    });

    test(`${CLIENTS} clients count in one ${what}, each reading again until its change is taken: no count is lost`, async () => {
      const id = await create(ana);
      const made = [];
      let conflicts = 0;
      const countOne = async (desk, i) => {
        for (;;) {
          const { title, version } = await read(desk, id);
          const total = Number(/^total (\d+)/.exec(title)[1]);
          const changed = { id, title: `total ${total + 1} by client ${i}`, expected_version: version };
          const result = await desk.call(update, changed);
          if (!result.isError) {
            made.push({ ...result.structuredContent[what], client: i });
            return;
          }
          assert.match(textOf(result), /changed by/i);
          conflicts += 1;
        }
      };
      await everybody(CLIENTS, countOne);

      made.sort((one, other) => one.version - other.version);
      assert.deepEqual(
        made.map((one) => one.version),
        Array.from({ length: CLIENTS }, (_, i) => i + 2),
        'every successful call made a version of its own',
      );
      made.forEach((one, i) => assert.equal(one.title, `total ${i + 1} by client ${one.client}`));
      assert.equal((await read(ana, id)).title, made.at(-1).title);
      assert.ok(conflicts > 0, 'they were in each other’s way');
      if (what !== 'ticket') return;

      const steps = (await historyOf(id)).filter((event) => event.field === 'title');
      assert.deepEqual(
        steps.map((event) => event.to),
        made.map((one) => one.title),
        'exactly the successful changes are in the history',
      );
      steps.forEach((event, i) => assert.equal(event.from, i === 0 ? 'total 0' : made[i - 1].title));
    });
  }

  test('replies, notes, changes and status at once: every one has a version of its own and is in the history', async () => {
    const id = await ana.ticket('Everybody writes here');
    const results = await everybody(CLIENTS, (desk, i) =>
      [
        () => desk.call('add_reply', { id, body: `reply ${i}` }),
        () => desk.call('add_note', { id, body: `note ${i}` }),
        () => desk.call('update_ticket', { id, description: `description ${i}` }),
        () => desk.call('set_ticket_status', { id, status: i % 8 < 4 ? 'in_progress' : 'open' }),
      ][i % 4](),
    );
    assert.equal(succeeded(results).length, CLIENTS, JSON.stringify(results.find((one) => one.isError)));
    const steps = await historyOf(id);
    for (const field of ['reply', 'note', 'description'])
      assert.equal(steps.filter((event) => event.field === field).length, CLIENTS / 4, field);
    const { ticket } = await ana.ok('get_ticket', { id });
    const unchanged = succeeded(results).filter((result) => result.changed === false).length;
    assert.equal(ticket.version, 1 + CLIENTS - unchanged);
    const messages = [];
    let cursor;
    do {
      const page = await ana.ok('get_ticket', { id, messages_limit: 10, ...(cursor && { messages_cursor: cursor }) });
      messages.push(...page.messages.map((message) => message.id));
      cursor = page.messages_cursor;
    } while (cursor);
    assert.equal(new Set(messages).size, CLIENTS / 2);
  });

  // ---- Idempotency keys

  for (const { tool, what, args, other, count } of [
    {
      tool: 'create_ticket',
      what: 'ticket',
      args: { title: 'Order a projector', priority: 'high', idempotency_key: 'projector' },
      other: { title: 'Order two projectors', priority: 'high', idempotency_key: 'projector' },
      count: async () =>
        (await ana.ok('list_tickets', { status: 'all', limit: 100 })).tickets.filter((one) =>
          /projector/.test(one.title),
        ),
    },
    {
      tool: 'create_task',
      what: 'task',
      args: { title: 'Fetch the beamer', due_date: '2026-11-30', idempotency_key: 'projector' },
      other: { title: 'Fetch the beamer', due_date: '2026-12-01', idempotency_key: 'projector' },
      count: async () =>
        (await ana.ok('list_tasks', { status: 'all', limit: 100 })).tasks.filter((one) => /beamer/.test(one.title)),
    },
  ]) {
    test(`${tool}: one idempotency_key from ${CONNECTIONS} connections makes one ${what}`, async () => {
      const results = await Promise.all(Array.from({ length: CONNECTIONS }, () => ana.ok(tool, args)));
      assert.equal(results.filter((result) => result.created).length, 1);
      const ids = new Set(results.map((result) => result[what].id));
      assert.equal(ids.size, 1, `${[...ids]}`);
      assert.deepEqual(
        (await count()).map((one) => one.id),
        [...ids],
      );
    });

    test(`${tool}: the same key with other arguments is refused and says so`, async () => {
      const refused = await ana.refused(tool, other);
      assert.match(refused, /idempotency_key 'projector'/);
      assert.match(refused, /other arguments/);
      assert.match(refused, /new key/);
      assert.equal((await count()).length, 1);
    });

    test(`${tool}: the key of another person means something else`, async () => {
      assert.equal((await desks[1].ok(tool, args)).created, true);
      assert.equal((await count()).length, 2);
    });

    test(`${tool}: ${CONNECTIONS} connections with one key and different arguments: one is done, the others are told`, async () => {
      const results = await Promise.all(
        Array.from({ length: CONNECTIONS }, (_, i) =>
          ana.call(tool, { ...args, title: `contested ${i % 2}`, idempotency_key: 'contested' }),
        ),
      );
      const done = succeeded(results);
      assert.equal(done.filter((result) => result.created).length, 1);
      assert.equal(new Set(done.map((result) => result[what].id)).size, 1);
      assert.equal(done.length, CONNECTIONS / 2);
      for (const result of results.filter((one) => one.isError)) assert.match(textOf(result), /other arguments/);
    });
  }

  for (const tool of ['add_note', 'add_reply'])
    test(`${tool}: one idempotency_key from ${CONNECTIONS} connections writes one message`, async () => {
      const id = await ana.ticket(`One message by ${tool}`);
      const args = { id, body: 'Once.', idempotency_key: `once ${tool}` };
      const results = await Promise.all(Array.from({ length: CONNECTIONS }, () => ana.ok(tool, args)));
      assert.equal(new Set(results.map((result) => result.message.id)).size, 1);
      const read = await ana.ok('get_ticket', { id });
      assert.equal(read.messages.length, 1);
      assert.equal(read.ticket.version ?? read.version, 2);
      assert.match(await ana.refused(tool, { ...args, body: 'Twice.' }), /other arguments/);
    });
});
