// Two tenants: nothing that one of them sends, and nothing in SQL as the host's own roles, reaches a row of the other.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Host, sql } from './support/host.mjs';
import { callTool, textOf } from './support/raw.mjs';
import { listAll } from './support/many.mjs';

const NOWHERE = '000000'; // a well-formed id that no ticket has
const SECRET = 'alpha only 8c1f';

// Texts that would change a statement if one were ever built from them.
const INJECTIONS = [
  "' OR '1'='1",
  "'; SET app.tenant_id = '1'; --",
  "') OR tenant_id > 0 --",
  "'; RESET ROLE; SELECT * FROM tickets; --",
  '$1',
  "\\'; --",
  '%',
  '_',
  "1' UNION SELECT id, title FROM tickets --",
  "E'\\x27 OR 1=1'",
  '{"$ne":null}',
  "'||(SELECT string_agg(title, ',') FROM tickets)||'",
];

describe('tenancy', { timeout: 180_000 }, () => {
  let host, alpha, beta, alphaTickets, url;
  const cleanups = [];
  const asAlpha = (name, args) => callTool(host.url, alpha, name, args);
  const asBeta = (name, args) => callTool(host.url, beta, name, args);

  before(async () => {
    host = await Host.start({ after: (cleanup) => cleanups.push(cleanup) });
    [alpha, beta] = [await host.key('alpha'), await host.key('beta')];
    alphaTickets = [];
    for (let i = 0; i < 5; i += 1) {
      const result = await asAlpha('create_ticket', {
        title: `${SECRET} ${i}`,
        description: SECRET,
        tags: ['alpha-tag'],
        idempotency_key: `shared-${i}`,
      });
      alphaTickets.push(result.structuredContent.ticket);
    }
    await asBeta('create_ticket', { title: 'beta 0' });
    url = await host.command('db', 'url');
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  /** The result holds nothing of alpha. */
  const assertClean = (result, what) => {
    const text = JSON.stringify(result);
    assert.ok(!text.includes(SECRET), `${what} shows alpha's text: ${text.slice(0, 500)}`);
    for (const { id } of alphaTickets) assert.ok(!text.includes(id), `${what} shows alpha's id: ${text.slice(0, 500)}`);
  };

  test("another tenant's id and an id that does not exist get the same answer", async () => {
    for (const [tool, args] of [
      ['get_ticket', {}],
      ['add_reply', { body: 'hello' }],
    ]) {
      const [theirs, nobodys] = [
        await asBeta(tool, { id: alphaTickets[0].id, ...args }),
        await asBeta(tool, { id: NOWHERE, ...args }),
      ];
      assert.equal(theirs.isError, true);
      assert.equal(textOf(theirs).replaceAll(alphaTickets[0].id, NOWHERE), textOf(nobodys));
      assert.ok(!JSON.stringify(theirs).includes(SECRET));
    }
    const read = await asAlpha('get_ticket', { id: alphaTickets[0].id });
    assert.equal(read.structuredContent.ticket.version, alphaTickets[0].version, 'the refused reply changed nothing');
  });

  test('lists hold only the own tickets, whatever the filter', async () => {
    assert.deepEqual(
      (await listAll(host.url, beta)).map((ticket) => ticket.title),
      ['beta 0'],
    );
    for (const args of [
      { tags: ['alpha-tag'] },
      { sort: 'created' },
      { requester: 'me' },
      { assignee: 'none' },
      { response_format: 'detailed' },
    ]) {
      assertClean(await asBeta('list_tickets', { status: 'all', ...args }), JSON.stringify(args));
    }
  });

  test('a cursor of one tenant is refused to the other', async () => {
    const page = await asAlpha('list_tickets', { status: 'all', limit: 2 });
    const cursor = page.structuredContent.next_cursor;
    assert.ok(cursor, 'there is a second page');
    const result = await asBeta('list_tickets', { status: 'all', limit: 2, cursor });
    assert.equal(result.isError, true, JSON.stringify(result));
    assertClean(result, 'cursor');
    assert.notEqual(
      (await asAlpha('list_tickets', { status: 'all', limit: 2, cursor })).isError,
      true,
      'the owner may use it',
    );
  });

  test('an idempotency key of one tenant means nothing to the other', async () => {
    const result = await asBeta('create_ticket', { title: 'beta 1', idempotency_key: 'shared-0' });
    assert.equal(result.structuredContent.created, true, JSON.stringify(result));
    assertClean(result, 'idempotency_key');
  });

  test('there is no argument that names a tenant', async () => {
    for (const name of ['tenant', 'tenant_id', 'app.tenant_id', 'role']) {
      const result = await asBeta('list_tickets', { status: 'all', [name]: 1 });
      assert.equal(result.isError, true, `${name} was accepted`);
      assertClean(result, name);
    }
  });

  test('SQL in any text is data', async () => {
    for (const text of INJECTIONS) {
      const created = await asBeta('create_ticket', {
        title: text,
        description: text,
        category: text,
        tags: [text],
        assignee: text,
        requester: text,
      });
      assertClean(created, text);
      if (!created.isError) {
        const read = await asBeta('get_ticket', { id: created.structuredContent.ticket.id });
        assert.equal(read.structuredContent.ticket.title, text);
      }
      for (const args of [
        { requester: text },
        { tags: [text] },
        { category: text },
        { assignee: text },
        { cursor: text },
        { status: text },
        { created_after: text },
      ]) {
        assertClean(await asBeta('list_tickets', args), text);
      }
      for (const [tool, args] of [
        ['get_ticket', { id: text }],
        ['add_reply', { id: text, body: text }],
        ['create_ticket', { title: 'x', idempotency_key: text }],
      ]) {
        assertClean(await asBeta(tool, args), text);
      }
    }
    assert.equal((await listAll(host.url, alpha)).length, alphaTickets.length, "alpha's tickets are untouched");
  });

  describe('in SQL', () => {
    let roles, pluginRole, tables;
    const rows = async (statement) => {
      const lines = (await sql(url, statement)).split('\n').filter(Boolean);
      return lines.map((line) => line.split('|'));
    };
    /** SQL as a role that logged in by itself, so that RESET ROLE leads nowhere. */
    const sqlAs = (role, statement) => sql(url.replace(/^postgresql:\/\/[^@/]*@/, `postgresql://${role}@`), statement);

    before(async () => {
      roles = (
        await rows(String.raw`SELECT rolname FROM pg_roles
          WHERE rolname LIKE 'toolhost\_%' AND rolcanlogin AND rolname <> 'toolhost_admin'`)
      ).flat();
      pluginRole = roles.find((role) => role.startsWith('toolhost_plugin_'));
      tables = await rows(`SELECT c.oid, n.nspname, c.relname,
          EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND attname = 'tenant_id' AND NOT attisdropped)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`);
      tables = tables.map(([oid, schema, name, hasTenant]) => {
        return { oid, schema, name, full: `${schema}.${name}`, hasTenant: hasTenant === 't' };
      });
    });

    test('the roles own nothing, cannot bypass row-level security, and belong to nothing that can', async () => {
      assert.ok(roles.includes('toolhost_app') && pluginRole, `roles: ${roles}`);
      const list = roles.map((role) => `'${role}'`).join(',');
      const powerful = await rows(`SELECT rolname FROM pg_roles WHERE rolname IN (${list})
        AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)`);
      assert.deepEqual(powerful, []);
      const owned =
        await rows(`SELECT 'relation', oid::regclass::text FROM pg_class WHERE pg_get_userbyid(relowner) IN (${list})
        UNION ALL SELECT 'function', oid::regproc::text FROM pg_proc WHERE pg_get_userbyid(proowner) IN (${list})
        UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE pg_get_userbyid(nspowner) IN (${list})`);
      assert.deepEqual(owned, []);
      const memberships = await rows(`SELECT roleid::regrole, member::regrole FROM pg_auth_members
        WHERE pg_get_userbyid(member) IN (${list})`);
      assert.deepEqual(memberships, []);
      for (const role of roles) {
        assert.equal(await sqlAs(role, 'SELECT session_user'), role);
        for (const attempt of [
          'SET ROLE toolhost_admin',
          'SET SESSION AUTHORIZATION toolhost_admin',
          'SET row_security = off; SELECT * FROM pg_authid',
          'CREATE SCHEMA mine',
          'CREATE TABLE public.mine (x int)',
          'CREATE TEMP TABLE mine (x int)',
        ]) {
          await assert.rejects(sqlAs(role, attempt), /permission denied|must be/, `${role}: ${attempt}`);
        }
      }
    });

    test('tables with tenants have forced row-level security, a policy and a tenant-led primary key', async () => {
      const isOfHostAlone = ({ full }) => full.startsWith('toolhost.audit') || full === 'toolhost.kept_answers';
      const withTenant = tables.filter((table) => table.hasTenant && !isOfHostAlone(table));
      assert.ok(withTenant.some((table) => table.name === 'tickets'));
      for (const table of withTenant) {
        const [[enabled, forced, policies, leading]] = await rows(`SELECT relrowsecurity, relforcerowsecurity,
            (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid),
            (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = c.oid AND i.indisprimary)
          FROM pg_class c WHERE c.oid = ${table.oid}`);
        assert.deepEqual([enabled, forced, policies, leading], ['t', 't', '1', 'tenant_id'], table.full);
      }
    });

    test('the audit of all tenants is read by the host alone, and changed by nobody', async () => {
      const audit = tables.filter((table) => table.full.startsWith('toolhost.audit'));
      assert.ok(audit.length >= 4, 'the audit, its heads, checkpoints and partitions');
      for (const { full } of audit) {
        for (const role of roles.filter((each) => each !== 'toolhost_app'))
          await assert.rejects(sqlAs(role, `SELECT * FROM ${full}`), /permission denied/, `${role} ${full}`);
        for (const attempt of [`DELETE FROM ${full}`, `INSERT INTO ${full} SELECT * FROM ${full}`, `TRUNCATE ${full}`])
          await assert.rejects(sqlAs('toolhost_app', attempt), /permission denied/, attempt);
      }
    });

    test("a plugin's role sees no table of the host and none of another plugin", async () => {
      const readable = await rows(`SELECT oid FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege('${pluginRole}', oid, 'SELECT')`);
      const visible = tables.filter((table) => readable.flat().includes(table.oid));
      assert.ok(visible.length > 0);
      for (const table of visible) {
        assert.equal(`toolhost_plugin_${table.schema}`, pluginRole, `${pluginRole} can read ${table.full}`);
        assert.ok(table.hasTenant, `${table.full} is the plugin's and has no tenants`);
      }
    });

    test('without a tenant no row is visible, with one only its rows, and no statement reaches over', async () => {
      const table = tables.find((candidate) => candidate.name === 'tickets').full;
      const [[a], [b]] = await rows("SELECT id FROM toolhost.tenants WHERE name IN ('alpha', 'beta') ORDER BY name");
      const as = (tenant, statement) => sqlAs(pluginRole, `SET app.tenant_id = '${tenant}'; ${statement}`);
      const count = `SELECT count(*) FROM ${table}`;
      assert.equal(await sqlAs(pluginRole, count), '0');
      assert.equal(await as('', count), '0');
      assert.equal(await as('2147483647', count), '0');
      assert.equal(await as(a, count), String(alphaTickets.length));
      assert.notEqual(await as(b, count), '0');
      assert.equal(await as(b, `${count} WHERE tenant_id = ${a} OR title LIKE '%${SECRET}%'`), '0');

      for (const statement of [
        `UPDATE ${table} SET title = 'taken' WHERE tenant_id = ${a}`,
        `DELETE FROM ${table} WHERE tenant_id = ${a}`,
      ]) {
        await as(b, statement).catch((error) => assert.match(error.message, /permission denied/));
      }
      const columns = (
        await rows(`SELECT attname FROM pg_attribute WHERE attrelid = '${table}'::regclass
        AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`)
      ).flat();
      const values = columns.map((column) => ({ tenant_id: a, ref: "'ZZZZZZ'" })[column] ?? column);
      for (const statement of [
        `UPDATE ${table} SET tenant_id = ${a}`,
        `INSERT INTO ${table} (${columns}) SELECT ${values} FROM ${table} LIMIT 1`,
        `TRUNCATE ${table}`,
        `ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`,
        `DROP TABLE ${table}`,
        `COPY ${table} TO PROGRAM 'cat'`,
      ]) {
        await assert.rejects(as(b, statement), /row-level security|permission denied|must be/, statement);
      }
      const left = await sql(url, `${count} WHERE tenant_id = ${a} AND title LIKE '${SECRET}%'`);
      assert.equal(left, String(alphaTickets.length));
    });
  });
});
