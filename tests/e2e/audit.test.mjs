// The audit: every answered call has its record, whatever ends the host; nobody changes it unnoticed.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { command } from './support/helpdesk.mjs';
import { eventually, Host, sleep, sql } from './support/host.mjs';
import { buildOutsidePlugins } from './support/outside.mjs';
import { Dice } from './support/random.mjs';
import { callTool, post, rpc, textOf } from './support/raw.mjs';

/** Calls of the test that kills the host; 100,000 takes some minutes. */
const CALLS = Number(process.env.TOOLHOST_TEST_AUDITED_CALLS ?? 5_000);
const KILLS = Math.max(4, Math.round(CALLS / 5_000));

describe('audit', { timeout: 1_800_000 }, () => {
  const cleanups = [];
  let plugins;
  before(async () => {
    plugins = await buildOutsidePlugins({ after: (cleanup) => cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const start = (t, tenant = {}) =>
    Host.start(t, {
      config: JSON.stringify({
        plugins: ['outside_many', 'outside_notes'].map((name) => ({ file: join(plugins, `${name}.so`) })),
        defaults: { limits: { key: { rate: 'off' } } },
        tenants: [{ name: 'demo', ...tenant }],
      }),
    });
  const listed = async (host, ...args) => {
    const { code, stdout, stderr } = await command(host, ['audit', 'list', '--tenant', 'demo', '--json', ...args]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const recordOf = (row) => (typeof row.record === 'string' ? JSON.parse(row.record) : (row.record ?? row));
  const verify = (host) => command(host, ['audit', 'verify', '--tenant', 'demo']);

  test(`${CALLS} calls, the host killed at random points: every answered call has its row, none has two`, async (t) => {
    const seed = Number(process.env.TOOLHOST_TEST_SEED ?? Math.floor(Math.random() * 1e9));
    const dice = new Dice(seed);
    const host = await start(t, { audit: { arguments: 'store' } });
    const key = await host.key();
    const answered = new Set();
    let next = 0;
    const client = async () => {
      while (next < CALLS) {
        const level = `call ${next++}`;
        try {
          const { message } = await post(host.url, key, rpc('tools/call', { name: 'write_00', arguments: { level } }));
          if (message?.result && !message.result.isError) answered.add(level);
        } catch {
          await sleep(20); // no host to answer: it starts again
        }
      }
    };
    const clients = Promise.all(Array.from({ length: 16 }, client));
    // By progress, so that a fast machine is killed as often as a slow one: while calls are written, and anywhere.
    const moments = Array.from({ length: KILLS }, () => dice.integer(1, Math.floor(CALLS * 0.9))).sort((a, b) => a - b);
    for (const moment of moments) {
      await eventually('the calls go on', () => next >= moment, { limit: 600_000, every: 1 });
      await sleep(dice.integer(0, 30));
      await host.stop('SIGKILL');
      await host.restart();
    }
    await clients;

    const url = await host.command('db', 'url');
    const recorded = async () =>
      (await sql(url, `select record::json->'arguments'->>'level' from toolhost.audit where tool = 'write_00'`)).split('\n');
    let rows = [];
    await eventually('the journal is in the database', async () => {
      rows = await recorded();
      const have = new Set(rows);
      return [...answered].every((level) => have.has(level));
    }, { limit: 30_000, every: 500 }); // prettier-ignore
    assert.equal(new Set(rows).size, rows.length, 'no call has two rows');
    t.diagnostic(`seed ${seed}: ${CALLS} calls, ${KILLS} kills, ${answered.size} answered, ${rows.length} rows`);
    assert.ok(answered.size > CALLS / 2, 'most calls are answered');
    const verdict = await verify(host);
    assert.equal(verdict.code, 0, verdict.stdout + verdict.stderr);
  });

  test('one changed byte, one removed row, two rows in the wrong order and a removed end are found', async (t) => {
    const host = await start(t);
    const key = await host.key();
    for (let number = 0; number < 30; number += 1) await callTool(host.url, key, 'write_00', { hours: number });
    await eventually('the rows are there', async () => (await listed(host, '--limit', '100')).length >= 30);
    const url = await host.command('db', 'url');
    const verdict = async (change) => {
      await sql(url, `create table kept as select * from toolhost.audit; ${change}`);
      const { code, stdout, stderr } = await verify(host);
      await sql(url, 'delete from toolhost.audit; insert into toolhost.audit select * from kept; drop table kept;');
      return { code, text: stdout + stderr };
    };
    const demo = "tenant_id = (select id from toolhost.tenants where name = 'demo')";
    const cases = {
      'changed byte': [`update toolhost.audit set record = overlay(record placing 'X' from length(record) - 3 for 1) where ${demo} and sequence = 12`, /12/],
      'removed row': [`delete from toolhost.audit where ${demo} and sequence = 9`, /9.*missing|missing.*9/],
      'swapped rows': [
        `update toolhost.audit a set record = b.record, hash = b.hash from kept b where a.${demo} and b.${demo} and a.sequence in (14, 15) and b.sequence = 29 - a.sequence`,
        /14|15/,
      ],
      'removed end': [`delete from toolhost.audit where ${demo} and sequence > 25`, /26/],
    }; // prettier-ignore
    for (const [name, [change, wanted]] of Object.entries(cases)) {
      const { code, text } = await verdict(change);
      t.diagnostic(`${name}: ${text.trim()}`);
      assert.equal(code, 1, `${name}: ${text}`);
      assert.match(text, wanted, name);
    }
    assert.equal((await verify(host)).code, 0);
  });

  test('a removed history is found: one of a tenant, all of them, and an end whose checkpoint the log told', async (t) => {
    const host = await start(t, {});
    const key = await host.key();
    for (let number = 0; number < 5; number += 1) await callTool(host.url, key, 'write_00', { hours: number });
    const url = await host.command('db', 'url');
    const demo = await sql(url, "select id from toolhost.tenants where name = 'demo'");
    const told = await eventually('a checkpoint is told', () =>
      host.log.split('\n').find((line) => line.includes(`checkpoint of tenant ${demo} at row`)));
    const last = Number(/at row (\d+)/.exec(told)[1]);
    const log = join(host.directory, 'kept.log');
    await writeFile(log, host.log);
    const check = (...args) => command(host, ['audit', 'verify', ...args]);
    const intact = await check('--checkpoints', log);
    assert.equal(intact.code, 0, intact.stdout + intact.stderr);

    await sql(url, `delete from toolhost.audit where tenant_id = ${demo} and sequence >= ${last};
      delete from toolhost.audit_checkpoints where tenant_id = ${demo} and sequence >= ${last};
      update toolhost.audit_heads set sequence = ${last} - 1, hash = coalesce((select hash from toolhost.audit
        where tenant_id = ${demo} and sequence = ${last} - 1), '') where tenant_id = ${demo}`);
    const removed = await check('--checkpoints', log);
    assert.equal(removed.code, 1, removed.stdout + removed.stderr);
    assert.match(removed.stdout, new RegExp(`^demo: rows? .*${last} (is|are) missing, the last of which was sealed`, 'm'));
    const wrong = await check('--checkpoints', join(host.directory, 'host.yaml'));
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, /tells no checkpoint/);

    const remove = (where) =>
      sql(url, ['audit', 'audit_heads', 'audit_checkpoints'].map((table) => `delete from toolhost.${table} ${where};`).join(''));
    await remove(`where tenant_id = ${demo}`);
    const gone = await check();
    assert.equal(gone.code, 1, gone.stdout);
    assert.match(gone.stdout, /^demo: .*the whole chain was removed/m);
    await remove('');
    const empty = await check();
    assert.equal(empty.code, 1, empty.stdout);
    assert.match(empty.stdout, /^\(host\): .*the whole chain was removed/m);
    assert.match(empty.stdout, /^demo: .*the whole chain was removed/m);
  });

  test('a record that is damaged on disk is told as lost, in the log and in the audit', async (t) => {
    const host = await start(t, { audit: { arguments: 'store' } });
    const key = await host.key();
    const goOn = await host.freezeDatabase(t);
    const calls = 60;
    for (let number = 100; number < 100 + calls; number += 1)
      assert.equal(textOf(await callTool(host.url, key, 'write_00', { level: `level ${number}` })), 'done');
    const stopped = host.stop('SIGKILL');
    await sleep(200);
    goOn();
    await stopped;
    const journal = join(host.dataDir, 'audit');
    for (const name of await readdir(journal)) {
      if (!name.endsWith('.seg')) continue;
      const bytes = await readFile(join(journal, name));
      const at = bytes.indexOf('level 130');
      if (at < 0) continue;
      for (let offset = 0; offset < 40; offset += 1) bytes[at - offset] ^= 0xff;
      await writeFile(join(journal, name), bytes);
    }
    await host.restart();
    const url = await host.command('db', 'url');
    const lost = await eventually('it is recorded', () =>
      sql(url, "select record::json->>'count' from toolhost.audit where tenant_id = 0 and kind = 'audit_records_lost'"));
    assert.equal(lost, '1');
    assert.equal(await sql(url, "select count(*) from toolhost.audit where tool = 'write_00'"), String(calls - 1));
    const line = await eventually('it is told', () =>
      host.log.split('\n').find((text) => text.includes('are missing from the audit')));
    assert.match(line, /error.*\.seg\.damaged/);
    assert.doesNotMatch(host.log, /none of these calls was answered/);
    assert.ok((await readdir(journal)).some((name) => name.endsWith('.seg.damaged')));
    assert.match(await host.command('audit', 'list', '--kind', 'audit_records_lost'), /\(host\).*1 x damaged/);
  });

  test('denials and changes of keys and configuration are recorded, with who and why', async (t) => {
    const host = await start(t, { tools: { deny: ['write_01'] } });
    const key = await host.key();
    await post(host.url, key, rpc('tools/call', { name: 'write_01', arguments: {} }));
    await host.command('key', 'disable', key.slice(0, 11));
    await host.command('key', 'delete', key);
    await command(host, ['reload']);
    const rows = await eventually('the records are there', async () => {
      const found = (await listed(host, '--limit', '100')).map(recordOf);
      return ['tool_called', 'key_created', 'key_disabled', 'key_deleted'].every((kind) =>
        found.some((record) => record.kind === kind),
      ) && found;
    }); // prettier-ignore
    const denial = rows.find((record) => record.kind === 'tool_called');
    assert.deepEqual([denial.outcome, denial.reason, denial.tool], ['denied', 'tool', 'write_01']);
    assert.match(denial.place, /host\.yaml:\d+/);
    assert.match(rows.find((record) => record.kind === 'key_deleted').actor, /^cli:/);
    assert.ok(!JSON.stringify(rows).includes(key), 'never a key');
  });

  test('a flood of refused calls becomes some records and a count', async (t) => {
    const host = await start(t, { limits: { key: { rate: '1/h' } } });
    const key = await host.key();
    const CALLS = 600;
    let next = 0;
    const client = async () => {
      while (next++ < CALLS) await post(host.url, key, rpc('tools/call', { name: 'write_00', arguments: {} }));
    };
    await Promise.all(Array.from({ length: 8 }, client));
    const [told, folds] = await eventually('every call is told of', async () => {
      const records = (await listed(host, '--limit', '2000')).map(recordOf);
      const single = records.filter((record) => record.kind === 'tool_called').length;
      const folded = records.filter((record) => record.kind === 'refusals_folded');
      const all = single + folded.reduce((sum, record) => sum + record.count, 0);
      assert.ok(all <= CALLS, `${all}`);
      return all === CALLS && [single, folded];
    }, { limit: 30_000, every: 500 }); // prettier-ignore
    t.diagnostic(`${told} records, ${folds.length} of folded refusals`);
    assert.ok(told > 100 && told < CALLS, `${told}`);
    assert.deepEqual([folds[0].outcome, folds[0].reason, folds[0].tool], ['limit', 'key_rate', 'write_00']);
    assert.equal(folds[0].key, key.slice(0, 11));
    assert.ok(folds[0].since <= folds[0].until);
    const { stdout } = await command(host, ['audit', 'list', '--tenant', 'demo', '--kind', 'refusals_folded']);
    assert.match(stdout, /refusals_folded .*write_00 +limit +\d+ x key_rate/);
  });

  test('arguments are hashed unless the tenant stores them', async (t) => {
    const host = await start(t);
    const key = await host.key();
    await callTool(host.url, key, 'write_00', { level: 'very private' });
    const rows = await eventually('the record is there', async () => {
      const found = (await listed(host, '--tool', 'write_00')).map(recordOf);
      return found.length > 0 && found;
    });
    assert.match(rows[0].arguments.hmac, /^[\w-]{20,}/);
    assert.ok(!JSON.stringify(rows).includes('very private'));
  });

  test('while the database is away nothing is lost', async (t) => {
    const host = await start(t);
    const key = await host.key();
    const url = await host.command('db', 'url');
    const goOn = await host.freezeDatabase(t);
    const done = [];
    for (let number = 0; number < 200; number += 1)
      done.push(textOf(await callTool(host.url, key, 'write_00', { hours: number })));
    goOn();
    assert.ok(done.every((text) => text === 'done'));
    await eventually('all are recorded', async () =>
      (await sql(url, "select count(*) from toolhost.audit where tool = 'write_00'")) === '200', { limit: 20_000 }); // prettier-ignore
  });
});
