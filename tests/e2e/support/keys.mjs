// Keys in large numbers, straight into the database: as the command line makes them, without a process for each.
import { createHmac, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { sql } from './host.mjs';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function base62(number, length) {
  let text = '';
  for (let left = number; text.length < length; left = Math.floor(left / 62)) text = BASE62[left % 62] + text;
  return text;
}

/** A well-formed key: "hdsk_", 26 random characters, 6 of their CRC-32. */
export function makeKey() {
  const text = `hdsk_${Array.from({ length: 26 }, () => BASE62[randomInt(62)]).join('')}`;
  return text + base62(crc32(text), 6);
}

const literal = (value) =>
  value === undefined || value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`;

/**
 * Inserts keys of existing tenants: [{tenant, name, owner, scopes, expiresAt, disabled}]. Each gets `key`; the same
 * list is returned.
 */
export async function insertKeys(host, keys) {
  const pepper = await readFile(join(host.dataDir, 'secrets', 'pepper'));
  const rows = keys.map((key) => {
    key.key = makeKey();
    const hash = createHmac('sha256', pepper).update(key.key).digest('hex');
    const scopes = `array[${(key.scopes ?? []).map(literal).join(', ')}]::text[]`;
    return (
      `((select id from toolhost.tenants where name = ${literal(key.tenant)}), ${literal(key.name)}, ` +
      `${literal(key.owner ?? '')}, ${literal(key.key.slice(0, 11))}, '\\x${hash}', 1, ${scopes}, ` +
      `${literal(key.expiresAt)}::timestamptz, ${key.disabled ? 'true' : 'false'})`
    );
  });
  await sql(
    await host.command('db', 'url'),
    `insert into toolhost.api_keys (tenant_id, name, owner, prefix, hash, pepper_version, scopes, expires_at, disabled)
     values ${rows.join(',\n')};`,
  );
  return keys;
}
