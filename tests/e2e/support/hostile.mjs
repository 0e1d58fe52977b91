// The host that hostile input is thrown at, one for each file of the suite. ./test runs the suite against the
// AddressSanitizer build as well: a report of it ends the process with another code than 0.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { Host } from './host.mjs';
import { post, rpc } from './raw.mjs';

export const MEGABYTE = 1024 * 1024;
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const INVALID_PARAMS = -32602;

/** Starts a host around the tests of this describe(); {host, key, otherKey} are set when they run. */
export function hostileHost() {
  const target = {};
  const cleanups = [];
  before(async () => {
    const context = { after: (cleanup) => cleanups.push(cleanup) };
    target.host = await Host.start(context, { config: 'http:\n  request_limit: 3s\n' });
    [target.key, target.otherKey] = [await target.host.key(), await target.host.key('demo', 'other')];
  });
  // Whatever a test did, the next caller is served.
  afterEach(async () => {
    assert.equal(target.host.hasEnded, false, target.host.log.slice(-4000));
    assert.equal((await post(target.host.url, target.otherKey, rpc('ping'))).status, 200);
  });
  after(async () => {
    const end = await target.host?.stop();
    for (const cleanup of cleanups) await cleanup();
    assert.deepEqual(end, { code: 0, signal: null }, target.host?.errors.slice(-8000));
    assert.doesNotMatch(target.host.log, /Sanitizer|runtime error:/);
  });
  return target;
}

/** A create_ticket request. */
export const create = (title, id) => rpc('tools/call', { name: 'create_ticket', arguments: { title } }, id);
