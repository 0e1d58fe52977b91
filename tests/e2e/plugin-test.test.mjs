// `toolhost plugin test`: an author's cases against the template and the shipped plugins, as a shell and CI run them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BINARY, eventually, freshDirectory, run, SLOWNESS, SOURCE_DIR, toolhost } from './support/host.mjs';

const BUILD_DIR = process.env.TOOLHOST_BUILD_DIR ?? resolve(dirname(BINARY), '..');
const TICKETS = join(BUILD_DIR, 'plugins/tickets.so');
const SEARCH = join(BUILD_DIR, 'plugins/search.so');

/** A directory with these cases; `test()` runs them, with the temporary directory `scratch`. */
async function casesIn(t, yaml, plugin = TICKETS) {
  const directory = await freshDirectory(t);
  const cases = join(directory, 'cases.yaml');
  const scratch = join(directory, 'scratch');
  await mkdir(scratch);
  await writeFile(cases, yaml);
  return {
    directory,
    scratch,
    cases,
    golden: join(directory, 'cases.golden.json'),
    test: (...options) => toolhost(['plugin', 'test', plugin, cases, ...options], { env: { TMPDIR: scratch } }),
  };
}

const ASK = join(BUILD_DIR, 'test-plugins/ask.so');
const CONFORMANCE = join(BUILD_DIR, 'test-plugins/conformance.so');

const summary = (result) => result.stdout.trimEnd().split('\n').at(-1);

describe('the template, as the package describes it', () => {
  let plugin, example, endDirectory;
  after(() => endDirectory());

  before(async () => {
    const directory = await freshDirectory({ after: (end) => (endDirectory = end) });
    const must = async (program, ...args) => {
      const result = await run(program, args, { limit: 180_000 });
      assert.equal(result.code, 0, `${program} ${args.join(' ')}\n${result.stdout}${result.stderr}`);
    };
    const sdk = join(directory, 'sdk');
    await must('cmake', '--install', BUILD_DIR, '--component', 'plugin-api', '--prefix', sdk);
    const source = join(directory, 'hello');
    await cp(join(sdk, 'share/toolhost-plugin/template/cpp'), source, { recursive: true });
    const build = join(source, 'build');
    const settings = ['-DCMAKE_CXX_COMPILER=clang++-19', `-DCMAKE_PREFIX_PATH=${sdk}`, '-G', 'Ninja'];
    await must('cmake', '-S', source, '-B', build, ...settings);
    await must('cmake', '--build', build);
    const [file] = (await readdir(build)).filter((name) => name.endsWith('.so'));
    plugin = join(build, file);
    const readme = await readFile(join(SOURCE_DIR, 'plugin-api/README.md'), 'utf8');
    [, example] = readme.match(/## Test it\n[^]*?```yaml\n([^]*?)```/);
  });

  test('the example of the documents runs: without a golden answer, with one, and again', async (t) => {
    const its = await casesIn(t, example, plugin);
    const first = await its.test();
    assert.equal(first.code, 1, first.stderr);
    assert.match(first.stdout, /step 4, call \w*hello_list: nobody has accepted this answer yet; --update does/);
    assert.match(first.stdout, /"greeted_at": "2026-03-01T09:00:00Z"/, 'the database has the clock of the cases');
    assert.equal(summary(first), '2 passed, 1 failed');

    const accepted = await its.test('--update');
    assert.equal(accepted.code, 0, accepted.stdout + accepted.stderr);
    assert.match(accepted.stdout, /ok {4}greets once \(\d+ ms, 1 golden answer written\)/);
    const golden = await readFile(its.golden, 'utf8');
    const again = await its.test();
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.equal(summary(again), '3 passed, 0 failed');
    assert.equal(await readFile(its.golden, 'utf8'), golden);
    assert.equal(await readFile(its.cases, 'utf8'), example, 'comments and order are the author’s');
  });

  test('a plugin that takes no settings is told where they stand', async (t) => {
    const its = await casesIn(t, 'settings: {colour: red}\ncases: []\n', plugin);
    const result = await its.test();
    assert.equal(result.code, 2);
    assert.match(result.stderr, /cases\.yaml:1:11: settings of [\w.]*hello: it takes no settings; remove them/);
  });
});

const STORY = `
clock: 2026-03-01T09:00:00Z
time_zone: Europe/Berlin
members:
  - {email: ana@acme.com, name: Ana Lopez}
  - {email: ben@acme.com, name: Ben Kim, role: admin}
plugins:
  - file: ${SEARCH}
cases:
  - name: a ticket and its history
    steps:
      - call: create_ticket
        as: ana@acme.com
        arguments: {title: Printer on fire, priority: high}
        capture: {id: /structured/ticket/id}
      - advance: 5m
      - call: set_ticket_status
        as: ben@acme.com
        arguments: {id: $id, status: resolved, comment: Put out}
      - call: ticket_history
        arguments: {id: $id}
      - call: list_tickets
        as: viewer
  - name: tenants know nothing of each other
    steps:
      - call: create_ticket
        arguments: {title: Ours}
        capture: {id: /structured/ticket/id}
      - call: get_ticket
        tenant: other
        arguments: {id: $id}
        expect: {error: "/\${id}/"}
  - name: what was written is found
    steps:
      - call: create_ticket
        arguments: {title: The projector hums}
      - job: index
        expect: {outcome: ok}
      - call: search_tickets
        arguments: {query: projector}
        expect:
          contains: {hits: [{title: The projector hums}]}
`;

const EVERYTHING = `
plugins:
  - file: ${ASK}
cases:
  - name: resources
    steps:
      - read: test://static-text
        expect: {contents: [{uri: "$any", mimeType: text/plain, text: /^This is the content of the static text/}]}
      - read: test://template/17/data
        expect: {contents: $any}
        capture: {uri: /contents/0/uri}
      - read: $uri
        expect: {contents: [{uri: $uri, mimeType: application/json, text: /"17"/}]}
      - read: test://nowhere
        expect: {outcome: not_found, error: /no resource/}
  - name: prompts
    steps:
      - prompt: test_prompt_with_arguments
        arguments: {arg1: a, arg2: b}
        expect: {messages: [{role: user, content: {type: text, text: "/arg1='a', arg2='b'/"}}]}
      - prompt: test_prompt_with_arguments
        expect: {error: /arg1/}
      - prompt: test_input_required_result_prompt
        answers: {user_context: {action: accept, content: {context: ours}}}
        expect: {messages: [{role: user, content: {type: text, text: "Use this context: ours"}}]}
  - name: completion
    steps:
      - complete: test_prompt_with_arguments
        argument: {name: arg1, value: par}
        expect: {completion: {values: [paris, park, party], hasMore: false}}
      - complete: test://template/{id}/data
        argument: {name: id, value: "12"}
        expect: {completion: {values: ["123", "124"], hasMore: false}}
  - name: asking
    steps:
      - call: close_ticket
        arguments: {title: T-1}
        answers: {confirm: {action: accept, content: {ok: true}}}
        expect: {structured: {closed: true}}
      - call: close_ticket
        arguments: {title: T-2}
        answers: {confirm: {action: decline}}
        expect: {structured: {closed: false}}
      - call: ask_in_turn
        answers: {first: {action: accept, content: {colour: red}}, second: {action: accept, content: {}}}
        expect: {text: red accept 2}
      - call: close_ticket
        arguments: {title: T-3}
        answers: {}
        expect: {outcome: input_required, questions: [{key: confirm, params: $any}]}
      - call: close_ticket
        arguments: {title: T-3}
        expect: {error: /./}
  - name: jobs
    steps:
      - job: nag
        expect: {outcome: job_error, error: /./}
`;

test('resources, prompts, completion, questions and jobs are steps, too', async (t) => {
  const result = await (await casesIn(t, EVERYTHING, CONFORMANCE)).test();
  assert.equal(result.code, 0, result.stdout + result.stderr);
  assert.equal(summary(result), '5 passed, 0 failed');
});

describe('the shipped plugins', () => {
  test('two runs have the same answers, byte for byte, and leave nothing', async (t) => {
    const goldens = [];
    for (const _ of [1, 2]) {
      const its = await casesIn(t, STORY);
      const written = await its.test('--update');
      assert.equal(written.code, 0, written.stdout + written.stderr);
      goldens.push(await readFile(its.golden, 'utf8'));
      const again = await its.test();
      assert.equal(again.code, 0, again.stdout + again.stderr);
      const alone = await its.test('--only', 'a ticket and its history');
      assert.equal(summary(alone), '1 passed, 0 failed', alone.stdout + alone.stderr);
      assert.deepEqual(await readdir(its.scratch), []);
    }
    assert.equal(goldens[0], goldens[1]);
    assert.match(goldens[0], /2026-03-01T10:05:00\+01:00/);
  });

  test('another answer is shown line by line, and a pattern in the golden file outlives an update', async (t) => {
    const yaml = (title) =>
      `cases:\n- name: a\n  steps:\n  - call: create_ticket\n    arguments: {title: ${title}, description: Text}\n`;
    const its = await casesIn(t, yaml('First'));
    assert.equal((await its.test('--update')).code, 0);
    const golden = JSON.parse(await readFile(its.golden, 'utf8'));
    golden.a['1. call create_ticket'].structured.ticket.id = '/^[0-9A-Z]{6}$/';
    await writeFile(its.golden, JSON.stringify(golden));
    assert.equal((await its.test()).code, 0, 'a pattern matches');

    await writeFile(its.cases, yaml('Second'));
    const differs = await its.test();
    assert.equal(differs.code, 1);
    assert.match(differs.stdout, /^FAIL {2}a \(/m);
    assert.match(differs.stdout, /cases\.yaml:4:5: step 1, call create_ticket: .*--update accepts it/);
    assert.match(differs.stdout, /^ {4}- +"title": "First"$/m);
    assert.match(differs.stdout, /^ {4}\+ +"title": "Second"$/m);
    assert.doesNotMatch(differs.stdout, /\[0-9A-Z\]/, 'what matches is no difference');

    const json = JSON.parse((await its.test('--json')).stdout);
    assert.equal(json.failed, 1);
    assert.equal(json.cases[0].problem.line, 4);
    assert.match(json.cases[0].problem.difference, /First/);

    assert.equal((await its.test('--update')).code, 0);
    const updated = JSON.parse(await readFile(its.golden, 'utf8')).a['1. call create_ticket'].structured.ticket;
    assert.equal(updated.title, 'Second');
    assert.equal(updated.id, '/^[0-9A-Z]{6}$/');
  });

  test('what is expected and does not come fails at its line, and the other cases run', async (t) => {
    const its = await casesIn(
      t,
      `cases:
  - name: another answer
    steps:
      - call: create_ticket
        arguments: {title: Printer}
        expect:
          contains: {ticket: {title: Scanner}}
  - name: no such tool
    steps:
      - call: create_tikcet
  - name: refused arguments
    steps:
      - call: create_ticket
        expect: {outcome: invalid_arguments, error: /title/}
  - name: nothing to capture
    steps:
      - call: create_ticket
        arguments: {title: Printer}
        expect: {contains: {ticket: {title: Printer}}}
        capture: {id: /structured/ticket/number}
`,
    );
    const result = await its.test();
    assert.equal(result.code, 1);
    assert.match(result.stdout, /cases\.yaml:7: step 1, call create_ticket: the answer is not what 'expect' says/);
    assert.match(result.stdout, /- +"title": "Scanner"\n +\+ +"title": "Printer"/);
    assert.match(result.stdout, /cases\.yaml:10:9: .*there is no tool create_tikcet; did you mean create_ticket\?/);
    assert.match(result.stdout, /^ok {4}refused arguments/m);
    assert.match(result.stdout, /nothing at \/structured\/ticket\/number to capture as 'id'/);
    assert.equal(summary(result), '1 passed, 3 failed');
    assert.equal((await its.test('--update')).code, 1, 'an expectation is not accepted away');
  });

  test('every mistake in the file is told with its place, and nothing runs', async (t) => {
    const its = await casesIn(
      t,
      'clock: noon\ncases:\n- name: a\n  steps:\n  - call: create_ticket\n    expects: {}\n    as: nobody\n',
    );
    const result = await its.test();
    assert.equal(result.code, 2);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /cases\.yaml:1:8: 'clock' must be a time in UTC/);
    assert.match(result.stderr, /cases\.yaml:6:5: unknown key 'expects' .*did you mean 'expect'/);
    assert.match(result.stderr, /cases\.yaml:7:9: 'nobody' is no role/);
    assert.match(result.stderr, /3 problems: nothing was run/);
  });

  test('what cannot be run has exit code 2 and says why', async (t) => {
    const its = await casesIn(t, 'cases:\n- {name: a, steps: [{call: list_tickets}]}\n');
    const only = await its.test('--only', 'b');
    assert.equal(only.code, 2);
    assert.match(only.stderr, /there is no case 'b'/);
    assert.equal((await toolhost(['plugin', 'test', TICKETS])).code, 2);
    const help = await toolhost(['plugin', 'test', '--help']);
    assert.match(help.stdout, /CASES\.golden\.json[^]*Exit codes: 0 all passed/);
    const further = await (await casesIn(t, 'plugins: [{file: none.so}]\ncases: []\n')).test();
    assert.equal(further.code, 2);
    assert.match(further.stderr, /cases\.yaml:1:11: there is no plugin '.*none\.so'; its file is looked for from/);
    const noFile = await toolhost(['plugin', 'test', TICKETS, join(its.directory, 'none.yaml')]);
    assert.equal(noFile.code, 2);
    assert.match(noFile.stderr, /none\.yaml: cannot be read/);
    const noPlugin = await toolhost(['plugin', 'test', join(its.directory, 'none.so'), its.cases]);
    assert.equal(noPlugin.code, 2);
    assert.match(noPlugin.stderr, /none\.so: cannot be read/);
    await writeFile(its.golden, '{');
    const broken = await its.test();
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /cases\.golden\.json: is no JSON/);
  });

  test('a killed run is in nobody’s way', async (t) => {
    const its = await casesIn(t, 'cases:\n- {name: a, steps: [{call: list_tickets, expect: {outcome: ok}}]}\n');
    const env = { ...process.env, TMPDIR: its.scratch };
    const killed = spawn(BINARY, ['plugin', 'test', TICKETS, its.cases], { stdio: 'ignore', env });
    await eventually('its directory', async () => (await readdir(its.scratch)).length === 1);
    killed.kill('SIGKILL');
    assert.equal((await its.test()).code, 0);
    const [left] = await readdir(its.scratch);
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(join(its.scratch, left), longAgo, longAgo);
    assert.equal((await its.test()).code, 0);
    assert.deepEqual(await readdir(its.scratch), [], 'the next run clears up what nobody owns');
  });

  test('--keep leaves a data directory with what the cases wrote', async (t) => {
    const its = await casesIn(t, 'cases:\n- {name: Kept, steps: [{call: list_tickets, expect: {outcome: ok}}]}\n');
    const result = await its.test('--keep');
    assert.equal(result.code, 0, result.stderr);
    const [, kept] = result.stderr.match(/^kept: (\S+);/m);
    const tenants = await toolhost(['tenant', 'list', '--data-dir', kept]);
    assert.match(tenants.stdout, /^kept /m);
  });

  test('a run of one case takes seconds', async (t) => {
    const its = await casesIn(t, 'cases:\n- {name: a, steps: [{call: list_tickets, expect: {outcome: ok}}]}\n');
    const began = performance.now();
    assert.equal((await its.test()).code, 0);
    const took = performance.now() - began;
    t.diagnostic(`one case, with its database: ${Math.round(took)} ms`);
    assert.ok(took < 20_000 * SLOWNESS, `took ${took} ms`);
  });
});
