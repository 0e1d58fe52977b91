// Search as soon as the writing call has returned: after creates, updates, replies, notes, deletions; while everybody
// writes, after a restart, and while the index is built anew.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { command } from './support/helpdesk.mjs';
import { searchSuite } from './support/search.mjs';

describe('search at once', { timeout: 600_000 * SLOWNESS }, () => {
  const suite = searchSuite('writes');
  let ana;
  before(async () => {
    ana = await suite.desk('writes');
  });

  test('after create, update, reply and note, as soon as the call has returned', async () => {
    for (const i of 'abcdefghij') {
      const id = await ana.ticket(`Gramophone${i} broken`);
      assert.deepEqual(await ana.find(`gramophone${i}`), [id]);
      await ana.ok('update_ticket', { id, title: `Phonograph${i} broken`, tags_add: [`brass${i}`] });
      assert.deepEqual(await ana.find(`"phonograph${i}"`), [id]);
      assert.deepEqual(await ana.find(`"gramophone${i}"`), [], 'what was replaced is gone');
      assert.deepEqual(await ana.find(`brass${i}`), [id]);
      await ana.ok('add_reply', { id, body: `The needle${i} is bent.` });
      assert.deepEqual(await ana.find(`needle${i}`), [id]);
      await ana.ok('add_note', { id, body: `Warranty${i} ended.` });
      assert.deepEqual(await ana.find(`warranty${i}`), [id]);
      await ana.ok('set_ticket_status', {
        id,
        status: 'resolved',
        resolution: 'fixed',
        comment: `Horn${i} replaced.`,
      });
      assert.deepEqual(await ana.find(`horn${i}`, { status: 'resolved' }), [id]);
    }
  });

  test('by those who write and search all at the same time', async () => {
    const missing = [];
    await Promise.all(
      Array.from({ length: 32 }, async (_, client) => {
        for (let i = 0; i < 10; i += 1) {
          const word = `w${client}q${i}z`;
          const id = await ana.ticket(`Lamp ${word}`);
          if ((await ana.find(`"${word}"`))[0] !== id) missing.push(word);
        }
      }),
    );
    assert.deepEqual(missing, []);
    assert.equal((await ana.ok('search_tickets', { query: 'lamp', limit: 1 })).total, 320);
  });

  test('tasks: found at once, changed at once, gone when deleted', async () => {
    const find = async (query) => (await ana.ok('search_all', { query })).hits.map((hit) => hit.id);
    const id = await ana.task('Water the monstera', { description: 'Every Tuesday.' });
    assert.deepEqual(await find('monstera'), [id]);
    await ana.ok('update_task', { id, description: 'Every Thursday, with the philodendron.' });
    assert.deepEqual(await find('philodendron'), [id]);
    await ana.ok('complete_task', { id, note: 'Done with rainwaterx.' });
    assert.deepEqual(await find('monstera'), [id]);
    await ana.ok('delete_task', { id });
    assert.deepEqual(await find('monstera'), []);
    assert.deepEqual(await find('philodendron'), []);
  });

  test('search_all finds both kinds, says which, and takes one kind alone', async () => {
    const ticket = await ana.ticket('Aquarium leaks');
    const task = await ana.task('Order a new aquarium', { ticket_id: ticket });
    const { hits } = await ana.ok('search_all', { query: 'aquarium' });
    assert.deepEqual(
      new Map(hits.map((hit) => [hit.id, hit.type])),
      new Map([
        [ticket, 'ticket'],
        [task, 'task'],
      ]),
    );
    for (const [types, id] of [
      [['ticket'], ticket],
      [['task'], task],
    ])
      assert.deepEqual(
        (await ana.ok('search_all', { query: 'aquarium', types })).hits.map((hit) => hit.id),
        [id],
      );
    assert.ok(!(await ana.find('aquarium')).includes(task), 'search_tickets finds tickets only');
  });

  test('find_similar_tickets: the twin first, never the ticket itself', async () => {
    const id = await ana.ticket('Coffee machine on floor 2 leaks water', { description: 'A puddle every morning.' });
    const twin = await ana.ticket('Water leaks from coffee machine', { description: 'Floor 2, puddle.' });
    await ana.ticket('Floor 2 needs new chairs');
    const similar = (await ana.ok('find_similar_tickets', { ticket_id: id })).hits.map((hit) => hit.id);
    assert.equal(similar[0], twin);
    assert.ok(!similar.includes(id));
    const byText = (await ana.ok('find_similar_tickets', { text: 'our coffee machine leaks', limit: 2 })).hits;
    assert.deepEqual(new Set(byText.map((hit) => hit.id)), new Set([id, twin]));
    await ana.ok('set_ticket_status', { id: twin, status: 'resolved', resolution: 'fixed' });
    const unresolved = await ana.ok('find_similar_tickets', { ticket_id: id, status: 'unresolved' });
    assert.ok(!unresolved.hits.some((hit) => hit.id === twin));
  });

  test('after a restart', async () => {
    const id = await ana.ticket('Lighthouse without light');
    await suite.host.stop();
    await suite.host.restart();
    assert.deepEqual(await ana.find('lighthouse'), [id]);
  });

  test('reindex while others search and write: nothing is missing at any moment', async () => {
    const id = await ana.ticket('Zeppelin in the yard');
    const before = await ana.ok('search_tickets', { query: 'lamp', limit: 1 });
    let isRunning = true;
    let searches = 0;
    const searcher = async (client) => {
      for (let i = 0; isRunning; i += 1) {
        assert.deepEqual(await ana.find('zeppelin'), [id]);
        assert.equal((await ana.ok('search_tickets', { query: 'lamp', limit: 1 })).total, before.total);
        const word = `dirigible${client}n${i}`;
        const fresh = await ana.ticket(`Mooring ${word}`);
        assert.deepEqual(await ana.find(`"${word}"`), [fresh]);
        searches += 3;
      }
    };
    const searchers = Promise.all(Array.from({ length: 4 }, (_, client) => searcher(client)));
    try {
      for (let round = 0; round < 3; round += 1) {
        await suite.reindex('writes');
      }
      const everyTenant = await command(suite.host, ['reindex'], { limit: 120_000 });
      assert.equal(everyTenant.code, 0, everyTenant.stderr + everyTenant.stdout);
    } finally {
      isRunning = false;
      await searchers;
    }
    assert.ok(searches > 10, `${searches} searches meanwhile`);
    assert.deepEqual(await ana.find('zeppelin'), [id]);
  });
});
