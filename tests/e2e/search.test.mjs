// Search as people use it: identifiers in every form, accents, typos, phrases, filters, counts that are true.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { allHits, countsOf, searchSuite, tickets } from './support/search.mjs';
import { textOf } from './support/raw.mjs';

describe('search', { timeout: 600_000 * SLOWNESS }, () => {
  const suite = searchSuite('identifiers', 'language', 'filters', 'paging');

  suite.bothWays('identifiers', (tenant, settle) => {
    let ana, ids;
    before(async () => {
      ana = await suite.desk(tenant);
      ids = await tickets(ana, {
        vpn: ['Tunnel VPN-1234 is down', {}],
        vpnText: ['Cannot work from home', { description: 'The client names vpn-1234 and nothing else.' }],
        reset: ['Page does not load', { description: 'Chrome says ERR_CONN_RESET after a minute.' }],
        model: ['Printer MX3070 is out of toner', {}],
        modelDash: ['Fuser of the MX-3070 is worn', {}],
        code: ['Update fails', { description: 'Windows Update ends with 0x80070005.' }],
        address: ['No route', { description: 'ping 10.0.0.17 gets no answer' }],
        otherAddress: ['No route either', { description: 'ping 10.0.0.18 gets no answer' }],
        mail: ['Mailbox full', { description: 'Bounces from payroll.team@acme.example since noon.' }],
        link: ['Dead link', { description: 'See https://intranet.acme.example/printers/floor-3?id=42 please.' }],
        class: [
          'Batch job dies',
          { description: 'java.lang.NullPointerException at com.acme.PayrollRunner.run(PayrollRunner.java:88)' },
        ],
        version: ['Upgrade', { description: 'Needs OpenSSL 3.0.15 before Friday.' }],
        file: ['Lost file', { description: 'C:\\Users\\ana\\Desktop\\budget_2026-final.xlsx is gone.' }],
        phone: ['Desk phone', { description: 'Extension +49 30 7788-567 rings nowhere.' }],
        filler: ['Chair squeaks', { description: 'Nothing technical at all.' }],
      });
      await settle();
    });

    for (const [query, ...wanted] of [
      ['VPN-1234', 'vpn', 'vpnText'],
      ['vpn-1234', 'vpn', 'vpnText'],
      ['vpn1234', 'vpn', 'vpnText'],
      ['VPN 1234', 'vpn', 'vpnText'],
      ['1234', 'vpn', 'vpnText'],
      ['"VPN-1234"', 'vpn', 'vpnText'],
      ['ERR_CONN_RESET', 'reset'],
      ['err_conn_reset', 'reset'],
      ['err conn reset', 'reset'],
      ['err-conn-reset', 'reset'],
      ['CONN_RESET', 'reset'],
      ['MX3070', 'model', 'modelDash'],
      ['mx-3070', 'model', 'modelDash'],
      ['MX 3070', 'model', 'modelDash'],
      ['3070', 'model', 'modelDash'],
      ['0x80070005', 'code'],
      ['0X80070005', 'code'],
      ['10.0.0.17', 'address'],
      ['10.0.0.18', 'otherAddress'],
      ['payroll.team@acme.example', 'mail'],
      ['PAYROLL.TEAM@ACME.EXAMPLE', 'mail'],
      ['https://intranet.acme.example/printers/floor-3?id=42', 'link'],
      ['NullPointerException', 'class'],
      ['null pointer exception', 'class'],
      ['PayrollRunner.java', 'class'],
      ['OpenSSL 3.0.15', 'version'],
      ['3.0.15', 'version'],
      ['budget_2026-final.xlsx', 'file'],
      ['7788-567', 'phone'],
    ])
      test(`${query} finds ${wanted.join(' and ')} first`, async () => {
        const found = await ana.find(query);
        assert.deepEqual(new Set(found.slice(0, wanted.length)), new Set(wanted.map((name) => ids[name])));
        assert.ok(!found.includes(ids.filler));
      });

    test("a ticket's id alone finds that ticket first, in every form people type", async () => {
      const id = ids.filler;
      await ana.ticket(`Follow-up of ${id}, ${id} and ${id}`, { description: id });
      for (const query of [id, id.toLowerCase(), `#${id}`, `T-${id}`, `  ${id} `]) {
        const found = await ana.ok('search_tickets', { query });
        assert.equal(found.hits[0].id, id, query);
        assert.equal(found.corrected_query, undefined);
      }
      assert.equal((await ana.ok('search_all', { query: id })).hits[0].id, id);
    });
  });

  suite.bothWays('language', (tenant, settle) => {
    let ana, ids;
    before(async () => {
      ana = await suite.desk(tenant);
      ids = await tickets(ana, {
        accents: ['Naïve résumé template', { description: 'The façade of Herr Müller in the Friedrichstraße.' }],
        plain: ['Resume upload is naive', { description: 'facade muller friedrichstrasse' }],
        printers: ['Printers are printing blank pages', { description: 'Several offices.' }],
        password: ['Password reset does not arrive', { description: 'Requested three times.' }],
        wifi: ['Wireless network in the canteen', { description: 'The access point restarts.' }],
        arabic: ['الطابعة في الطابق الثالث لا تعمل', {}],
        japanese: ['プリンターが動かない', {}],
        russian: ['Принтер не печатает', {}],
      });
      await settle();
    });

    for (const query of [
      'naïve résumé',
      'naive resume',
      'NAÏVE RÉSUMÉ',
      'façade',
      'facade',
      'Müller',
      'muller',
      'Friedrichstraße',
      'friedrichstrasse',
    ])
      test(`${query}: with accents and without`, async () => {
        const found = await ana.ok('search_tickets', { query });
        const hits = found.hits.map((hit) => hit.id);
        assert.ok(hits.includes(ids.accents) && hits.includes(ids.plain), `${hits}`);
        assert.equal(found.corrected_query, undefined, 'an accent is no typo');
      });

    test('word forms meet: printer, printing, prints', async () => {
      for (const query of ['printer', 'printing', 'prints'])
        assert.ok((await ana.find(query)).includes(ids.printers), query);
    });

    test('other scripts are found', async () => {
      for (const [query, name] of [
        ['الطابعة', 'arabic'],
        ['プリンターが動かない', 'japanese'],
        ['принтер', 'russian'],
      ])
        assert.ok((await ana.find(query)).includes(ids[name]), query);
    });

    for (const [typo, word, name] of [
      ['pasword reset', 'password', 'password'],
      ['passwrod', 'password', 'password'],
      ['wireles', 'wireless', 'wifi'],
      ['canten', 'canteen', 'wifi'],
      ['printign blakn', 'blank', 'printers'],
    ])
      test(`"${typo}" is corrected, and the answer says so`, async () => {
        const result = await ana.call('search_tickets', { query: typo });
        const found = result.structuredContent;
        assert.equal(found.hits[0]?.id, ids[name], textOf(result));
        assert.ok(found.corrected_query.includes(word), found.corrected_query);
        assert.ok(textOf(result).includes(found.corrected_query), 'the text says so as well');
      });

    test('a word that exists is never replaced, and a phrase not silently', async () => {
      const rare = await ana.ticket('Passwort auf Deutsch');
      const found = await ana.ok('search_tickets', { query: 'passwort' });
      assert.equal(found.hits[0].id, rare);
      assert.equal(found.corrected_query, undefined);
      const quoted = await ana.ok('search_tickets', { query: '"passwrod reset"' });
      const isSaid = Boolean(quoted.corrected_query ?? quoted.warnings);
      assert.equal(quoted.hits.length > 0, isSaid, 'whatever stands in for a phrase is said');
    });

    test('what exists nowhere finds nothing, without an error', async () => {
      const found = await ana.ok('search_tickets', { query: 'qqxyzzyqq' });
      assert.deepEqual([found.hits, found.total], [[], 0]);
    });

    test('one known word is enough for an answer', async () => {
      assert.equal((await ana.find('qqxyzzyqq canteen wwvvuu'))[0], ids.wifi);
    });
  });

  suite.bothWays('filters', (tenant, settle) => {
    let ana, ids;
    const all = { status: 'all', limit: 100 };
    before(async () => {
      ana = await suite.desk(tenant);
      ids = await tickets(ana, {
        phrase: ['Please reset my password', { priority: 'high', category: 'Accounts', tags: ['login'] }],
        exact: ['Password reset mail is missing', { priority: 'urgent', tags: ['login', 'mail'], assignee: 'Ben' }],
        apart: ['Password forgotten, phone reset as well', { description: 'Both since Monday.' }],
        vpn: ['VPN drops in the office', { tags: ['vpn'], requester: 'Ben' }],
        vpnHome: ['VPN drops at home', { tags: ['vpn'], priority: 'low', due_at: '2026-12-01' }],
        scanner: ['Scanner jams', { description: 'The word office is in this text.' }],
        beamer: ['Beamer is dark', { category: 'Hardware' }],
      });
      await ana.ok('set_ticket_status', { id: ids.apart, status: 'resolved', resolution: 'fixed' });
      await ana.ok('add_reply', { id: ids.beamer, body: 'A replacement lamp is ordered.' });
      await settle();
    });

    const same = async (args, ...names) =>
      assert.deepEqual(
        new Set(await ana.find(args.query, { ...all, ...args })),
        new Set(names.map((name) => ids[name])),
      );

    test('a phrase in quotes: these words, adjacent and in this order', () =>
      same({ query: '"password reset"' }, 'exact'));
    test('typographic quotes are quotes', () => same({ query: '“password reset”' }, 'exact'));
    test('a phrase matches its word forms', () => same({ query: '"passwords resets"' }, 'exact'));
    test('minus leaves out', () => same({ query: 'vpn -office' }, 'vpnHome'));
    test('minus before a phrase', () => same({ query: 'password -"password reset"' }, 'phrase', 'apart'));
    test('a dash inside a word is no minus', () => same({ query: 'vpn-office' }, 'vpn', 'vpnHome', 'scanner'));
    test('or', () => same({ query: 'scanner or beamer' }, 'scanner', 'beamer'));
    test('mode all_words', () => same({ query: 'password reset', mode: 'all_words' }, 'phrase', 'exact', 'apart'));
    test('mode phrase', () => same({ query: 'reset my password', mode: 'phrase' }, 'phrase'));
    test('in: title', () => same({ query: 'office', in: ['title'] }, 'vpn'));
    test('in: description', () => same({ query: 'office', in: ['description'] }, 'scanner'));
    test('in: messages', () => same({ query: 'lamp', in: ['messages'] }, 'beamer'));
    test('in: tags', () => same({ query: 'login', in: ['tags'] }, 'phrase', 'exact'));
    test('a tag is found without saying so', () => same({ query: 'login' }, 'phrase', 'exact'));

    test('without a filter every status is found, and the status is in the hit', async () => {
      const { hits } = await ana.ok('search_tickets', { query: 'password reset' });
      assert.equal(hits.find((hit) => hit.id === ids.apart)?.status, 'resolved');
    });

    for (const [filter, ...names] of [
      [{ status: 'unresolved' }, 'phrase', 'exact'],
      [{ status: 'resolved' }, 'apart'],
      [{ status: ['open', 'resolved'] }, 'phrase', 'exact', 'apart'],
      [{ priority: ['urgent', 'high'] }, 'phrase', 'exact'],
      [{ assignee: 'Ben' }, 'exact'],
      [{ assignee: 'none' }, 'phrase', 'apart'],
      [{ tags: ['login', 'mail'] }, 'exact'],
      [{ category: 'Accounts' }, 'phrase'],
      [{ requester: 'me' }, 'phrase', 'exact', 'apart'],
      [{ created_after: '2100-01-01' }],
      [{ created_after: '2026-01-01', created_before: '2100-01-01' }, 'phrase', 'exact', 'apart'],
    ])
      test(`filter ${JSON.stringify(filter)}`, () => same({ query: 'password reset', ...filter }, ...names));

    test('filter by requester and due date', async () => {
      await same({ query: 'vpn', requester: 'Ben' }, 'vpn');
      await same({ query: 'vpn', due_before: '2027-01-01' }, 'vpnHome');
    });

    test('sort by creation and update', async () => {
      const found = await ana.find('vpn or password', { ...all, sort: 'created' });
      assert.deepEqual(
        found,
        ['vpnHome', 'vpn', 'apart', 'exact', 'phrase'].map((name) => ids[name]),
      );
      await ana.ok('update_ticket', { id: ids.vpn, priority: 'high' });
      assert.equal((await ana.find('vpn or password', { ...all, sort: 'updated' }))[0], ids.vpn);
    });

    test('facets count what a filter would find', async () => {
      const facets = ['status', 'priority', 'category', 'assignee', 'tag'];
      const query = 'vpn or password or beamer';
      const found = await ana.ok('search_tickets', { query, ...all, facets });
      assert.deepEqual(new Set(Object.keys(found.facets)), new Set(facets));
      const filterOf = {
        status: 'status',
        priority: 'priority',
        category: 'category',
        assignee: 'assignee',
        tag: 'tags',
      };
      for (const facet of facets) {
        const counts = countsOf(found.facets[facet]);
        assert.ok(counts.size > 0, facet);
        for (const [value, count] of counts) {
          if (value === 'none' && facet !== 'assignee') continue; // there is no filter for it
          const listed = facet === 'priority' || facet === 'tag' ? [value] : value;
          const filtered = await ana.ok('search_tickets', { query, ...all, [filterOf[facet]]: listed });
          assert.equal(filtered.total, count, `${facet} ${value}`);
        }
      }
      const sum = [...countsOf(found.facets.status).values()].reduce((total, count) => total + count, 0);
      assert.equal(sum, found.total);
    });

    test('the snippet shows the hit, not the beginning', async () => {
      const description = `${'It began with nothing special. '.repeat(300)}Then the flux capacitor burst. ${'And so on. '.repeat(300)}`;
      const id = await ana.ticket('Long story', { description });
      const [hit] = (await ana.ok('search_tickets', { query: 'flux capacitor' })).hits;
      assert.equal(hit.id, id);
      assert.match(hit.snippet, /flux.{0,4} .{0,4}capacitor/);
      assert.ok(hit.snippet.length < 400, `${hit.snippet.length} characters`);
      assert.deepEqual(hit.matched_in, ['description']);
    });

    test('markup and control characters in texts stay text', async () => {
      await ana.ticket('Zebra <script>alert(1)</script> \u202etxt', { description: 'zebra **bold** \u0007 <b>x</b>' });
      const result = await ana.call('search_tickets', { query: 'zebra' });
      assert.doesNotMatch(JSON.stringify(result), /\\u202e|\\u0007|\u202e|\u0007/);
    });
  });

  suite.bothWays('paging', (tenant, settle) => {
    test('goes through all hits, each once, and the total is their number', async () => {
      const ana = await suite.desk(tenant);
      const made = [];
      for (let i = 0; i < 137; i += 1)
        made.push(await ana.ticket(`Elevator ${i % 10} stuck`, { description: i % 3 ? 'again' : 'elevator elevator' }));
      await settle();
      for (const args of [
        { query: 'elevator', limit: 10 },
        { query: 'elevator stuck again', limit: 7 },
        { query: 'elevator', limit: 10, sort: 'created' },
        { query: 'elevator', limit: 50, sort: 'updated' },
        { query: '"elevator 7"', limit: 3 },
      ]) {
        const { pages, ids } = await allHits(ana, args);
        assert.equal(new Set(ids).size, ids.length, `${JSON.stringify(args)} repeats`);
        assert.equal(ids.length, pages[0].total, JSON.stringify(args));
        assert.equal(pages[0].total_is_exact, true);
        if (args.query === 'elevator') assert.deepEqual(new Set(ids), new Set(made));
        for (const page of pages.slice(0, -1)) assert.equal(page.hits.length, args.limit);
        assert.deepEqual((await allHits(ana, args)).ids, ids, 'and a second time in the same order');
      }
    });
  });
});
