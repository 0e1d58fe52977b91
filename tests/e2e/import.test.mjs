// Import and export: every row becomes one ticket, whatever interrupts it; what is refused is said by row; what was
// exported is what is imported elsewhere.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BINARY, eventually, SLOWNESS, sleep, sql } from './support/host.mjs';
import { command, Desk, helpdeskForSuite, keyOf, REF, startHelpdesk } from './support/helpdesk.mjs';
import { listAll } from './support/many.mjs';
import { Dice } from './support/random.mjs';

const ROWS = 12_000;
const OK = 0;
const SOME_REFUSED = 1;
const USAGE = 2;
const TENANTS = ['small', 'csv', 'dry', 'bad', 'refs', 'source', 'target', 'killed', 'searched', 'twice', 'named'];

const jsonl = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** What the report of an import says: {accepted, unchanged, refused}. */
function countsIn({ stdout }) {
  const found = /([\d,]+) accepted, ([\d,]+) unchanged, ([\d,]+) refused/.exec(stdout);
  assert.ok(found, `a report: ${stdout}`);
  const [accepted, unchanged, refused] = found.slice(1).map((number) => Number(number.replaceAll(/\D/g, '')));
  return { accepted, unchanged, refused };
}

describe('import', { timeout: 600_000 * SLOWNESS }, () => {
  let suite, host;

  before(async () => {
    suite = await helpdeskForSuite({ tenants: TENANTS.map((name) => ({ name, time_zone: 'Europe/Berlin' })) });
    host = suite.host;
  });
  after(() => suite?.stop());

  const desk = async (tenant) => new Desk(host, await keyOf(host, 'ana@acme.example', tenant));
  const file = async (name, text) => {
    const path = join(host.directory, name);
    await writeFile(path, text);
    return path;
  };
  const load = (tenant, path, ...args) =>
    command(host, ['import', 'tickets', path, '--tenant', tenant, ...args], { limit: 300_000 });
  const exported = async (tenant) => {
    const done = await command(host, ['export', 'tickets', '--tenant', tenant], { limit: 300_000 });
    assert.equal(done.code, OK, done.stderr);
    return done.stdout
      .trimEnd()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };

  test('JSONL: rows become tickets with their fields, findable at once; a second time nothing changes', async () => {
    const ana = await desk('small');
    const path = await file(
      'small.jsonl',
      jsonl([
        {
          id: 'OLD-1',
          summary: 'Printer jams',
          text: 'Every third sheet, says Zbigniew.',
          status: 'RESOLVED',
          resolution: 'FIXED',
          priority: 'P1',
          created: '2020-01-02 17:14:21+00:00',
          tags: ['Printer'],
          requester: 'zoe@acme.example',
        },
        { _id: 'OLD-2', title: '', text: 'no title here, only a text that goes on\nand on' },
        { id: 'OLD-3', title: 'Third', priority: '--' },
      ]),
    );
    const first = await load('small', path);
    assert.equal(first.code, OK, first.stdout + first.stderr);
    assert.deepEqual(countsIn(first), { accepted: 3, unchanged: 0, refused: 0 });
    const tickets = await listAll(host.url, ana.key, { response_format: 'detailed' });
    const byTitle = new Map(tickets.map((ticket) => [ticket.title, ticket]));
    const printer = byTitle.get('Printer jams');
    assert.match(printer.id, REF);
    assert.deepEqual(
      [printer.status, printer.resolution, printer.priority, printer.tags, printer.requester],
      ['resolved', 'fixed', 'urgent', ['printer'], 'zoe@acme.example'],
    );
    assert.equal(new Date(printer.created_at).toISOString(), '2020-01-02T17:14:21.000Z');
    assert.ok(byTitle.has('no title here, only a text that goes on'), [...byTitle.keys()].join());
    assert.equal(byTitle.get('Third').priority, 'normal');
    assert.deepEqual(await ana.find('zbigniew'), [printer.id]);

    const again = await load('small', path);
    assert.deepEqual(countsIn(again), { accepted: 0, unchanged: 3, refused: 0 });
    assert.equal((await listAll(host.url, ana.key)).length, 3);
    const otherSource = await load('small', path, '--source', 'elsewhere');
    assert.deepEqual(countsIn(otherSource), { accepted: 3, unchanged: 0, refused: 0 }, 'ids count within a source');
  });

  test('CSV: quotes, line breaks, semicolons, a byte order mark, odd columns by --map', async () => {
    const ana = await desk('csv');
    const path = await file(
      'export.csv',
      '\ufeffNummer;Betreff;Beschreibung;Prio\r\n' +
        '1;"Drucker ""Zeus"" druckt; nicht";"erste Zeile\r\nzweite Zeile";high\r\n' +
        '2;Überstunden;Ärger mit der Zeiterfassung;low\r\n',
    );
    const maps = ['title=Betreff', 'description=Beschreibung', 'priority=Prio'];
    const done = await load('csv', path, ...maps.flatMap((map) => ['--map', map]));
    assert.equal(done.code, OK, done.stdout + done.stderr);
    assert.deepEqual(countsIn(done), { accepted: 2, unchanged: 0, refused: 0 });
    const tickets = await listAll(host.url, ana.key, { response_format: 'detailed' });
    assert.deepEqual(
      new Set(tickets.map((ticket) => ticket.title)),
      new Set(['Drucker "Zeus" druckt; nicht', 'Überstunden']),
    );
    const { ticket } = await ana.ok('get_ticket', { id: tickets.find((one) => /Zeus/.test(one.title)).id });
    assert.equal(ticket.description.replaceAll('\r\n', '\n'), 'erste Zeile\nzweite Zeile');
    assert.equal(ticket.priority, 'high');

    const wrong = await load('csv', path, '--map', 'title=Betref');
    assert.equal(wrong.code, USAGE);
    assert.match(wrong.stderr, /Betref.*did you mean 'Betreff'/);
  });

  test('rows that are not taken for their id are told by what they share it with', async () => {
    const rows = (word) => Array.from({ length: 600 }, (_, i) => ({ id: i, title: `${word} ${i}` }));
    const path = await file('named.jsonl', jsonl([...rows('first'), { id: 3, title: 'another' }]));
    for (const args of [['--dry-run'], []]) {
      const first = await load('named', path, ...args);
      assert.deepEqual(countsIn(first), { accepted: 600, unchanged: 1, refused: 0 });
      assert.match(first.stdout, /^1 row has an id that came before in this file \(line 601\)/m);
      assert.doesNotMatch(first.stdout, /earlier import/);
    }
    await file('named.jsonl', jsonl(rows('second')));
    const second = await load('named', path);
    assert.deepEqual(countsIn(second), { accepted: 0, unchanged: 600, refused: 0 });
    assert.match(
      second.stdout,
      /^All rows were there already, from an earlier import of source named\.jsonl; give --source NAME/m,
    );
    await file('named.jsonl', jsonl(Array.from({ length: 4 }, (_, i) => ({ id: 598 + i, title: `third ${i}` }))));
    assert.match((await load('named', path)).stdout, /^2 rows were there already, from an earlier import of/m);
  });

  test('a dry run says the same and writes nothing', async () => {
    const ana = await desk('dry');
    const path = await file(
      'dry.jsonl',
      jsonl([
        { id: 1, title: 'one' },
        { id: 2, title: 'two', priority: 'purple' },
      ]),
    );
    const dry = await load('dry', path, '--dry-run');
    assert.equal(dry.code, SOME_REFUSED, dry.stdout);
    assert.deepEqual(countsIn(dry), { accepted: 1, unchanged: 0, refused: 1 });
    assert.match(dry.stdout, /nothing was written/);
    assert.equal((await ana.ok('list_tickets', { status: 'all' })).total, 0);
    assert.deepEqual(countsIn(await load('dry', path)), { accepted: 1, unchanged: 0, refused: 1 });
  });

  test('bad rows are refused one by one, with line and reason; the others are in', async () => {
    const ana = await desk('bad');
    const lines = [
      '{"id":"a","title":"good"}',
      '{"id":"b","title":"broken"',
      '[1,2]',
      '{"id":"c","title":"wrong status","status":"purple"}',
      '{"id":"d"}',
      `{"id":"e","title":"${'x'.repeat(1_100_000)}"}`,
      '{"id":"f","title":"bad date","created":"yesterday"}',
      '{"id":"g","title":"nul \\u0000 inside","text":"a\\u0000b"}',
      '{"id":"h","title":"also good","text":"\\u202e"}',
      '\ufffd\u0001',
    ];
    const path = await file('bad.jsonl', `${lines.join('\n')}\n`);
    const refusedFile = join(host.directory, 'refused.jsonl');
    const done = await load('bad', path, '--refused', refusedFile);
    assert.equal(done.code, SOME_REFUSED, done.stderr);
    const counts = countsIn(done);
    assert.equal(counts.accepted + counts.refused, lines.length);
    const refused = new Map(
      (await readFile(refusedFile, 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map((row) => [row.line, row]),
    );
    assert.equal(refused.size, counts.refused);
    for (const [line, reason] of [
      [2, /JSON/i],
      [3, /object/i],
      [4, /purple.*open/is],
      [5, /title|description/i],
      [6, /1100000 characters; at most 20000/],
      [7, /yesterday/],
      [10, /JSON/i],
    ])
      assert.match(refused.get(line)?.reason ?? `line ${line} was taken`, reason);
    const titles = (await listAll(host.url, ana.key)).map((ticket) => ticket.title);
    for (const title of ['good', 'also good']) assert.ok(titles.includes(title), title);
    assert.equal(titles.length, counts.accepted);
  });

  test('what cannot be read at all is said before anything is written', async () => {
    for (const [args, code, words] of [
      [['import', 'tickets', '/nowhere/x.jsonl', '--tenant', 'small'], 4, /nowhere/],
      [['import', 'tickets', await file('x.xml', '<a/>'), '--tenant', 'small'], USAGE, /\.csv.*\.jsonl|jsonl/],
      [['import', 'tickts', await file('y.jsonl', '{}\n'), '--tenant', 'small'], 4, /did you mean 'tickets'/],
      [['import', 'tickets', await file('z.jsonl', '{}\n'), '--tenant', 'smal'], 4, /smal/],
      [['import', 'search', await file('v.jsonl', '{}\n'), '--tenant', 'small'], 4, /no import/],
    ]) {
      const done = await command(host, args);
      assert.equal(done.code, code, `${args.join(' ')}: ${done.stderr}`);
      assert.match(done.stderr, words);
    }
  });

  test('an id in our own form is kept when it is free', async () => {
    const ana = await desk('refs');
    const path = await file('refs.jsonl', jsonl([{ id: 'ABC123', title: 'kept' }]));
    assert.equal((await load('refs', path)).code, OK);
    assert.equal((await ana.ok('get_ticket', { id: 'ABC123' })).ticket.title, 'kept');
    assert.equal((await load('refs', path, '--source', 'another system')).code, OK);
    const tickets = await listAll(host.url, ana.key);
    assert.deepEqual(new Set(tickets.map((ticket) => ticket.title)), new Set(['kept']));
    assert.equal(new Set(tickets.map((ticket) => ticket.id)).size, 2, 'the second one got another id');
  });

  test('export into another tenant: the same tickets, with messages, history of status and all', async () => {
    const ana = await desk('source');
    const id = await ana.ticket('Kühlschrank "summt" 🧊', {
      description: 'Zeile 1\nZeile 2 \\ "Zitat"',
      priority: 'urgent',
      category: 'Küche',
      tags: ['küche', 'lärm'],
      assignee: 'ben@acme.example',
      due_at: '2026-12-24',
    });
    await ana.ok('add_note', { id, body: 'Nur intern.' });
    await ana.ok('add_reply', { id, body: 'Wir kommen.\n\nMorgen.', set_status: 'waiting' });
    const second = await ana.ticket('Herd kalt');
    await ana.ok('set_ticket_status', { id: second, status: 'closed', resolution: 'duplicate', duplicate_of: id });
    for (let i = 0; i < 450; i += 1) await ana.ticket(`Serie ${i}`);
    // A thread that has grown for years, longer than the 1 MiB that a line once could have.
    await sql(
      await host.command('db', 'url'),
      `insert into tickets.ticket_messages (tenant_id, ticket, number, visibility, body, author, author_role, created_via)
       select tenant_id, ref, 1000 + i, 'internal', i || repeat(' Wort', 300), 'ana@acme.example', 'staff', 'test'
         from tickets.tickets, generate_series(1, 1200) i where ref = '${second}'`,
    );

    const path = join(host.directory, 'source.jsonl');
    const out = await command(host, ['export', 'tickets', '--tenant', 'source', '--output', path]);
    assert.equal(out.code, OK, out.stderr);
    const done = await load('target', path);
    assert.equal(done.code, OK, done.stdout + done.stderr);
    assert.deepEqual(countsIn(done), { accepted: 452, unchanged: 0, refused: 0 });
    assert.deepEqual(countsIn(await load('target', path)), { accepted: 0, unchanged: 452, refused: 0 });

    const there = await desk('target');
    for (const ticket of [id, second]) {
      const [one, other] = await Promise.all(
        [ana, there].map((desk) => desk.ok('get_ticket', { id: ticket, response_format: 'detailed' })),
      );
      for (const field of Object.keys(one.ticket).filter((name) => !['version', 'updated_at'].includes(name)))
        assert.deepEqual(other.ticket[field], one.ticket[field], field);
      const said = (read) =>
        read.messages.map(({ visibility, author, body, created_at }) => ({ visibility, author, body, created_at }));
      assert.deepEqual(said(other), said(one));
    }
    const rows = (list) => new Map(list.map((row) => [row.id, { ...row }]));
    const [before, behind] = [rows(await exported('source')), rows(await exported('target'))];
    assert.deepEqual([...behind.keys()].toSorted(), [...before.keys()].toSorted());
  });

  // ---- Interrupted

  const bigRows = () => {
    const dice = new Dice(7);
    const words = 'printer network password reset invoice laptop screen broken slow floor again'.split(' ');
    const text = (length) => Array.from({ length }, () => dice.pick(words)).join(' ');
    return Array.from({ length: ROWS }, (_, i) => ({ id: `N-${i}`, title: `${text(4)} ${i}`, description: text(30) }));
  };

  /** Starts an import and ends it with SIGKILL once `until` is true: whether it was killed before its end. */
  async function killed(tenant, path, until) {
    const args = ['import', 'tickets', path, '--tenant', tenant, ...host.configArgs, '--data-dir', host.dataDir];
    const child = spawn(BINARY, args, { stdio: 'ignore' });
    const ended = new Promise((done) => child.once('close', (code, signal) => done(signal)));
    let hasEnded = false;
    ended.then(() => (hasEnded = true));
    try {
      while (!hasEnded && !(await until())) await sleep(5);
    } finally {
      child.kill('SIGKILL');
    }
    return (await ended) === 'SIGKILL';
  }

  /** Every row has exactly one ticket, and no ticket is without a row. */
  async function assertExact(tenant, rows) {
    const titles = (await exported(tenant)).map((row) => row.title);
    assert.equal(titles.length, rows.length);
    assert.deepEqual(titles.toSorted(), rows.map((row) => row.title).toSorted());
  }

  test('killed with SIGKILL again and again while the host serves, and resumed: exact, none twice', async (t) => {
    const rows = bigRows();
    const path = await file('killed.jsonl', jsonl(rows));
    const url = await host.command('db', 'url');
    const count = async () =>
      Number(
        await sql(
          url,
          "select count(*) from tickets.tickets join toolhost.tenants on id = tenant_id where name = 'killed'",
        ),
      );
    const seen = [];
    for (let next = 400; next < ROWS && seen.length < 6; next = seen.at(-1) + 1500) {
      if (!(await killed('killed', path, async () => (await count()) >= next))) break;
      seen.push(await count());
    }
    t.diagnostic(`killed with ${seen.join(', ')} of ${ROWS} tickets`);
    assert.ok(seen.length >= 2 && seen[0] < ROWS, 'the kills came in the middle');
    const done = await load('killed', path);
    assert.equal(done.code, OK, done.stdout + done.stderr);
    const counts = countsIn(done);
    assert.equal(counts.accepted + counts.unchanged, ROWS);
    assert.ok(counts.unchanged >= seen.at(-1), 'what was in was not done again');
    await assertExact('killed', rows);
    const ana = await desk('killed');
    assert.equal(
      (await ana.ok('search_tickets', { query: `"${rows.at(-1).title}"` })).hits[0].title,
      rows.at(-1).title,
    );
  });

  test('search answers while an import runs, with what was there before and with what is in', async () => {
    const ana = await desk('searched');
    const id = await ana.ticket('Needle in the haystack');
    const path = await file('searched.jsonl', jsonl(bigRows().slice(0, 8000)));
    let isRunning = true;
    const loading = load('searched', path).finally(() => (isRunning = false));
    let searches = 0;
    for (; isRunning; searches += 1) {
      assert.deepEqual(await ana.find('needle'), [id]);
      await sleep(50);
    }
    assert.equal((await loading).code, OK);
    assert.ok(searches > 5, `${searches} searches meanwhile`);
  });

  test('two imports of one file at the same time make every ticket once', async () => {
    const rows = bigRows().slice(0, 3000);
    const path = await file('twice.jsonl', jsonl(rows));
    const [one, other] = await Promise.all([load('twice', path), load('twice', path)]);
    for (const done of [one, other]) assert.equal(done.code, OK, done.stdout + done.stderr);
    assert.equal(countsIn(one).accepted + countsIn(other).accepted, rows.length);
    await assertExact('twice', rows);
  });

  test('killed with SIGKILL while no host runs: its database ends with it, and the next one goes on', async (t) => {
    const own = await startHelpdesk(t, { tenants: [{ name: 'stopped' }] });
    await own.stop();
    const rows = bigRows();
    const path = join(own.directory, 'stopped.jsonl');
    await writeFile(path, jsonl(rows));
    const args = ['import', 'tickets', path, '--tenant', 'stopped'];
    for (const wait of [1500, 2500]) {
      const child = spawn(BINARY, [...args, ...own.configArgs, '--data-dir', own.dataDir], { stdio: 'ignore' });
      const ended = new Promise((done) => child.once('close', (code, signal) => done(signal)));
      await sleep(wait * SLOWNESS);
      child.kill('SIGKILL');
      t.diagnostic(`after ${wait} ms: ${(await ended) ?? 'it had ended'}`);
      await eventually('PostgreSQL ends with the import', async () => !(await own.postmaster()), { limit: 30_000 });
    }
    const done = await command(own, args, { limit: 300_000 });
    assert.equal(done.code, OK, done.stdout + done.stderr);
    const counts = countsIn(done);
    assert.equal(counts.accepted + counts.unchanged, ROWS);
    const out = await command(own, ['export', 'tickets', '--tenant', 'stopped'], { limit: 300_000 });
    const titles = out.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).title);
    assert.deepEqual(titles.toSorted(), rows.map((row) => row.title).toSorted());
    await own.restart();
    const ana = new Desk(own, await keyOf(own, 'ana@acme.example', 'stopped'));
    assert.ok((await ana.find('printer network')).length > 0);
  });
});
