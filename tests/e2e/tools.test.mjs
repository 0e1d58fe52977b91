// Every tool of the three plugins: what it declares, which parameter it thinks was meant, what its results are held to.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { Desk, helpdeskForSuite, keyOf, resultChecker } from './support/helpdesk.mjs';
import { ANA, PEOPLE_AND_CATEGORIES } from './support/people.mjs';

// readOnly, destructive, idempotent
const ANNOTATIONS = {
  create_ticket: [false, false, false],
  list_tickets: [true, false, true],
  get_ticket: [true, false, true],
  update_ticket: [false, true, true],
  set_ticket_status: [false, false, true],
  add_note: [false, false, false],
  add_reply: [false, false, false],
  ticket_history: [true, false, true],
  create_task: [false, false, false],
  list_tasks: [true, false, true],
  get_task: [true, false, true],
  update_task: [false, true, true],
  complete_task: [false, false, true],
  reopen_task: [false, false, true],
  delete_task: [false, true, true],
  search_tickets: [true, false, true],
  find_similar_tickets: [true, false, true],
  search_all: [true, false, true],
};

// A parameter as somebody might write it, and the one that is meant.
const NEAR_MISSES = {
  create_ticket: [
    ['priorty', 'priority'],
    ['Title', 'title'],
    ['descripton', 'description'],
  ],
  list_tickets: [
    ['state', 'status'],
    ['created_since', 'created_after'],
    ['asignee', 'assignee'],
  ],
  get_ticket: [
    ['message_limit', 'messages_limit'],
    ['includes', 'include'],
  ],
  update_ticket: [
    ['tag_add', 'tags_add'],
    ['expectedVersion', 'expected_version'],
  ],
  set_ticket_status: [
    ['state', 'status'],
    ['duplicateOf', 'duplicate_of'],
  ],
  add_note: [
    ['Body', 'body'],
    ['idempotencyKey', 'idempotency_key'],
  ],
  add_reply: [
    ['setstatus', 'set_status'],
    ['bdy', 'body'],
  ],
  ticket_history: [['limits', 'limit']],
  create_task: [
    ['due_dat', 'due_date'],
    ['ticketid', 'ticket_id'],
  ],
  list_tasks: [
    ['due_befor', 'due_before'],
    ['sort_', 'sort'],
  ],
  get_task: [['responseformat', 'response_format']],
  update_task: [['asignee', 'assignee']],
  complete_task: [['notes', 'note']],
  reopen_task: [['Id', 'id']],
  delete_task: [['expected_versions', 'expected_version']],
  search_tickets: [
    ['querry', 'query'],
    ['facet', 'facets'],
  ],
  find_similar_tickets: [['ticketid', 'ticket_id']],
  search_all: [['type', 'types']],
};

describe('tools', { timeout: 600_000 * SLOWNESS }, () => {
  let suite, host, ana, tools, check;

  before(async () => {
    suite = await helpdeskForSuite({ tenants: PEOPLE_AND_CATEGORIES });
    host = suite.host;
    ana = new Desk(host, await keyOf(host, ANA));
    tools = new Map((await ana.tools()).map((tool) => [tool.name, tool]));
    check = resultChecker([...tools.values()]);
  });
  after(() => suite?.stop());

  /** A call that must succeed, with a result as the tool promises it. */
  async function checked(name, args, desk = ana) {
    const result = await desk.ok(name, args);
    check(name, result);
    return result;
  }

  test('the three plugins have these tools, and nothing else is served', () => {
    assert.deepEqual([...tools.keys()], Object.keys(ANNOTATIONS).toSorted());
  });

  for (const [name, [readOnlyHint, destructiveHint, idempotentHint]] of Object.entries(ANNOTATIONS)) {
    test(`${name}: annotations, a description, both schemas`, () => {
      const tool = tools.get(name);
      const { title, ...hints } = tool.annotations;
      assert.deepEqual(hints, { readOnlyHint, destructiveHint, idempotentHint, openWorldHint: false });
      assert.ok(tool.title ?? title);
      assert.equal(tool.inputSchema.additionalProperties, false);
      assert.equal(tool.outputSchema.type, 'object');
      assert.ok(tool.description.length > 30);
      for (const [parameter, schema] of Object.entries(tool.inputSchema.properties))
        assert.ok(schema.type ?? schema.anyOf ?? schema.oneOf ?? schema.enum, `${parameter} has a type`);
    });

    test(`${name}: a parameter with a near miss is refused and the right one named`, async () => {
      for (const [wrong, right] of NEAR_MISSES[name])
        assert.ok(
          (await ana.refused(name, { [wrong]: 'x' })).includes(
            `unknown parameter '${wrong}'; did you mean '${right}'?`,
          ),
          `${wrong}: ${await ana.refused(name, { [wrong]: 'x' })}`,
        );
    });
  }

  // ---- Results

  test('tickets: every tool gives what its output schema promises', async () => {
    const first = await checked('create_ticket', {
      title: 'Beamer shows no picture',
      description: 'Room 4',
      priority: 'urgent',
      category: 'Hardware',
      tags: ['beamer', 'room 4'],
      assignee: 'Ben',
      requester: 'Vera',
      due_at: '2026-12-01',
      idempotency_key: 'beamer',
    });
    assert.equal(first.ticket.assignee, 'ben@acme.example', 'a name stands for one person');
    const { id } = first.ticket;
    assert.equal((await checked('create_ticket', { title: 'Beamer shows no picture' })).possible_duplicates[0].id, id);
    const medium = await checked('create_ticket', { title: 'Monitor', priority: 'medium' });
    assert.equal(medium.ticket.priority, 'normal');
    assert.match(medium.warnings[0], /medium/);

    const updated = await checked('update_ticket', {
      id,
      title: 'Beamer in room 4 shows no picture',
      assignee: null,
      due_at: null,
      tags_add: ['urgent'],
      tags_remove: ['beamer'],
      expected_version: 1,
    });
    assert.equal(updated.changed, true);
    assert.deepEqual(
      updated.changed_fields.find((change) => change.field === 'title'),
      { field: 'title', from: 'Beamer shows no picture', to: 'Beamer in room 4 shows no picture' },
    );
    assert.equal(updated.ticket.version, 2);
    assert.equal((await checked('update_ticket', { id, priority: 'urgent' })).changed, false, 'the same again');

    const waiting = await checked('set_ticket_status', { id, status: 'waiting', waiting_on: 'third_party' });
    assert.deepEqual([waiting.previous_status, waiting.changed], ['open', true]);
    const again = await checked('set_ticket_status', { id, status: 'waiting', waiting_on: 'third_party' });
    assert.equal(again.changed, false);
    await checked('add_note', { id, body: 'The lamp is dead.', idempotency_key: 'note' });
    await checked('add_note', { id, body: 'The lamp is dead.', idempotency_key: 'note' });
    await checked('add_reply', { id, body: 'A new lamp comes tomorrow.', set_status: 'in_progress' });
    await checked('set_ticket_status', {
      id,
      status: 'resolved',
      resolution: 'fixed',
      comment: 'New lamp.',
      visibility: 'public',
    });
    for (const response_format of ['concise', 'detailed']) {
      await checked('get_ticket', { id, include: ['messages', 'history', 'tasks'], response_format });
      await checked('list_tickets', { status: 'all', limit: 2, response_format });
    }
    await checked('list_tickets', {
      status: ['open', 'resolved'],
      priority: ['urgent', 'high'],
      assignee: 'none',
      tags: ['urgent'],
      category: 'Hardware',
      created_after: '2026-01-01',
      created_before: '2100-01-01',
      updated_after: '2026-01-01',
      sort: 'priority',
      order: 'asc',
    });
    const page = await checked('ticket_history', { id, limit: 3 });
    assert.equal(page.events.length, 3);
    const rest = await checked('ticket_history', { id, limit: 100, cursor: page.next_cursor });
    assert.equal(rest.next_cursor, undefined);
    const events = [...page.events, ...rest.events];
    const fields = new Set(events.map((event) => event.field));
    for (const field of ['created', 'title', 'assignee', 'status', 'note', 'reply', 'resolution'])
      assert.ok(fields.has(field), `${field} is in ${[...fields]}`);
    for (const event of events) assert.deepEqual([event.actor, event.via_key], [ANA, ana.key.slice(0, 11)]);
  });

  test('tasks: every tool gives what its output schema promises', async () => {
    const ticket = await ana.ticket('Move to room 12');
    const created = await checked('create_task', {
      title: 'Order boxes',
      description: '20 of them',
      due_date: '2026-11-30',
      priority: 'high',
      assignee: 'me',
      ticket_id: ticket,
      tags: ['move'],
      idempotency_key: 'boxes',
    });
    const { id } = created.task;
    await checked('create_task', { title: 'Call the movers', due_at: '2026-11-30T09:00' });
    await checked('update_task', {
      id,
      title: 'Order 30 boxes',
      due_date: null,
      assignee: null,
      expected_version: created.task.version,
    });
    for (const response_format of ['concise', 'detailed']) {
      await checked('get_task', { id, response_format });
      await checked('list_tasks', { status: 'all', limit: 1, response_format });
    }
    for (const due of ['overdue', 'today', 'this_week', 'next_week', 'none']) await checked('list_tasks', { due });
    await checked('list_tasks', { ticket_id: ticket, tags: ['move'], due_after: '2026-01-01', status: 'unfinished' });
    const done = await checked('complete_task', { id, note: 'Ordered.' });
    assert.deepEqual([done.changed, done.task.status], [true, 'done']);
    assert.equal((await checked('complete_task', { id })).changed, false);
    assert.equal((await checked('reopen_task', { id })).changed, true);
    assert.equal((await checked('reopen_task', { id })).changed, false);
    assert.equal((await checked('delete_task', { id })).deleted, true);
    assert.equal((await checked('delete_task', { id })).deleted, false, 'the second time is no error');
    assert.match(await ana.refused('get_task', { id }), new RegExp(`${id}.*not found`, 'i'));
  });

  test('search: every tool gives what its output schema promises', async () => {
    const id = await ana.ticket('Scanner jams on thick paper', {
      tags: ['scanner'],
      description: 'Every third sheet.',
    });
    for (const args of [
      { query: 'scanner paper' },
      { query: '"thick paper" -beamer', mode: 'all_words', in: ['title', 'tags'] },
      { query: 'jams on thick', mode: 'phrase', response_format: 'detailed' },
      { query: 'scaner', facets: ['status', 'priority', 'category', 'assignee', 'tag'] },
      { query: 'scanner or printer', sort: 'created', limit: 1, status: 'all', priority: ['normal'] },
      { query: 'nothingofthissort' },
    ])
      await checked('search_tickets', args);
    await checked('find_similar_tickets', { ticket_id: id, limit: 5 });
    await checked('find_similar_tickets', { text: 'the scanner jams', status: 'all' });
    await ana.task('Clean the scanner');
    const all = await checked('search_all', { query: 'scanner' });
    assert.deepEqual(new Set(all.hits.map((hit) => hit.type)), new Set(['ticket', 'task']));
    await checked('search_all', { query: 'scanner', types: ['task'], limit: 1 });
  });
});
