// What each tool refuses, in a sentence that says what is wrong, why, and what to do instead.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { Desk, helpdeskForSuite, keyOf, NOWHERE } from './support/helpdesk.mjs';
import { ANA, PEOPLE_AND_CATEGORIES, VERA } from './support/people.mjs';

// Tool, what is wrong, arguments, what the sentence says.
const REFUSALS = [
  [
    'get_ticket',
    'an id that does not exist',
    (ids) => ({ id: ids.near }),
    (ids) => [/not found/, new RegExp(ids.ticket)],
  ],
  ['get_ticket', 'what is no id', () => ({ id: 'the printer one' }), () => [/not a ticket id/, /7QK4MX/]],
  ['get_ticket', 'a forged cursor', (ids) => ({ id: ids.ticket, messages_cursor: 'abc' }), () => [/messages_cursor/]],
  [
    'create_ticket',
    'a word for a date',
    () => ({ title: 'x', due_at: 'next week' }),
    () => [/next week/, /YYYY-MM-DD/, /\d{4}-\d\d-\d\d \(\w{3}, Europe\/Berlin\)/],
  ],
  ['create_ticket', 'a title without text', () => ({ title: ' \u200b\t' }), () => [/title is empty/]],
  [
    'create_ticket',
    'an unknown category',
    () => ({ title: 'x', category: 'Hardwear' }),
    () => [/Hardwear/, /Hardware.*Network/s],
  ],
  [
    'create_ticket',
    'a name that several have',
    () => ({ title: 'x', assignee: 'Ana' }),
    () => [/2 people match 'Ana'/, /Ana Lopez <ana\.lopez@acme\.example>/, /Ana Ruiz/, /e-mail/],
  ],
  [
    'create_ticket',
    'a name that nobody has',
    () => ({ title: 'x', assignee: 'Zacharias' }),
    () => [/Zacharias/, /e-mail/],
  ],
  ['create_ticket', 'a priority that is none', () => ({ title: 'x', priority: 'critical' }), () => [/low/, /urgent/]],
  ['create_ticket', 'a NUL character', () => ({ title: 'x', description: 'a\u0000b' }), () => [/NUL/]],
  [
    'list_tickets',
    'a cursor of another list',
    (ids) => ({ status: 'all', limit: 1, priority: ['low'], cursor: ids.cursor }),
    () => [/other filters/],
  ],
  ['list_tickets', 'a forged cursor', () => ({ cursor: 'abc' }), () => [/cursor/]],
  ['list_tickets', 'a word for a date', () => ({ due_before: 'friday' }), () => [/friday/, /YYYY-MM-DD/]],
  ['update_ticket', 'nothing to change', (ids) => ({ id: ids.ticket }), () => [/nothing/i, /title/]],
  [
    'update_ticket',
    'a version that is past',
    (ids) => ({ id: ids.changed, priority: 'low', expected_version: 1 }),
    () => [/Ana Lopez|ana\.lopez@acme\.example/, /priority/, /normal.*high/, /read|get_ticket/],
  ],
  ['update_ticket', 'an id that does not exist', () => ({ id: NOWHERE, title: 'x' }), () => [/not found/]],
  [
    'set_ticket_status',
    'a step that is not allowed',
    (ids) => ({ id: ids.resolved, status: 'waiting', waiting_on: 'requester' }),
    () => [/resolved/, /waiting/, /open/, /closed/],
  ],
  [
    'set_ticket_status',
    'a duplicate of nothing',
    (ids) => ({ id: ids.ticket, status: 'closed', resolution: 'duplicate' }),
    () => [/duplicate_of/],
  ],
  [
    'set_ticket_status',
    'a duplicate of itself',
    (ids) => ({ id: ids.ticket, status: 'closed', resolution: 'duplicate', duplicate_of: ids.ticket }),
    () => [/itself/],
  ],
  [
    'set_ticket_status',
    'a duplicate of what does not exist',
    (ids) => ({ id: ids.ticket, status: 'closed', resolution: 'duplicate', duplicate_of: NOWHERE }),
    () => [/000000/, /not found/],
  ],
  [
    'set_ticket_status',
    'closing without a reason',
    (ids) => ({ id: ids.ticket, status: 'closed' }),
    () => [/resolution|reason/],
  ],
  [
    'set_ticket_status',
    'a version that is past',
    (ids) => ({ id: ids.changed, status: 'resolved', resolution: 'fixed', expected_version: 1 }),
    () => [/changed/, /priority/],
  ],
  ['add_note', 'an empty body', (ids) => ({ id: ids.ticket, body: ' \n' }), () => [/body is empty/]],
  ['add_note', 'an id that does not exist', () => ({ id: NOWHERE, body: 'x' }), () => [/not found/]],
  ['add_reply', 'an empty body', (ids) => ({ id: ids.ticket, body: '\u202e' }), () => [/body is empty/]],
  [
    'add_reply',
    'a step that is not allowed',
    (ids) => ({ id: ids.resolved, body: 'x', set_status: 'waiting' }),
    () => [/resolved/, /open/, /closed/],
  ],
  [
    'add_reply',
    'a key that stands for another reply',
    (ids) => ({ id: ids.ticket, body: 'other', idempotency_key: 'used' }),
    () => [/'used'/, /other arguments/],
  ],
  ['ticket_history', 'an id that does not exist', () => ({ id: NOWHERE }), () => [/not found/]],
  ['ticket_history', 'a forged cursor', (ids) => ({ id: ids.ticket, cursor: 'abc' }), () => [/cursor/]],
  [
    'create_task',
    'a date and a time',
    () => ({ title: 'x', due_date: '2026-12-01', due_at: '2026-12-01T10:00' }),
    () => [/due_date/, /due_at/],
  ],
  [
    'create_task',
    'a word for a date',
    () => ({ title: 'x', due_date: 'next week' }),
    () => [/next week/, /YYYY-MM-DD/, /Europe\/Berlin/],
  ],
  [
    'create_task',
    'a time for a date',
    () => ({ title: 'x', due_date: '2026-12-01T10:00' }),
    () => [/due_at|YYYY-MM-DD/],
  ],
  ['create_task', 'a day that does not exist', () => ({ title: 'x', due_date: '2026-02-30' }), () => [/2026-02-30/]],
  [
    'create_task',
    'a ticket that does not exist',
    (ids) => ({ title: 'x', ticket_id: ids.near }),
    (ids) => [/not found/, new RegExp(ids.ticket)],
  ],
  [
    'list_tasks',
    'a window and an end',
    () => ({ due: 'today', due_before: '2026-12-01' }),
    () => [/due/, /due_before/],
  ],
  ['list_tasks', 'a forged cursor', () => ({ cursor: 'abc' }), () => [/cursor/]],
  ['get_task', 'an id that does not exist', () => ({ id: NOWHERE }), () => [/not found/]],
  ['update_task', 'nothing to change', (ids) => ({ id: ids.task }), () => [/nothing/i]],
  [
    'update_task',
    'a version that is past',
    (ids) => ({ id: ids.changedTask, title: 'x', expected_version: 1 }),
    () => [/changed/, /priority/],
  ],
  ['complete_task', 'an id that does not exist', () => ({ id: NOWHERE }), () => [/not found/]],
  ['reopen_task', 'what is no id', () => ({ id: 'boxes!' }), () => [/not a task id/]],
  ['delete_task', 'a version that is past', (ids) => ({ id: ids.changedTask, expected_version: 1 }), () => [/changed/]],
  ['search_tickets', 'nothing to look for', () => ({ query: ' - ' }), () => [/query/]],
  ['search_tickets', 'a forged cursor', () => ({ query: 'x1', cursor: 'abc' }), () => [/cursor/]],
  [
    'search_tickets',
    'a cursor of another query',
    (ids) => ({ query: 'needle4711', status: 'all', limit: 1, cursor: ids.searchCursor }),
    () => [/other|another/],
  ],
  ['find_similar_tickets', 'neither ticket nor text', () => ({}), () => [/ticket_id/, /text/]],
  [
    'find_similar_tickets',
    'ticket and text',
    (ids) => ({ ticket_id: ids.ticket, text: 'x' }),
    () => [/ticket_id/, /text/],
  ],
  ['find_similar_tickets', 'an id that does not exist', () => ({ ticket_id: NOWHERE }), () => [/not found/]],
  ['search_all', 'a type that does not exist', () => ({ query: 'x', types: ['tickets'] }), () => [/ticket/]],
];

describe('refusals', { timeout: 300_000 * SLOWNESS }, () => {
  let suite, ana;
  const ids = {};
  before(async () => {
    suite = await helpdeskForSuite({ tenants: PEOPLE_AND_CATEGORIES });
    ana = new Desk(suite.host, await keyOf(suite.host, ANA));
    ids.ticket = await ana.ticket('Fax machine beeps');
    ids.near = ids.ticket.slice(0, 5) + (ids.ticket[5] === '7' ? '8' : '7');
    ids.changed = await ana.ticket('Somebody changes this');
    await ana.ok('update_ticket', { id: ids.changed, priority: 'high' });
    ids.resolved = await ana.ticket('This is done');
    await ana.ok('set_ticket_status', { id: ids.resolved, status: 'resolved', resolution: 'fixed' });
    ids.task = await ana.task('A task');
    ids.changedTask = await ana.task('Somebody changes this task');
    await ana.ok('update_task', { id: ids.changedTask, priority: 'high' });
    await ana.ok('add_reply', { id: ids.ticket, body: 'first', idempotency_key: 'used' });
    ids.cursor = (await ana.ok('list_tickets', { status: 'all', limit: 1 })).next_cursor;
    for (const title of ['needle4711 one', 'needle4711 needle4712 two']) await ana.ticket(title);
    ids.searchCursor = (await ana.ok('search_tickets', { query: 'needle4711 or needle4712', limit: 1 })).next_cursor;
  });
  after(() => suite?.stop());

  for (const [tool, what, args, patterns] of REFUSALS)
    test(`${tool}: ${what}`, async () => {
      const words = await ana.refused(tool, args(ids));
      for (const pattern of patterns(ids)) assert.match(words, pattern);
    });

  test('a viewer reads and does not write', async () => {
    const vera = new Desk(suite.host, await keyOf(suite.host, VERA));
    assert.equal((await vera.ok('get_ticket', { id: ids.ticket })).ticket.id, ids.ticket);
    for (const [tool, args] of [
      ['add_note', { id: ids.ticket, body: 'x' }],
      ['update_ticket', { id: ids.ticket, priority: 'low' }],
    ]) {
      // By default a viewer has no tool that writes.
      await assert.rejects(vera.call(tool, args), new RegExp(`Unknown tool: ${tool}`));
    }
    // An internal note is never theirs to read, whatever tools they have.
    const note = 'seen by staff only 5d1c';
    await ana.ok('add_note', { id: ids.ticket, body: note });
    for (const [tool, args] of [
      ['get_ticket', { id: ids.ticket, include: ['messages', 'history'], response_format: 'detailed' }],
      ['ticket_history', { id: ids.ticket }],
      ['list_tickets', { response_format: 'detailed' }],
    ])
      assert.ok(!JSON.stringify(await vera.call(tool, args)).includes(note), tool);
  });
});
