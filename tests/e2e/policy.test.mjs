// Who may call what: `explain`, tools/list and tools/call say the same, of every key and tool, and name the line.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Admin } from './support/admin.mjs';
import { command } from './support/helpdesk.mjs';
import { eventually, freshDirectory, Host } from './support/host.mjs';
import { insertKeys } from './support/keys.mjs';
import { buildOutsidePlugins } from './support/outside.mjs';
import { Dice } from './support/random.mjs';
import { callTool, post, rpc, textOf } from './support/raw.mjs';

const PLUGIN = 'outside_many';
const NUMBERS = Array.from({ length: 20 }, (_, number) => String(number).padStart(2, '0'));
const TOOLS = NUMBERS.flatMap((number) => [
  { name: `read_${number}`, readOnly: true },
  { name: `write_${number}`, readOnly: false },
]);
const ROLES = ['viewer', 'agent', 'admin'];

const globMatches = (pattern, text) =>
  new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(text);
const matchesTool = (pattern, tool) =>
  globMatches(pattern, pattern.includes('.') ? `${PLUGIN}.${tool.name}` : tool.name);
const anyMatches = (patterns, tool) => patterns.some((pattern) => matchesTool(pattern, tool));

function scopesAllow(scopes, tool) {
  const patterns = scopes.filter((scope) => scope !== 'read' && scope !== 'write');
  const readsOnly = scopes.includes('read') && !scopes.includes('write');
  return (!readsOnly || tool.readOnly) && (patterns.length === 0 || anyMatches(patterns, tool));
}

const sameScalar = (wanted, given) => String(wanted).toLowerCase() === String(given).toLowerCase();

function testHolds(wanted, given) {
  if (wanted.present) return given !== undefined;
  if (wanted.absent) return given === undefined;
  if (given === undefined) return false;
  const one = (value) => {
    if (wanted.above !== undefined) return value > wanted.above;
    if (wanted.matches !== undefined) return typeof value === 'string' && value.includes(wanted.matches);
    return wanted.some((each) => sameScalar(each, value));
  };
  return Array.isArray(given) ? given.some(one) : one(given);
}

/** What the configuration means, written down a second time: undefined when a call is allowed, else the reason. */
function expected(defaults, tenant, key, tool, args) {
  if (!(tenant.plugins ?? ['*']).some((pattern) => globMatches(pattern, PLUGIN))) return 'plugin';
  const tools = tenant.tools ?? {};
  if (!anyMatches(tools.allow ?? ['*'], tool)) return 'tool';
  if (anyMatches([...defaults.tools.deny, ...(tools.deny ?? [])], tool)) return 'tool';
  const role = tenant.roles?.[key.role] ?? {};
  const roleScopes = role.scopes ?? { viewer: ['read'], agent: ['write'], admin: ['write'] }[key.role];
  if (!scopesAllow(roleScopes, tool) || anyMatches(role.deny ?? [], tool)) return 'role';
  if (!scopesAllow(key.scopes, tool)) return 'scope';
  for (const rule of [...defaults.rules, ...(tenant.rules ?? [])]) {
    if (rule.roles && !rule.roles.includes(key.role)) continue;
    if (rule.tools && !anyMatches(rule.tools, tool)) continue;
    const tests = Object.entries(rule.when ?? {});
    if (tests.length > 0 && args === undefined) continue;
    if (tests.every(([name, wanted]) => testHolds(wanted, args[name]))) return 'rule';
  }
  return undefined;
}

const PATTERNS = ['*', 'read_*', 'write_*', '*_0*', '*_1*', 'outside_many.*', 'outside_many.read_1*', 'read_07', 'write_13', '*_*5'];
const SCOPES = [[], ['read'], ['write'], ['read', 'read_*'], ['write_0*'], ['outside_many.*'], ['read', '*_1*']];
const CONDITIONS = [
  { level: ['urgent', 'high'] },
  { hours: { above: 8 } },
  { people: ['ana@acme.test'] },
  { level: { matches: 'urg' }, hours: { present: true } },
  { level: { absent: true }, hours: { above: 100 } },
];
const ARGUMENTS = [
  {},
  { level: 'URGENT' },
  { hours: 9 },
  { hours: 8 },
  { level: 'low', people: ['bo@acme.test', 'ana@acme.test'] },
  { level: 'urgent', hours: 1 },
  { hours: 101 },
];

function randomTenant(dice, name) {
  const some = (low, high) => Array.from({ length: dice.integer(low, high) }, () => dice.pick(PATTERNS));
  const tenant = {
    name,
    default_role: dice.pick(ROLES),
    members: ROLES.map((role) => ({ email: `${role}@${name}.test`, role })),
    tools: { deny: some(0, 2) },
  };
  if (dice.chance(0.3)) tenant.plugins = [dice.pick(['*', 'outside_many', 'o*y', 'outside_many'])];
  if (dice.chance(0.6)) tenant.tools.allow = some(1, 3);
  if (dice.chance(0.5))
    tenant.roles = Object.fromEntries(
      ROLES.filter(() => dice.chance(0.5)).map((role) => [role, { scopes: dice.pick(SCOPES.slice(1)), deny: some(0, 1) }]),
    );
  tenant.rules = Array.from({ length: dice.integer(0, 3) }, () => ({
    ...(dice.chance(0.7) && { tools: some(1, 2) }),
    ...(dice.chance(0.5) && { roles: [dice.pick(ROLES)] }),
    when: dice.pick(CONDITIONS),
    because: `a rule of ${name}`,
  }));
  if (dice.chance(0.2)) tenant.rules.push({ tools: some(1, 1), roles: ['viewer'] });
  return tenant;
}

describe('policy', { timeout: 600_000 }, () => {
  const cleanups = [];
  let plugins;
  before(async () => {
    plugins = await buildOutsidePlugins({ after: (cleanup) => cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  test('explain, tools/list and tools/call agree: 50 tenants, 20 keys each, 40 tools', async (t) => {
    const seed = Number(process.env.TOOLHOST_TEST_SEED ?? 20_261);
    t.diagnostic(`seed ${seed}`);
    const dice = new Dice(seed);
    const defaults = {
      tools: { deny: ['write_19'] },
      rules: [{ tools: ['write_*'], roles: ['agent'], when: { level: ['forbidden'] }, because: 'Nobody may.' }],
    };
    const tenants = Array.from({ length: 50 }, (_, number) => randomTenant(dice, `tenant-${number}`));
    const limits = { key: { rate: 'off', concurrent: 'off' } };
    const config = { plugins: [{ file: join(plugins, `${PLUGIN}.so`) }], defaults: { ...defaults, limits }, tenants };
    const host = await Host.start(t, { config: JSON.stringify(config, null, 1) });
    const keys = await insertKeys(
      host,
      tenants.flatMap((tenant) =>
        Array.from({ length: 20 }, (_, number) => {
          const role = ROLES[number % 3];
          return { tenant: tenant.name, of: tenant, role, owner: `${role}@${tenant.name}.test`, name: `key ${number}`,
                   scopes: SCOPES[number % SCOPES.length] }; // prettier-ignore
        }),
      ),
    );
    await eventually('the keys are known', async () => (await post(host.url, keys.at(-1).key, rpc('ping'))).status === 200);
    const admin = await Admin.open(host);
    t.after(() => admin.close());

    let compared = 0;
    const check = async (key) => {
      const listed = (await post(host.url, key.key, rpc('tools/list'))).message.result.tools.map((tool) => tool.name);
      const wanted = TOOLS.filter((tool) => !expected(defaults, key.of, key, tool)).map((tool) => tool.name);
      assert.deepEqual(listed, wanted.sort(), `${key.tenant} ${key.role} [${key.scopes}]`);
      for (const tool of TOOLS) {
        const args = dice.pick(ARGUMENTS);
        const hidden = expected(defaults, key.of, key, tool);
        const reason = hidden ?? expected(defaults, key.of, key, tool, args);
        const about = `${key.tenant} ${key.role} [${key.scopes}] ${tool.name} ${JSON.stringify(args)}`;
        const said = await admin.ask('explain', { key: key.key, tool: tool.name, args });
        assert.equal(said.error, undefined, about);
        assert.equal(said.allowed, reason === undefined, `${about}: ${JSON.stringify(said)}`);
        assert.equal(said.reason, reason ?? 'allowed', `${about}: ${JSON.stringify(said)}`);
        assert.deepEqual(said.tools, listed, about);
        const answer = await post(host.url, key.key, rpc('tools/call', { name: tool.name, arguments: args }));
        if (hidden) assert.equal(answer.message.error?.message, `Unknown tool: ${tool.name}`, about);
        else if (reason) assert.match(textOf(answer.message.result), /^Access denied/, about);
        else assert.equal(textOf(answer.message.result), 'done', about);
        compared += 1;
      }
    };
    const queue = [...keys];
    const worker = async () => {
      for (let key = queue.pop(); key; key = queue.pop()) await check(key);
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    t.diagnostic(`${compared} tools of keys compared three ways`);
    assert.equal(compared, 50 * 20 * 40);
  });

  test('explain names what decided, and its file and line', async (t) => {
    const directory = await freshDirectory(t);
    await mkdir(join(directory, 'tenants'));
    const hostFile = join(directory, 'toolhost.yaml');
    const tenantFile = join(directory, 'tenants', 'acme.yaml');
    await writeFile(hostFile, `plugins:\n  - file: ${join(plugins, `${PLUGIN}.so`)}\n`);
    const tenant = `name: acme
default_role: agent
members:
  - email: vera@acme.test
    role: viewer
tools:
  deny:
    - write_03
roles:
  agent:
    scopes: [write]
    deny:
      - write_04
rules:
  - tools: [write_05]
    when: {level: urgent}
    because: Only admins may.
limits:
  tools:
    - tools: [write_06]
      rate: 1/h
      burst: 1
`;
    await writeFile(tenantFile, tenant);
    const line = (text) => `${tenantFile}:${tenant.split('\n').findIndex((each) => each.includes(text)) + 1}`;
    const host = await Host.start(t, { configFile: hostFile });
    const create = (name, ...args) => host.command('key', 'create', '--tenant', 'acme', '--name', name, ...args);
    const agent = await create('agent');
    const viewer = await create('viewer', '--owner', 'vera@acme.test');
    const reader = await create('reader', '--scope', 'read');
    const [short] = await insertKeys(host, [
      { tenant: 'acme', name: 'short', expiresAt: new Date(Date.now() - 60_000).toISOString() },
    ]);
    await eventually('the keys are known', async () => (await post(host.url, reader, rpc('ping'))).status === 200);

    const explain = async (key, tool, args) => {
      const options = ['explain', '--key', key.slice(0, 11), '--tool', tool, ...(args ? ['--args', JSON.stringify(args)] : [])];
      const text = await command(host, options);
      const { code, stdout, stderr } = await command(host, [...options, '--json']);
      assert.equal(code, 0, stderr);
      const said = JSON.parse(stdout);
      if (said.place) assert.ok(text.stdout.includes(said.place), text.stdout);
      t.diagnostic(text.stdout.trim().split('\n').join('\n  '));
      return said;
    };

    const allowed = await explain(agent, 'write_00');
    assert.equal(allowed.allowed, true);
    assert.ok(allowed.steps.length >= 6 && allowed.steps.every((step) => step.passed));
    assert.ok(allowed.tools.includes('write_00') && !allowed.tools.includes('write_03'));

    const cases = [
      [agent, 'write_03', undefined, 'tool', line('- write_03')],
      [agent, 'write_04', undefined, 'role', line('- write_04')],
      [reader, 'write_00', undefined, 'scope', undefined],
      [agent, 'write_05', { level: 'urgent' }, 'rule', line('- tools: [write_05]')],
      [short.key, 'read_00', undefined, 'key_expired', undefined],
      [agent, 'write_99', undefined, 'unknown_tool', undefined],
    ];
    for (const [key, tool, args, reason, place] of cases) {
      const said = await explain(key, tool, args);
      assert.deepEqual([said.allowed, said.reason], [false, reason], JSON.stringify(said));
      if (place) assert.equal(said.place, place);
      assert.ok(said.steps.some((step) => !step.passed));
    }
    const byDefault = await explain(viewer, 'write_00');
    assert.deepEqual([byDefault.allowed, byDefault.reason, byDefault.place], [false, 'role', 'built-in default']);
    assert.equal(byDefault.steps.find((step) => step.what === 'person').place, line('vera@acme.test'));

    assert.equal(textOf(await callTool(host.url, agent, 'write_06', {})), 'done');
    const limited = await explain(agent, 'write_06');
    assert.deepEqual([limited.allowed, limited.reason], [false, 'tool_rate']);
    assert.match(limited.place, new RegExp(`^${tenantFile.replaceAll('.', '\\.')}:(19|20|21)$`));
    assert.match(limited.message, /[Ww]ait/);
  });

  test('a denied tool and one that does not exist look the same to the caller', async (t) => {
    const host = await Host.start(t, {
      config: JSON.stringify({
        plugins: [{ file: join(plugins, `${PLUGIN}.so`) }],
        tenants: [{ name: 'demo', tools: { deny: ['write_00'] } }],
      }),
    });
    const key = await host.key();
    const answer = async (name) => {
      const { status, body } = await post(host.url, key, rpc('tools/call', { name, arguments: {} }, 7));
      return { status, body: body.replaceAll(name, 'NAME') };
    };
    assert.deepEqual(await answer('write_00'), await answer('write_77'));
  });
});
