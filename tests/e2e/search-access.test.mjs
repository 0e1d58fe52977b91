// What search must not tell: internal notes to viewers, anything to other tenants; and the plugins it knows nothing of.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { command, Desk, keyOf, startHelpdesk } from './support/helpdesk.mjs';
import { textOf } from './support/raw.mjs';
import { buildOutsidePlugins } from './support/outside.mjs';
import { ANA, countsOf, MEMBERS, searchSuite, VERA } from './support/search.mjs';

describe('search: who may find what', { timeout: 600_000 * SLOWNESS }, () => {
  const suite = searchSuite('notes', 'other');

  suite.bothWays('notes', (tenant, settle) => {
    test('internal notes do not reach a viewer, in hits, snippets, facets, totals or corrections', async () => {
      const [ana, vera] = [await suite.desk(tenant), await suite.desk(tenant, VERA)];
      const secret = 'chrysanthemum';
      const hidden = await ana.ticket('Unremarkable one', { category: 'Hidden', tags: ['quiet'] });
      await ana.ok('add_note', { id: hidden, body: `Suspected ${secret} embezzlement by the treasurer.` });
      const mixed = await ana.ticket('Garden invoice', { description: 'Tulips for the lobby.' });
      await ana.ok('add_note', { id: mixed, body: `Tulips and ${secret} were never delivered.` });
      await ana.ok('set_ticket_status', {
        id: mixed,
        status: 'waiting',
        waiting_on: 'third_party',
        comment: `Asked about the ${secret} bill.`,
        visibility: 'internal',
      });
      await settle();

      assert.deepEqual(new Set(await ana.find(secret)), new Set([hidden, mixed]));
      const staff = (await ana.ok('search_tickets', { query: secret })).hits;
      assert.ok(staff.every((hit) => hit.snippet.toLowerCase().includes(secret)));

      const facets = ['status', 'priority', 'category', 'assignee', 'tag'];
      for (const [tool, args] of [
        ['search_tickets', { query: secret, facets }],
        ['search_tickets', { query: `"${secret}"`, facets }],
        ['search_tickets', { query: `"${secret} embezzlement"`, facets }],
        ['search_tickets', { query: 'embezzlement treasurer', facets }],
        ['search_tickets', { query: secret, in: ['messages'], facets }],
        ['search_tickets', { query: secret, mode: 'all_words' }],
        ['search_tickets', { query: 'chrysanthemun', facets }],
        ['search_tickets', { query: 'crysanthemum' }],
        ['search_all', { query: secret }],
        ['search_all', { query: 'chrysanthemun' }],
        ['find_similar_tickets', { text: `${secret} embezzlement by the treasurer` }],
      ]) {
        const result = await vera.call(tool, args);
        const what = `${tool} ${JSON.stringify(args)}: ${textOf(result)}`;
        assert.notEqual(result.isError, true, what);
        assert.deepEqual(result.structuredContent.hits, [], what);
        assert.equal(result.structuredContent.total ?? 0, 0, what);
        assert.deepEqual(
          Object.values(result.structuredContent.facets ?? {}).map((facet) => countsOf(facet).size),
          Object.values(result.structuredContent.facets ?? {}).map(() => 0),
          what,
        );
        const { corrected_query: corrected, did_you_mean: meant } = result.structuredContent;
        for (const said of [corrected, meant].flat().filter(Boolean))
          assert.ok(!/chrysanthemum|embezzl/.test(said), `the correction tells the word: ${said}`);
      }
      const tulips = await vera.call('search_tickets', {
        query: `tulips ${secret}`,
        response_format: 'detailed',
        facets,
      });
      assert.deepEqual(
        tulips.structuredContent.hits.map((hit) => hit.id),
        [mixed],
      );
      assert.equal(tulips.structuredContent.total, 1);
      assert.doesNotMatch(JSON.stringify(tulips.structuredContent.hits), /chrysanthemum|delivered/i);
      const exclusion = await vera.find(`tulips -${secret}`);
      assert.deepEqual(exclusion, [mixed], 'an exclusion does not tell either');
      const similar = await vera.ok('find_similar_tickets', { ticket_id: mixed });
      assert.ok(!similar.hits.some((hit) => hit.id === hidden), 'similarity does not tell either');
    });
  });

  test('tenants: neither hits, totals nor corrections cross', async () => {
    const [ana, other] = [await suite.desk('notes'), await suite.desk('other')];
    const id = await ana.ticket('Rhododendron by the entrance', { tags: ['azalea'] });
    await ana.task('Prune the rhododendron');
    const own = await other.ticket('Gate by the entrance');
    for (const query of ['rhododendron', 'rododendron', 'azalea', id, `"by the entrance" rhododendron`]) {
      const result = await other.call('search_tickets', { query, facets: ['tag'] });
      const text = JSON.stringify(result.structuredContent);
      assert.ok(!text.includes(id) && !/azalea":|"azalea"/.test(text), text);
      assert.ok(!/rhododendron/i.test(result.structuredContent.corrected_query ?? ''), 'vocabularies are apart');
      assert.ok(result.structuredContent.hits.every((hit) => hit.id === own));
    }
    assert.deepEqual((await other.ok('search_all', { query: 'rhododendron' })).hits, []);
    assert.match(await other.refused('find_similar_tickets', { ticket_id: id }), /not found/);
    const page = await ana.ok('search_tickets', { query: 'rhododendron or tulips or unremarkable', limit: 1 });
    assert.ok(page.next_cursor);
    await other.refused('search_tickets', {
      query: 'rhododendron or tulips or unremarkable',
      limit: 1,
      cursor: page.next_cursor,
    });
  });
});

describe('search: plugins from outside', { timeout: 600_000 * SLOWNESS }, () => {
  test('one that exports search_documents is found by search_all, without a change to search', async (t) => {
    const directory = await buildOutsidePlugins(t);
    const host = await startHelpdesk(t, {
      files: [`${directory}/outside_articles.so`],
      tenants: [{ name: 'demo', members: MEMBERS }, { name: 'other' }],
    });
    const ana = new Desk(host, await keyOf(host, ANA));
    const vera = new Desk(host, await keyOf(host, VERA));
    const write = (article) => ana.ok('outside_write_article', article);
    await write({
      id: 'KB-1',
      title: 'How to reset a kaleidoscope',
      body: 'Turn it round.',
      remarks: 'Costs a fortune.',
    });
    const ticket = await ana.ticket('Kaleidoscope shows nothing');

    const found = async (desk, query, args = {}) => (await desk.ok('search_all', { query, ...args })).hits;
    const hits = await found(ana, 'kaleidoscope');
    assert.deepEqual(
      new Map(hits.map((hit) => [hit.id, hit.type])),
      new Map([
        ['KB-1', 'article'],
        [ticket, 'ticket'],
      ]),
    );
    assert.equal(hits.find((hit) => hit.id === 'KB-1').title, 'How to reset a kaleidoscope');
    assert.deepEqual((await found(ana, 'kaleidascope')).length, 2, 'typos are corrected from its words, too');
    assert.deepEqual(
      (await found(ana, 'fortune')).map((hit) => hit.id),
      ['KB-1'],
    );
    assert.deepEqual(await found(vera, 'fortune'), [], 'its internal texts stay internal');

    await write({ id: 'KB-1', title: 'How to reset a stereoscope' });
    assert.deepEqual(
      (await found(ana, 'stereoscope')).map((hit) => hit.id),
      ['KB-1'],
    );
    assert.deepEqual(
      (await found(ana, '"kaleidoscope"')).map((hit) => hit.id),
      [ticket],
    );
    assert.deepEqual(await ana.find('stereoscope'), [], 'search_tickets still finds tickets only');
    await ana.ok('outside_remove_article', { id: 'KB-1' });
    assert.deepEqual(await found(ana, 'stereoscope'), []);

    await write({ id: 'KB-2', title: 'Gyroscope basics' });
    assert.equal((await command(host, ['reindex'], { limit: 120_000 })).code, 0);
    assert.deepEqual(
      (await found(ana, 'gyroscope')).map((hit) => hit.id),
      ['KB-2'],
    );
    const other = new Desk(host, await keyOf(host, ANA, 'other'));
    assert.deepEqual(await found(other, 'gyroscope'), []);
  });

  test('without the tasks plugin, search serves what there is', async (t) => {
    const config = JSON.stringify({
      plugins: [{ file: 'tickets.so' }, { file: 'search.so' }],
      tenants: [{ name: 'demo' }],
    });
    const host = await startHelpdesk(t, { config });
    const ana = new Desk(host, await keyOf(host, ANA));
    const id = await ana.ticket('Metronome is late');
    assert.deepEqual(await ana.find('metronome'), [id]);
    assert.deepEqual(
      (await ana.ok('search_all', { query: 'metronome' })).hits.map((hit) => hit.id),
      [id],
    );
  });
});
