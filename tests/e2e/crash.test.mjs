// kill -9 in the middle of 1,000 creates: what was answered is there, nothing is there twice, and service comes back
// by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually, Host } from './support/host.mjs';
import { callTool } from './support/raw.mjs';
import { createMany, listAll } from './support/many.mjs';

const TOTAL = 1000;
const IN_FLIGHT = 16;

/** Every answered title has exactly one ticket, with the id that was answered; no title has two. */
async function assertNothingLostOrDoubled(host, key, prefix, answered) {
  const byTitle = Map.groupBy(
    (await listAll(host.url, key)).filter((ticket) => ticket.title.startsWith(prefix)),
    (ticket) => ticket.title,
  );
  for (const [title, tickets] of byTitle) assert.equal(tickets.length, 1, `${title} exists ${tickets.length} times`);
  for (const [title, id] of answered) assert.equal(byTitle.get(title)?.[0].id, id, `${title} was answered as ${id}`);
  return byTitle.size;
}

describe('crash', { timeout: 300_000 }, () => {
  test('kill -9 of the host loses no answered ticket and doubles none; it serves again within 5 s', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    const many = createMany(host.url, key, 'host killed', TOTAL, IN_FLIGHT);
    await eventually('a third of the creates is answered', () => many.answered.size > TOTAL / 3, {
      every: 1,
      limit: 60_000,
    });

    const killed = performance.now();
    host.process.kill('SIGKILL');
    await host.ended;
    const answeredBefore = new Map(many.answered);
    assert.ok(answeredBefore.size < TOTAL, 'the kill came in the middle');
    await host.restart();
    await eventually(
      'a call succeeds after the restart',
      () =>
        callTool(host.url, key, 'list_tickets', {}).then(
          (r) => !r.isError,
          () => false,
        ),
      { every: 5 },
    );
    const downFor = performance.now() - killed;
    t.diagnostic(
      `killed with ${answeredBefore.size} of ${TOTAL} answered; the restarted host listens after ` +
        `${host.startedIn.toFixed(0)} ms, the first call succeeds ${downFor.toFixed(0)} ms after the kill`,
    );
    assert.ok(downFor < 5_000, `served again after ${downFor.toFixed(0)} ms`);

    await assertNothingLostOrDoubled(host, key, 'host killed', answeredBefore);
    await many.done; // the callers repeat what was not answered, with the same idempotency keys
    assert.equal(await assertNothingLostOrDoubled(host, key, 'host killed', many.answered), TOTAL);
    assert.ok(many.errors.length > 0, 'some calls were cut off by the kill');
  });

  test('kill -9 of PostgreSQL: the host says so and recovers by itself; nothing is lost or doubled', async (t) => {
    const host = await Host.start(t);
    const key = await host.key();
    const many = createMany(host.url, key, 'database killed', TOTAL, IN_FLIGHT);
    await eventually('a third of the creates is answered', () => many.answered.size > TOTAL / 3, {
      every: 1,
      limit: 60_000,
    });

    const pid = await host.postmaster();
    assert.ok(pid > 0, 'PostgreSQL runs');
    const killed = performance.now();
    process.kill(pid, 'SIGKILL');
    const countAtKill = many.answered.size;
    await eventually('creates succeed again', () => many.answered.size > countAtKill + 2 * IN_FLIGHT, {
      every: 2,
      limit: 30_000,
    });
    t.diagnostic(
      `killed with ${countAtKill} of ${TOTAL} answered; ` +
        `creates succeed again after ${(performance.now() - killed).toFixed(0)} ms`,
    );
    await many.done;

    assert.equal(host.hasEnded, false, `the host survived:\n${host.log.slice(-2000)}`);
    assert.notEqual(await host.postmaster(), pid, 'the host started PostgreSQL again');
    assert.equal(await assertNothingLostOrDoubled(host, key, 'database killed', many.answered), TOTAL);
    assert.ok(many.errors.length > 0, 'some calls were cut off by the kill');
    const kinds = [...new Set(many.errors)];
    t.diagnostic(`what callers were told: ${kinds.map((text) => JSON.stringify(text)).join(', ')}`);
    for (const text of kinds) assert.match(text, /database/i, 'the error names what is down');
  });

  for (const [what, otherPid] of [
    [
      'of a process that is gone',
      async () => {
        const child = spawn('true');
        await once(child, 'exit');
        return child.pid;
      },
    ],
    ['of a process that is something else', async () => process.pid],
  ]) {
    test(`a stale postmaster.pid ${what} does not keep the host from starting`, async (t) => {
      const host = await Host.start(t);
      const key = await host.key();
      const { id } = (await callTool(host.url, key, 'create_ticket', { title: 'before' })).structuredContent.ticket;
      const file = join(host.dataDir, 'postgres', 'postmaster.pid');
      const text = await readFile(file, 'utf8');
      const owner = await stat(file);
      await host.stop();
      await writeFile(file, text.replace(/^\d+/, String(await otherPid())), { mode: 0o600 });
      await chown(file, owner.uid, owner.gid);

      await host.restart();
      const read = await callTool(host.url, key, 'get_ticket', { id });
      assert.equal(read.structuredContent.ticket.title, 'before');
    });
  }

  test('/healthz answers while the database hangs; /readyz says 503 then, and 200 when it is back', async (t) => {
    const host = await Host.start(t);
    const status = async (path) => (await fetch(host.url + path)).status;
    assert.deepEqual([await status('/healthz'), await status('/readyz')], [200, 200]);
    const postmaster = await host.postmaster();
    const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
    const database = [postmaster, ...children.trim().split(' ').map(Number)];
    const signal = (name) => database.forEach((pid) => process.kill(pid, name));

    signal('SIGSTOP');
    try {
      await eventually('/readyz says 503', async () => (await status('/readyz')) === 503, { limit: 20_000 });
      assert.equal(await status('/healthz'), 200);
    } finally {
      signal('SIGCONT');
    }
    await eventually('/readyz says 200 again', async () => (await status('/readyz')) === 200, { limit: 20_000 });
  });
});
