// `toolhost plugin inspect` and `toolhost plugin validate`: each planted fault is found by the check that is named here,
// the checker lives through all of them, and what we ship passes everything.
import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { before, describe, test } from 'node:test';
import { BINARY, freshDirectory, run, SOURCE_DIR, toolhost, toolhostOk } from './support/host.mjs';

const BUILD_DIR = process.env.TOOLHOST_BUILD_DIR ?? resolve(dirname(BINARY), '..');
const FAULTY = join(BUILD_DIR, 'test-plugins/faulty');
const EXIT = { ok: 0, failed: 1, unusable: 2 };
const faulty = (name) => join(FAULTY, `${name}.so`);

/** The checks that fail for each file of tests/support/plugins/faulty; for some, others may fail beside them. */
const FOUND_BY = {
  // by the bytes of the file
  no_card: ['card-present'],
  other_major: ['card-abi'],
  newer_minor: ['card-abi'],
  stray_export: ['exports-only-entry'],
  library: ['needed-allowlist'],
  rpath: ['no-rpath'],
  execstack: ['no-execstack'],
  text_relocation: ['no-text-relocations'],
  destructor: ['no-static-destructors'],
  static_destructor: ['no-static-destructors'],
  // while it is loaded and entered
  constructor_aborts: ['load-now'],
  undefined_symbol: ['load-now'],
  entry_fails: ['entry-answers'],
  entry_gives_nothing: ['entry-answers'],
  constructor_sleeps: ['load-time'],
  constructor_starts_thread: ['no-threads-at-load', 'quiesce-joins-threads'],
  // by what it declares
  struct_tiny: ['definition-structs'],
  struct_zero: ['definition-structs'],
  struct_huge: ['definition-structs'],
  future_bytes: ['definition-structs'],
  card_differs: ['definition-card'],
  null_name: ['definition-names'],
  duplicate_tool: ['definition-names'],
  invalid_utf8: ['definition-names'],
  null_handler: ['definition-handlers'],
  unknown_flag: ['definition-flags'],
  flags_contradict: ['definition-flags'],
  unknown_service: ['definition-services'],
  schema_not_json: ['schema-json', 'schema-usable'],
  schema_deep: ['schema-depth', 'schema-usable'],
  schema_not_object: ['schema-object'],
  schema_remote_ref: ['schema-local-refs', 'schema-usable'],
  null_tool: ['definition-accepted'],
  definition_changes: ['definition-stable'],
  // while it serves
  create_fails: ['create-and-destroy'],
  throws: ['handlers-answer'],
  longjmps: ['handlers-answer'],
  unknown_status: ['handlers-answer'],
  pushes_nothing: ['handlers-answer'],
  never_returns: ['handlers-answer'],
  exits: ['handlers-answer'],
  stack_overflow: ['handlers-answer'],
  segfault: ['handlers-answer'],
  no_instance: ['handlers-answer'],
  eats_memory: ['handlers-answer'],
  floods_errors: ['handlers-answer'],
  rare_crash: ['handler-fuzz'],
  ignores_cancel: ['handler-cancel', 'handler-deadline'],
  races: ['handler-concurrent'],
  output_differs: ['output-matches-schema'],
  open_json: ['output-matches-schema'],
  malformed_json: ['output-matches-schema'],
  pushes_gibibyte: ['result-bounded'],
  log_flood: ['log-bounded'],
  writes_read_only: ['read-only-respected'],
  sql_commit: ['statements-allowed'],
  sql_set: ['statements-allowed'],
  optional_unchecked: ['services-without-optional'],
  newer_unchecked: ['oldest-host'],
  leaks: ['no-leak-per-call'],
  thread_stays: ['quiesce-joins-threads'],
  forks: ['process-state-kept'],
  hides_process: ['process-state-kept'],
  closes_descriptors: ['process-state-kept'],
  changes_locale: ['process-state-kept'],
  changes_signals: ['process-state-kept'],
  changes_umask: ['process-state-kept'],
  prints: ['process-state-kept'],
};
/** These are allowed, and must be found nowhere. */
const CORRECT = ['none', 'keeps_rows_open'];
/** How a check ends that its plugin has killed. */
const CAUSES = {
  constructor_aborts: /^signal SIGABRT$/,
  longjmps: /^(signal|time limit)/,
  exits: /exit/,
  stack_overflow: /^signal SIGSEGV$/,
  segfault: /^signal SIGSEGV$/,
  no_instance: /^signal SIGSEGV$/,
  eats_memory: /^(memory limit|signal)/,
  rare_crash: /^signal SIGABRT$/,
  newer_unchecked: /^signal SIGSEGV$/,
  optional_unchecked: /^signal SIGSEGV$/,
};

/** {code, checks by id} of one run. */
async function validate(file, ...args) {
  const result = await toolhost(['plugin', 'validate', file, '--json', '--seed', '7', ...args], { limit: 280_000 });
  assert.match(result.stdout, /^\{/, `${file}: ${result.stderr}`);
  const report = JSON.parse(result.stdout);
  return { ...result, report, checks: new Map(report.checks.map((check) => [check.id, check])) };
}

const bad = ({ report }) => report.checks.filter(({ status }) => status === 'failed' || status === 'died');

/** Every check passes, or says why it has nothing to say. */
function assertPasses(result) {
  assert.deepEqual(bad(result), []);
  assert.equal(result.code, EXIT.ok);
  assert.equal(result.report.passed, true);
  for (const check of result.report.checks) if (check.status === 'skipped') assert.notEqual(check.text, '', check.id);
}

describe('plugin validate finds', { concurrency: 2, timeout: 1_800_000 }, () => {
  test('a fault for each file that was made for it, and each check has one', async () => {
    const files = (await readdir(FAULTY)).map((file) => file.replace(/\.so$/, '')).sort();
    assert.deepEqual(files, [...Object.keys(FOUND_BY), ...CORRECT].sort());
    const ids = JSON.parse(await toolhostOk(['plugin', 'validate', '--list', '--json'])).map(({ id }) => id);
    // The next two are found in files that are patched below.
    const planted = new Set([...Object.values(FOUND_BY).flat(), 'card-id', 'glibc-floor']);
    assert.deepEqual(ids.filter((id) => !planted.has(id)), []);
  });

  for (const [name, expected] of Object.entries(FOUND_BY)) {
    test(`${name} by ${expected.join(' and ')}`, async () => {
      const result = await validate(faulty(name));
      assert.equal(result.code, EXIT.failed);
      assert.equal(result.report.passed, false);
      const found = bad(result);
      const ids = found.map(({ id }) => id);
      for (const id of expected) assert.ok(ids.includes(id), `found by ${ids}: ${JSON.stringify(found)}`);
      for (const check of found) assert.ok(check.cure && (check.text || check.cause), JSON.stringify(check));
      const cause = CAUSES[name];
      if (cause) assert.match(result.checks.get(expected[0]).cause, cause);
    });
  }

  test('nothing in what is correct', async () => {
    for (const name of CORRECT) assertPasses(await validate(faulty(name)));
  });
});

describe('plugin validate', { timeout: 900_000 }, () => {
  let directory;
  before(async () => {
    const cleanups = [];
    directory = await freshDirectory({ after: (cleanup) => cleanups.push(cleanup) });
  });

  /** A copy of a correct plugin, changed by `change(bytes)`. */
  async function changed(name, change) {
    const bytes = await readFile(faulty('none'));
    const file = join(directory, `${name}.so`);
    await writeFile(file, change(bytes) ?? bytes);
    return file;
  }

  test('finds what no compiler makes: files cut anywhere, a wrong id, a newer glibc', async () => {
    const { length } = await readFile(faulty('none'));
    for (const size of [0, 63, 64, 512, 4096, Math.floor(length / 2), length - 1]) {
      const file = await changed('cut', (bytes) => bytes.subarray(0, size));
      assert.deepEqual(bad(await validate(file)).map(({ id }) => id), ['card-present'], `cut to ${size}`);
    }
    const wrongId = await changed('wrong_id', (bytes) => {
      bytes.write('Faulty', bytes.indexOf('THCARD1\0') + 24);
    });
    assert.deepEqual(bad(await validate(wrongId)).map(({ id }) => id), ['card-id']);
    const newer = await changed('newer_glibc', (bytes) => {
      bytes.write('GLIBC_2.9.9', bytes.indexOf('GLIBC_2.2.5\0'));
      bytes.write('GLIBC_2.99\0', bytes.indexOf('GLIBC_2.9.9\0'));
    });
    const found = bad(await validate(newer));
    assert.deepEqual(found.map(({ id }) => id), ['glibc-floor']);
    assert.match(found[0].text, /GLIBC_2\.99.*2\.36/);
    const inspected = await toolhost(['plugin', 'inspect', newer]);
    assert.equal(inspected.code, EXIT.failed);
    assert.match(inspected.stdout, /needs glibc 2\.99, this machine has/);
  });

  for (const name of ['tickets', 'tasks', 'search']) {
    test(`passes ${name}, and every check has something to say of it`, async () => {
      const file = join(BUILD_DIR, 'plugins', `${name}.so`);
      const result = await validate(file);
      assertPasses(result);
      assert.deepEqual(result.report.checks.filter(({ status }) => status !== 'passed'), []);
    });
  }

  test('passes what authors begin with: the templates, built against the package', async () => {
    const must = async (...args) => {
      const result = await run('cmake', args, { limit: 180_000 });
      assert.equal(result.code, 0, `cmake ${args.join(' ')}\n${result.stdout}${result.stderr}`);
    };
    const prefix = join(directory, 'prefix');
    await must('--install', BUILD_DIR, '--component', 'plugin-api', '--prefix', prefix);
    for (const language of ['c', 'cpp']) {
      const source = join(SOURCE_DIR, 'plugin-api/template', language);
      const build = join(directory, `build-${language}`);
      const compilers = ['-DCMAKE_C_COMPILER=clang-19', '-DCMAKE_CXX_COMPILER=clang++-19', '-DCMAKE_BUILD_TYPE=Release'];
      await must('-S', source, '-B', build, '-G', 'Ninja', `-DCMAKE_PREFIX_PATH=${prefix}`, ...compilers);
      await must('--build', build);
      const built = (await readdir(build)).filter((file) => file.endsWith('.so'));
      assert.equal(built.length, 1, `${built}`);
      assertPasses(await validate(join(build, built[0])));
    }
  });

  test('makes the same arguments from the same seed, and says which it took', async () => {
    const args = ['plugin', 'validate', faulty('rare_crash'), '--only', 'handler-fuzz'];
    const of = async (seed) => (await toolhost([...args, '--seed', seed])).stdout.match(/^died .*$/m)?.[0];
    const first = await of('11');
    assert.match(first, /signal SIGABRT in work\(\{/, 'the call that crashed is named');
    assert.equal(await of('11'), first);
    const { stdout } = await toolhost(args);
    assert.match(stdout, /; seed \d+\n$/);
  });

  test('runs what is asked for, and says what it cannot do', async () => {
    const only = await validate(faulty('segfault'), '--only', 'load-now', '--only', 'card-id');
    assert.deepEqual([...only.checks.keys()], ['card-id', 'load-now']);
    assertPasses(only);
    const skip = await validate(faulty('destructor'), '--skip', 'no-static-destructors', '--skip', 'no-leak-per-call');
    assert.equal(skip.checks.has('no-static-destructors'), false);
    assertPasses(skip);
    const unknown = await toolhost(['plugin', 'validate', faulty('none'), '--only', 'no-leaks']);
    assert.equal(unknown.code, EXIT.unusable);
    assert.match(unknown.stderr, /no check no-leaks/);
    const nowhere = await toolhost(['plugin', 'validate', join(directory, 'nowhere.so')]);
    assert.equal(nowhere.code, EXIT.unusable);
    assert.match(nowhere.stderr, /nowhere\.so is no regular file/);
    const inner = await toolhost(['plugin', 'run-check', '--file', 'x', '--store', 'y', 'load-now', '0']);
    assert.equal(inner.code, EXIT.unusable);
    assert.match(inner.stderr, /toolhost plugin validate/);
  });

  test('is documented check by check', async () => {
    const checks = JSON.parse(await toolhostOk(['plugin', 'validate', '--list', '--json']));
    const readme = await readFile(join(SOURCE_DIR, 'plugin-api/README.md'), 'utf8');
    const rows = [...readme.matchAll(/^\| `([a-z0-9-]+)` \| (.*) \| (.*) \|$/gm)].map(([, id, proves, cure]) => ({
      id,
      proves,
      cure,
    }));
    assert.deepEqual(rows, checks);
  });
});

describe('plugin inspect', () => {
  test('says what a file is, and runs none of it', async () => {
    const inspected = JSON.parse(await toolhostOk(['plugin', 'inspect', faulty('constructor_starts_thread'), '--json']));
    assert.equal(inspected.id, 'faulty');
    assert.deepEqual(inspected.exports, ['toolhost_card_v1', 'toolhost_plugin_v1']);
    assert.equal(inspected.would_load, true);
    assert.match(inspected.sha256, /^[0-9a-f]{64}$/);
    assert.equal(inspected.definition, undefined);
    // Its constructor aborts, and nobody has run it.
    assert.equal((await toolhost(['plugin', 'inspect', faulty('constructor_aborts')])).code, EXIT.ok);
    const loaded = await toolhost(['plugin', 'inspect', '--load', faulty('constructor_aborts')]);
    assert.equal(loaded.code, EXIT.failed);
    assert.match(loaded.stderr, /signal SIGABRT in the step 'load'/);
  });

  test('says what a plugin offers when it may load it', async () => {
    const file = join(BUILD_DIR, 'plugins/tasks.so');
    const { definition } = JSON.parse(await toolhostOk(['plugin', 'inspect', '--load', '--json', file]));
    assert.ok(definition.tools.some((tool) => tool.name === 'create_task' && tool.input_schema.type === 'object'));
    assert.match(await toolhostOk(['plugin', 'inspect', '--load', file]), /^tools .*create_task/m);
  });

  test('says why a file would not be loaded', async () => {
    const stray = await toolhost(['plugin', 'inspect', faulty('stray_export')]);
    assert.equal(stray.code, EXIT.failed);
    assert.match(stray.stdout, /would be loaded +no\n.*exports the stray symbol 'faulty_helper'/);
    const none = await toolhost(['plugin', 'inspect', faulty('no_card')]);
    assert.equal(none.code, EXIT.unusable);
    assert.match(none.stderr, /no identity card/);
  });
});
