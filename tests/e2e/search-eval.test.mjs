// How well the small collection of tests/search_eval is searched; the figures are the program's own.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { BINARY, run, SOURCE_DIR } from './support/host.mjs';

const PROGRAM = join(SOURCE_DIR, 'tests/search_eval/search_eval');

test('search_eval: the small set reaches its targets, with typing errors too', async (t) => {
  const collection = join(SOURCE_DIR, 'tests/search_eval/data/helpdesk');
  const args = [collection, '--typos', '--max-typo-loss', '0.15', '--binary', BINARY];
  const done = await run(PROGRAM, args, { limit: 300_000 });
  t.diagnostic(done.stdout);
  assert.equal(done.code, 0, done.stderr + done.stdout);
});

test('search_eval: a figure below its threshold and a broken collection end with 1 and a sentence', async () => {
  const collection = join(SOURCE_DIR, 'tests/search_eval/data/helpdesk');
  const low = await run(PROGRAM, [collection, '--min-ndcg', '1.01', '--binary', BINARY], { limit: 300_000 });
  assert.equal(low.code, 1);
  assert.match(low.stderr, /nDCG@10 is [01]\.\d+, less than 1\.01/);
  const broken = await run(PROGRAM, [join(SOURCE_DIR, 'docs'), '--binary', BINARY]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /has no corpus\.jsonl/);
});
