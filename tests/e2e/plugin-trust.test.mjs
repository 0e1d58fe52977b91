// Which plugin files an operator lets in: pinned by hash and id, signed with keys of their own, and what becomes of files
// that are exchanged, changed or signed by somebody else.
import assert from 'node:assert/strict';
import { appendFile, copyFile, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { BINARY, eventually, freshDirectory, Host, run, toolhost, toolhostOk } from './support/host.mjs';
import { callTool } from './support/raw.mjs';

const SHIPPED = join(dirname(BINARY), '../plugins');
const EXIT = { failed: 1, usage: 2 };

async function sha256(file) {
  const { code, stdout } = await run('sha256sum', [file]);
  assert.equal(code, 0);
  return stdout.slice(0, 64);
}

/** A directory with a copy of tickets.so, and the keys acme and other. */
async function setUp(t) {
  const directory = await freshDirectory(t);
  const at = (name) => join(directory, name);
  await copyFile(join(SHIPPED, 'tickets.so'), at('tickets.so'));
  for (const name of ['acme', 'other']) await toolhostOk(['plugin', 'keygen', at(name)]);
  const sign = (key) => toolhostOk(['plugin', 'sign', at('tickets.so'), '--key', at(`${key}.pem`)]);
  const config = (entry = '', trust = '{require_signature: true, ') =>
    `plugin_trust: ${trust}keys: [{name: acme, file: ${at('acme.pub.pem')}}]}\n` +
    `plugins:\n  - {file: ${at('tickets.so')}${entry}}\n`;
  return { directory, at, sign, config, plugin: at('tickets.so') };
}

const listed = async (host) =>
  JSON.parse((await toolhost(['plugin', 'list', '--json', ...host.configArgs, '--data-dir', host.dataDir])).stdout)[0];

describe('trust in plugins', { timeout: 300_000 }, () => {
  test('a pinned and signed plugin serves; who signed it is told; a changed file is refused at the next start', async (t) => {
    const { sign, config, plugin } = await setUp(t);
    await sign('acme');
    const pinned = await sha256(plugin);
    const host = await Host.start(t, { config: config(`, id: tickets, sha256: ${pinned.toUpperCase()}`) });
    const key = await host.key();
    const created = await callTool(host.url, key, 'create_ticket', { title: 'trusted' });
    assert.equal(created.structuredContent.created, true);
    const served = await listed(host);
    assert.equal(served.state, 'serving', served.reason);
    assert.equal(served.signed_by, 'acme');
    assert.equal(served.sha256, pinned);

    // Running calls have a copy of their own.
    await appendFile(plugin, 'x');
    assert.notEqual((await callTool(host.url, key, 'list_tickets', {})).isError, true);
    await host.stop();
    await host.launch(0);
    const refused = await listed(host);
    assert.equal(refused.state, 'refused');
    assert.match(refused.reason, new RegExp(`has the SHA-256 ${await sha256(plugin)}.*allows only ${pinned}`));
    await eventually('the log says it', () => host.log.includes(`allows only ${pinned}`));
    await assert.rejects(callTool(host.url, key, 'list_tickets', {}), /Unknown tool: list_tickets/);
  });

  test('a new version is trusted by the same rules, also by a dry run; the old one serves meanwhile', async (t) => {
    const { config, plugin, sign } = await setUp(t);
    await sign('acme');
    const before = await sha256(plugin);
    const host = await Host.start(t, { config: `${config(`, sha256: ${before}`)}reload: { watch: false }\n` });
    const key = await host.key();
    const reload = (...args) =>
      toolhost(['plugin', 'reload', 'tickets', ...args, ...host.configArgs, '--data-dir', host.dataDir]);
    const replace = async () => {
      await copyFile(join(SHIPPED, 'tickets.so'), `${plugin}.next`);
      await appendFile(`${plugin}.next`, 'x'); // behind what the loader reads
      await rename(`${plugin}.next`, plugin);
    };
    await replace();
    for (const args of [[], ['--dry-run']]) {
      const { code, stderr } = await reload(...args);
      assert.notEqual(code, 0, args.join());
      assert.match(stderr, args.length ? /it was changed after it was signed/ : new RegExp(`allows only ${before}`));
    }
    // What the running host demands counts, not what the command knows of its configuration.
    const blind = await toolhost(['plugin', 'reload', 'tickets', '--dry-run', '--data-dir', host.dataDir]);
    assert.match(blind.stderr, /it was changed after it was signed/);
    await sign('acme');
    const dry = await reload('--dry-run');
    assert.equal(dry.code, 0, dry.stderr);
    const after = await sha256(plugin);
    assert.match((await reload()).stderr, new RegExp(`has the SHA-256 ${after}.*allows only ${before}`));
    assert.notEqual((await callTool(host.url, key, 'list_tickets', {})).isError, true);

    await writeFile(join(host.directory, 'host.yaml'), config(`, sha256: ${after}`));
    await toolhostOk(['reload', ...host.configArgs, '--data-dir', host.dataDir]);
    const done = await reload();
    assert.equal(done.code, 0, done.stderr);
    assert.notEqual((await callTool(host.url, key, 'list_tickets', {})).isError, true);
  });

  test('check-config names what it would not load, with its place', async (t) => {
    const { at, config, plugin, sign } = await setUp(t);
    const check = async (text) => {
      await writeFile(at('host.yaml'), text);
      return toolhost(['check-config', at('host.yaml')]);
    };
    const unsigned = await check(config());
    assert.equal(unsigned.code, EXIT.usage);
    assert.match(unsigned.stderr, /host\.yaml:3:5: this plugin cannot be loaded: .*is not signed/);
    assert.ok(unsigned.stderr.includes(`toolhost plugin sign '${plugin}' --key KEY.pem`), unsigned.stderr);
    await sign('acme');
    assert.equal((await check(config())).code, 0);
    // On a build server, say, there is no key.
    await writeFile(at('host.yaml'), config().replace('acme.pub.pem', 'nowhere.pem'));
    assert.equal((await toolhost(['check-config', at('host.yaml')])).code, EXIT.usage);
    assert.equal((await toolhost(['check-config', '--elsewhere', at('host.yaml')])).code, 0);
    for (const [text, wanted] of [
      [config(', id: tasks'), /host\.yaml:3:5: .*is the plugin tickets, and the configuration wants tasks there/],
      [config(`, sha256: ${'0'.repeat(64)}`), /host\.yaml:3:5: .*the configuration allows only 0000/],
      [config(', sha256: abc'), /host\.yaml:3:\d+: 'plugins\[\]\.sha256' must be 64 hexadecimal digits/],
      [config('', '{require_sha256: true, '), /host\.yaml:3:5: .*is not pinned.*sha256: [0-9a-f]{64}/],
      [
        config().replace('acme.pub.pem', 'acme.pem'),
        /host\.yaml:1:\d+: 'plugin_trust\.keys' has the key acme.*holds a private key where a public one belongs/,
      ],
      ['plugin_trust: {require_signature: true}\n', /host\.yaml:1:35: .*needs 'plugin_trust\.keys'/],
    ]) {
      const result = await check(text);
      assert.equal(result.code, EXIT.usage, text);
      assert.match(result.stderr, wanted);
    }
  });

  test('verify tells good signatures from every kind of bad one', async (t) => {
    const { at, config, plugin, sign } = await setUp(t);
    await writeFile(at('host.yaml'), config());
    const verify = (...args) => toolhost(['plugin', 'verify', plugin, ...args]);
    const withConfig = () => verify('--config', at('host.yaml'));
    const expect = async (result, wanted, code = EXIT.failed) => {
      const { stderr, code: got } = await result;
      assert.match(stderr, wanted);
      assert.equal(got, code, stderr);
    };
    await expect(withConfig(), /is not signed/);
    await sign('other');
    await expect(withConfig(), /is signed with the key [0-9a-f]{64}, which is not trusted.*acme [0-9a-f]{64}/);
    assert.match((await verify('--key', at('other.pub.pem'))).stdout, /tickets \d.* signed by .*other\.pub\.pem/);
    await sign('acme');
    assert.match((await withConfig()).stdout, /signed by acme/);

    const signature = await readFile(`${plugin}.sig`);
    await truncate(`${plugin}.sig`, signature.length - 20);
    await expect(withConfig(), /is damaged; copy it again/);
    await copyFile(join(SHIPPED, 'tasks.so'), at('tasks.so'));
    await toolhostOk(['plugin', 'sign', at('tasks.so'), '--key', at('acme.pem')]);
    await rename(at('tasks.so.sig'), `${plugin}.sig`);
    await expect(withConfig(), /or the signature is another file's/);
    await writeFile(`${plugin}.sig`, signature);
    await rename(plugin, at('signed.so'));
    await symlink(join(SHIPPED, 'search.so'), plugin);
    await expect(withConfig(), /it was changed after it was signed/);
    await rm(plugin);
    await rename(at('signed.so'), plugin);
    await rm(`${plugin}.sig`);
    assert.equal((await run('mkfifo', [`${plugin}.sig`])).code, 0);
    await expect(withConfig(), /is no regular file/);
    await rm(`${plugin}.sig`);
    await writeFile(`${plugin}.sig`, signature);
    assert.equal((await withConfig()).code, 0);

    await expect(verify('--key', at('acme.pem')), /holds a private key where a public one belongs/);
    await expect(verify(), /--key PUB\.pem or --config FILE is required/, EXIT.usage);
    const rsa = await run('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', at('rsa.pem')]);
    assert.equal(rsa.code, 0, rsa.stderr);
    await expect(
      toolhost(['plugin', 'sign', plugin, '--key', at('rsa.pem')]),
      /rsa\.pem: holds a key of the kind RSA, and plugins are signed with Ed25519/,
      EXIT.usage,
    );
    await expect(
      toolhost(['plugin', 'sign', plugin, '--key', at('acme.pub.pem')]),
      /holds a public key; signing takes the private one/,
      EXIT.usage,
    );
    await expect(toolhost(['plugin', 'sign', at('acme.pem'), '--key', at('acme.pem')]), /acme\.pem: /, EXIT.usage);
    await expect(toolhost(['plugin', 'keygen', at('acme')]), /acme\.pem is there already, and is not overwritten/);
  });

  test('openssl alone makes the same signature, as ABI.md says', async (t) => {
    const { directory, plugin } = await setUp(t);
    const abi = await readFile(new URL('../../plugin-api/ABI.md', import.meta.url), 'utf8');
    const recipe = /```sh\n(printf 'toolhost plugin signature[^]*?)```/.exec(abi)[1];
    const made = await run('bash', ['-euc', recipe], { cwd: directory });
    assert.equal(made.code, 0, made.stderr);
    const text = await readFile(`${plugin}.sig`, 'utf8');
    await toolhostOk(['plugin', 'verify', plugin, '--key', join(directory, 'acme.pub.pem')]);
    await toolhostOk(['plugin', 'sign', plugin, '--key', join(directory, 'acme.pem')]);
    assert.equal(await readFile(`${plugin}.sig`, 'utf8'), text);
  });
});
