// What the user guide lets people say to their assistant: each phrase is one call, as written here, through a real
// client, and the answer carries what was asked for, in the structured result and in the text.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sdk1Sse } from './support/clients.mjs';
import { Desk, helpdeskForSuite, keyOf, REF } from './support/helpdesk.mjs';
import { textOf } from './support/raw.mjs';

const ANA = 'ana@acme.example';
const BEN = 'ben@acme.example';

describe('phrases', { timeout: 180_000 }, () => {
  let suite, host, client, ana, ben, key;

  before(async () => {
    suite = await helpdeskForSuite();
    host = suite.host;
    key = await keyOf(host, ANA);
    [ana, ben] = [new Desk(host, key), new Desk(host, await keyOf(host, BEN))];
    await guideTickets();
    client = await sdk1Sse(host.url, key);
    await client.listTools(); // from here on the client checks each result against the tool's output schema
  });
  after(async () => {
    await client?.close();
    await suite?.stop();
  });

  /** The ids that the guide names. */
  async function guideTickets() {
    const file = join(host.directory, 'guide.jsonl');
    const rows = [
      { id: 'ABC123', title: 'Laptop does not wake up', description: 'Since the update on Monday.', priority: 'high' },
      { id: 'XYZ789', title: 'VPN drops every hour', description: 'Only at home.', status: 'in_progress' },
    ];
    await writeFile(file, rows.map((row) => `${JSON.stringify({ ...row, requester: ANA })}\n`).join(''));
    await host.command('import', 'tickets', file, '--tenant', 'demo');
  }

  /** One call: its structured result and its text. */
  async function say(name, args) {
    const result = await client.callTool(name, args);
    assert.notEqual(result.isError, true, textOf(result));
    return { ...result.structuredContent, text: textOf(result) };
  }

  const idsOf = (rows) => rows.map((row) => row.id);

  test('"Create a support ticket about the printer on the 3rd floor not working. Mark it as high priority"', async () => {
    const said = await say('create_ticket', { title: 'Printer on the 3rd floor not working', priority: 'high' });
    assert.equal(said.created, true);
    assert.match(said.ticket.id, REF);
    assert.equal(said.ticket.title, 'Printer on the 3rd floor not working');
    assert.equal(said.ticket.priority, 'high');
    assert.equal(said.ticket.status, 'open');
    assert.ok(said.text.includes(said.ticket.id), 'the user can be told the id');
    assert.deepEqual(said.possible_duplicates, []);
  });

  test('"Show me all open tickets": open, in progress and waiting, nothing that is done', async () => {
    const statuses = ['open', 'in_progress', 'waiting', 'resolved', 'closed'];
    const ids = {};
    for (const status of statuses) {
      ids[status] = await ana.ticket(`status ${status}`);
      if (status !== 'open')
        await ana.ok('set_ticket_status', {
          id: ids[status],
          status,
          ...(status === 'waiting' && { waiting_on: 'requester' }),
          ...(['resolved', 'closed'].includes(status) && { resolution: 'fixed', comment: 'Done.' }),
        });
    }
    const said = await say('list_tickets', {});
    const listed = idsOf(said.tickets);
    for (const status of statuses)
      assert.equal(listed.includes(ids[status]), !['resolved', 'closed'].includes(status), status);
    assert.deepEqual(said.applied_filters.status, ['unresolved']);
    assert.equal(said.total, listed.length);
    for (const id of listed) assert.ok(said.text.includes(id), `${id} is in the text`);
  });

  test('"List the 5 most recent tickets": the newest first, whatever their status', async () => {
    const newest = [];
    for (let i = 0; i < 6; i += 1) newest.unshift(await ana.ticket(`recent ${i}`));
    await ana.ok('set_ticket_status', { id: newest[0], status: 'resolved', resolution: 'fixed' });
    await ana.ok('add_reply', { id: newest[5], body: 'An old one that was updated last.' });
    const said = await say('list_tickets', { status: 'all', sort: 'created', limit: 5 });
    assert.deepEqual(idsOf(said.tickets), newest.slice(0, 5));
    assert.ok(said.next_cursor, 'and the way to the rest');
  });

  test('"Find tickets about network issues": best first, though no ticket says both words', async () => {
    const both = await ana.ticket('Network issue in the warehouse', { description: 'No network since nine.' });
    const one = await ana.ticket('Slow network', { description: 'The network is slow in the afternoon.' });
    const inReply = await ana.ticket('Scanner offline');
    await ana.ok('add_reply', { id: inReply, body: 'This was an issue of the network switch.' });
    const said = await say('search_tickets', { query: 'network issues' });
    const ids = idsOf(said.hits);
    assert.equal(ids[0], both);
    for (const id of [one, inReply]) assert.ok(ids.includes(id));
    for (const hit of said.hits) {
      assert.ok(hit.title && hit.status && hit.priority && hit.updated_at, JSON.stringify(hit));
      assert.ok(hit.matched_in.length > 0);
    }
    assert.ok(said.hits.find((hit) => hit.id === inReply).matched_in.includes('messages'));
    assert.match(said.hits[0].snippet, /network/i);
    assert.ok(said.text.includes(both) && said.text.includes('Network issue in the warehouse'));
  });

  test('"Search for tickets mentioning \'password reset\'": these two words, together', async () => {
    const inTitle = await ana.ticket('Password reset does not arrive');
    const inText = await ana.ticket('Cannot sign in', { description: 'I asked for a password reset twice.' });
    const apart = await ana.ticket('Reset my phone', { description: 'It wants a password after the reset.' });
    const said = await say('search_tickets', { query: '"password reset"' });
    assert.deepEqual(new Set(idsOf(said.hits)), new Set([inTitle, inText]));
    assert.ok(!idsOf(said.hits).includes(apart));
    assert.equal(said.total, 2);
  });

  test('"Get details for ticket ABC123"', async () => {
    const said = await say('get_ticket', { id: 'ABC123' });
    assert.equal(said.ticket.id, 'ABC123');
    assert.equal(said.ticket.title, 'Laptop does not wake up');
    assert.equal(said.ticket.priority, 'high');
    assert.equal(said.ticket.requester, ANA);
    assert.equal(said.ticket.description, 'Since the update on Monday.');
    assert.deepEqual(said.messages, []);
    assert.ok(said.allowed_transitions.includes('resolved'));
    for (const words of ['ABC123', 'Laptop does not wake up', 'Since the update on Monday.'])
      assert.ok(said.text.includes(words), words);
  });

  test('"What\'s the status of my printer ticket?": the status, of mine only', async () => {
    const theirs = await ben.ticket('Printer in the lobby is out of paper');
    const mine = await ana.ticket('Printer on the 2nd floor prints blank pages');
    await ana.ok('set_ticket_status', { id: mine, status: 'in_progress' });
    const said = await say('search_tickets', { query: 'printer', requester: 'me' });
    const hit = said.hits.find(({ id }) => id === mine);
    assert.equal(hit.status, 'in_progress');
    assert.ok(!idsOf(said.hits).includes(theirs));
    assert.match(said.text, new RegExp(`${mine}[^\\n]*in_progress`));
  });

  test('"Add a note to ticket XYZ789 saying the issue has been resolved": a note, and what it does not do', async () => {
    const said = await say('add_note', { id: 'XYZ789', body: 'The issue has been resolved.' });
    assert.equal(said.message.visibility, 'internal');
    assert.equal(said.message.body, 'The issue has been resolved.');
    assert.equal(said.message.author, ANA);
    assert.equal(said.ticket.id, 'XYZ789');
    assert.equal(said.ticket.status, 'in_progress', 'a note changes no status');
    assert.match(said.hint, /still in_progress/);
    assert.match(said.hint, /set_ticket_status/);
    assert.ok(said.text.includes('XYZ789'));
    const read = await ben.ok('get_ticket', { id: 'XYZ789' });
    assert.equal(read.messages.at(-1).body, 'The issue has been resolved.');
  });

  test('"Create a task to order new printer cartridges, due next week"', async () => {
    const said = await say('create_task', { title: 'Order new printer cartridges', due_date: '2026-11-30' });
    assert.equal(said.created, true);
    assert.match(said.task.id, REF);
    assert.equal(said.task.title, 'Order new printer cartridges');
    assert.equal(said.task.status, 'open');
    assert.match(said.text, /2026-11-30/);
    assert.ok(said.server_time, 'what the assistant reckons "next week" from');
    const read = await ben.ok('get_task', { id: said.task.id });
    assert.equal(read.task.due_date, '2026-11-30');
  });

  test('"What is due next week?" finds a task that is due on the Monday after this week', async () => {
    const { server_time: now } = await ana.ok('list_tasks', {});
    const day = new Date(`${now.slice(0, 10)}T00:00:00Z`);
    day.setUTCDate(day.getUTCDate() + 7 - ((day.getUTCDay() + 6) % 7));
    const id = await ana.task('Renew the certificate', { due_date: day.toISOString().slice(0, 10) });
    assert.ok(idsOf((await say('list_tasks', { due: 'next_week' })).tasks).includes(id));
    assert.ok(!idsOf((await say('list_tasks', { due: 'this_week' })).tasks).includes(id));
  });

  test('"Add a reply": "Create and manage tasks": the rest of what the guide promises', async () => {
    const id = await ana.ticket('Monitor flickers');
    const replied = await say('add_reply', { id, body: 'A new cable is on its way.', set_status: 'waiting' });
    assert.equal(replied.message.visibility, 'public');
    assert.equal(replied.ticket.status, 'waiting');
    const task = (await say('create_task', { title: 'Send a cable', ticket_id: id })).task.id;
    assert.deepEqual(idsOf((await say('list_tasks', { ticket_id: id })).tasks), [task]);
    assert.equal((await say('complete_task', { id: task, note: 'Sent.' })).task.status, 'done');
    const read = await say('get_ticket', { id, include: ['tasks'] });
    assert.deepEqual(idsOf(read.tasks), [task]);
    assert.equal(read.tasks[0].status, 'done');
  });
});
