// Thousands of calls with arguments made from the tools' own schemas: valid, at the limits, hostile.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SLOWNESS } from './support/host.mjs';
import { ArgumentFuzzer } from './support/fuzz.mjs';
import { Desk, helpdeskForSuite, keyOf, resultChecker } from './support/helpdesk.mjs';
import { INVALID_PARAMS, PARSE_ERROR } from './support/hostile.mjs';
import { ANA, PEOPLE_AND_CATEGORIES } from './support/people.mjs';
import { post, rpc, textOf } from './support/raw.mjs';
import { Dice } from './support/random.mjs';

const SEED = Number(process.env.TOOLHOST_TEST_SEED ?? 42);
const FUZZ_CALLS = Number(process.env.TOOLHOST_TEST_FUZZ_CALLS ?? 10_000);
const IN_FLIGHT = 32;
const HARD_TEXT = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('fuzz', { timeout: 600_000 * SLOWNESS }, () => {
  let suite, host, ana, tools, check;
  before(async () => {
    suite = await helpdeskForSuite({ tenants: PEOPLE_AND_CATEGORIES });
    host = suite.host;
    ana = new Desk(host, await keyOf(host, ANA));
    tools = await ana.tools();
    check = resultChecker(tools);
  });
  after(() => suite?.stop());

  test(`${FUZZ_CALLS} calls made from the schemas (seed ${SEED}): no internal error, the host stays well`, async (t) => {
    const desks = [new Desk(host, await keyOf(host, 'fuzz@acme.example', 'open')), ana];
    const dice = new Dice(SEED);
    const seen = await seedKnown(desks[0]);
    const fuzzer = new ArgumentFuzzer(dice, (tool, parameter) => known(dice, seen, tool, parameter));
    const counts = { ok: 0, refused: 0, protocol: 0 };
    // Made before the first is sent, so that the seed alone decides what they are.
    const calls = Array.from({ length: FUZZ_CALLS }, () => {
      const tool = dice.pick(tools);
      const args = dice.chance(0.005) ? dice.pick([[], 'x', null, 7]) : fuzzer.argumentsOf(tool);
      return { name: tool.name, args, desk: dice.chance(0.8) ? desks[0] : desks[1] };
    });
    const problems = [];
    const worker = async () => {
      while (calls.length > 0 && problems.length < 20) {
        const { name, args, desk } = calls.pop();
        const problem = await oneCall(desk, name, args, counts);
        if (problem) problems.push(`${problem}\n  ${name} ${JSON.stringify(args).slice(0, 1500)}`);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    t.diagnostic(`seed ${SEED}: ${JSON.stringify(counts)}`);
    assert.deepEqual(problems, []);
    assert.ok(counts.ok > FUZZ_CALLS / 20, `many calls succeed: ${JSON.stringify(counts)}`);
    assert.equal(host.hasEnded, false);
    assert.doesNotMatch(host.log, /misbehaved|lost_worker|"level":"(error|critical)"|"outcome":"(internal|timeout)"/);
    await ana.ok('list_tickets', {});
  });

  /** Sends one call; says what is wrong with the answer. */
  async function oneCall(desk, name, args, counts) {
    const answer = await post(host.url, desk.key, rpc('tools/call', { name, arguments: args }));
    const { result, error } = answer.message ?? {};
    if (error) {
      counts.protocol += 1;
      const isObject = args !== null && typeof args === 'object' && !Array.isArray(args);
      if (error.code === INVALID_PARAMS && !isObject) return undefined;
      if (error.code === PARSE_ERROR && /\d{19,}|\de\+?3\d\d/.test(JSON.stringify(args))) return undefined;
      return `JSON-RPC error ${error.code} ${error.message}`;
    }
    if (!result) return `HTTP ${answer.status} ${answer.body.slice(0, 300)}`;
    const text = textOf(result);
    // A refusal repeats what the caller itself sent; everything else may be somebody else's text.
    if (!result.isError && HARD_TEXT.test(text))
      return `control or bidirectional characters in the text: ${JSON.stringify(text)}`;
    if (result.isError) {
      counts.refused += 1;
      if (/internal error|SQLSTATE|syntax error|relation "|\bpg_|constraint|lost while saving/i.test(text)) return text;
      return text.trim().length > 10 ? undefined : `refused in ${JSON.stringify(text)}`;
    }
    counts.ok += 1;
    try {
      check(name, result.structuredContent);
    } catch (invalid) {
      return invalid.message;
    }
    if (text.length > 25_000) return `${text.length} characters of text`;
    return undefined;
  }
});

/** Ids and cursors that the calls can mean. */
async function seedKnown(desk) {
  const seen = { ticket: [], task: [], cursor: [], key: ['k1', 'k2', 'k3'] };
  for (let i = 0; i < 20; i += 1) {
    seen.ticket.push(await desk.ticket(`Printer ${i} shows ERR_CONN_RESET`, { tags: ['printer'] }));
    seen.task.push(await desk.task(`Task ${i}`, { ticket_id: seen.ticket[i] }));
  }
  for (const body of ['one', 'two']) await desk.ok('add_reply', { id: seen.ticket[0], body });
  for (const [tool, args] of [
    ['list_tickets', {}],
    ['list_tasks', {}],
    ['search_tickets', { query: 'printer' }],
    ['ticket_history', { id: seen.ticket[0] }],
  ])
    seen.cursor.push((await desk.ok(tool, { ...args, limit: 1 })).next_cursor);
  seen.cursor.push((await desk.ok('get_ticket', { id: seen.ticket[0], messages_limit: 1 })).messages_cursor);
  return seen;
}

const DATES = ['2026-11-30', '2026-03-29', '2026-10-25T02:30', '2027-01-01T00:00:00Z', '2026-12-31T23:59:59+01:00'];
const PEOPLE = ['me', 'none', 'fuzz@acme.example', 'Ana Lopez', 'Ana'];

function known(dice, seen, tool, parameter) {
  if (!dice.chance(0.9)) return undefined;
  if (/^(due|created|updated)_/.test(parameter)) return dice.pick(DATES);
  if (/^(assignee|requester)$/.test(parameter)) return dice.pick(PEOPLE);
  if (/cursor$/.test(parameter)) return dice.pick(seen.cursor);
  if (parameter === 'idempotency_key') return dice.pick(seen.key);
  if (parameter === 'expected_version') return dice.integer(1, 6);
  if (parameter === 'ticket_id' || parameter === 'duplicate_of') return dice.pick(seen.ticket);
  if (parameter === 'id') return dice.pick(/task/.test(tool) ? seen.task : seen.ticket);
  return undefined;
}
