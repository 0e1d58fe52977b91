// Starts the real binary in fresh directories and ends it by its own process id.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const SOURCE_DIR = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const BINARY = process.env.TOOLHOST_BIN ?? join(SOURCE_DIR, 'build/release/bin/toolhost');
/** Sanitizers slow everything down; limits that state a duration are multiplied by this. */
export const SLOWNESS = Number(process.env.TOOLHOST_TEST_SLOWNESS ?? 1);

if (!existsSync(BINARY))
  throw new Error(`${BINARY} does not exist: build it with './run --build-only' or set TOOLHOST_BIN`);

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits for the promise, but no longer than `ms`; no timer is left that would keep the process from ending. */
export async function wait(promise, ms) {
  let timer;
  const end = new Promise((done) => {
    timer = setTimeout(done, ms);
  });
  await Promise.race([promise, end]).finally(() => clearTimeout(timer));
}

/** A directory that ends with the test. Every user may enter it: as root, PostgreSQL runs as another one. */
export async function freshDirectory(t) {
  const directory = await mkdtemp(join(tmpdir(), 'th-'));
  await chmod(directory, 0o755);
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  return directory;
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs a program to its end: {code, signal, stdout, stderr}. Killed after `limit` milliseconds, or by `signal`. */
export function run(program, args, { input = '', env = {}, limit = 60_000, cwd, signal } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout: limit * SLOWNESS,
      killSignal: 'SIGKILL',
      signal,
    });
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
    child.on('error', failed);
    child.on('close', (code, signal) => done({ code, signal, ...out }));
    child.stdin.on('error', () => {}); // a program that ends without reading is no failure
    child.stdin.end(input);
  });
}

/** One command of the binary. */
export const toolhost = (args, options) => run(BINARY, args, options);

/** The same, for commands that must succeed: its standard output without the last newline. */
export async function toolhostOk(args, options) {
  const result = await toolhost(args, options);
  if (result.code !== 0)
    throw new Error(
      `toolhost ${args.join(' ')} ended with ${result.code ?? result.signal}:\n${result.stderr}${result.stdout}`,
    );
  return result.stdout.replace(/\n$/, '');
}

/** Polls until `check` returns something true, which is returned; throws with `what` after `limit` milliseconds. */
export async function eventually(what, check, { limit = 10_000, every = 20 } = {}) {
  const end = performance.now() + limit * SLOWNESS;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${limit * SLOWNESS} ms: ${what}`);
    await sleep(every);
  }
}

/** A serving host. `Host.start(t, {...})` registers its end with the test. */
export class Host {
  /**
   * dataDir: an existing one (else a fresh one); config: YAML text; configFile: a file; args: more of the command line; cwd;
   * binary: another program than the one under test, such as an installed copy of it.
   * Options are remembered for restart().
   */
  static async start(t, options = {}) {
    const host = new Host();
    t.after(() => host.stop('SIGKILL')); // before the directory goes: hooks run in the order they were registered
    host.directory = options.dataDir ? dirname(options.dataDir) : await freshDirectory(t);
    host.dataDir = options.dataDir ?? join(host.directory, 'data');
    host.options = options;
    await host.launch(options.port ?? 0);
    return host;
  }

  async launch(port) {
    const { config, configFile, args = [], env = {}, cwd, binary = BINARY } = this.options;
    let file = configFile;
    if (config !== undefined) await writeFile((file = join(this.directory, 'host.yaml')), config);
    this.configArgs = file ? ['--config', file] : [];
    this.output = '';
    this.errors = '';
    const started = performance.now();
    this.process = spawn(
      binary,
      ['serve', ...this.configArgs, '--data-dir', this.dataDir, '--port', String(port), ...args],
      { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.ended = new Promise((done) => this.process.once('close', (code, signal) => done({ code, signal })));
    this.hasEnded = false;
    this.ended.then(() => (this.hasEnded = true));
    this.process.stdout.setEncoding('utf8').on('data', (text) => (this.output += text));
    this.process.stderr.setEncoding('utf8').on('data', (text) => (this.errors += text));
    const serving = await eventually(
      `toolhost serves\n${this.process.spawnargs.join(' ')}`,
      () => {
        if (this.hasEnded)
          throw new Error(
            `toolhost serve ended with ${this.process.exitCode ?? this.process.signalCode}:\n${this.log}`,
          );
        return /listening on (https?:\/\/[^\s:]+(?::(\d+))?)\s/.exec(this.output);
      },
      { limit: 30_000 },
    );
    this.url = serving[1];
    this.port = Number(serving[2] ?? port); // a public URL may have none
    /** Milliseconds from the start of the process to its first "listening". */
    this.startedIn = performance.now() - started;
  }

  get log() {
    return this.output + this.errors;
  }

  /** Starts the same host again on the same port. */
  restart() {
    return this.launch(this.port);
  }

  /** Ends the process and waits for it: {code, signal}. Its PostgreSQL ends with it. */
  async stop(signal = 'SIGTERM', limit = 20_000) {
    if (!this.process || this.hasEnded) return this.ended;
    const pid = this.process.pid;
    this.process.kill(signal);
    const late = setTimeout(() => this.process.kill('SIGKILL'), limit * SLOWNESS);
    const end = await this.ended;
    clearTimeout(late);
    await eventually(`PostgreSQL of host ${pid} ends with it`, async () => !(await this.postmaster()));
    return end;
  }

  /** Process id of the running PostgreSQL of this data directory; 0 when there is none. */
  async postmaster() {
    const text = await readFile(join(this.dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
    const pid = Number(text.split('\n')[0]);
    if (!pid) return 0;
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return /^\d+ \(postgres\) [^ZX]/.test(state) ? pid : 0;
  }

  /** Stops PostgreSQL where it is, with every process of it. What is returned lets it go on; the end of the test does. */
  async freezeDatabase(t) {
    const postmaster = await this.postmaster();
    const pids = [postmaster];
    const signal = (name) => {
      for (const pid of pids) {
        try {
          process.kill(pid, name);
        } catch {
          // it has ended
        }
      }
    };
    signal('SIGSTOP'); // so that there are no new ones
    const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
    pids.push(...children.split(' ').filter(Boolean).map(Number));
    signal('SIGSTOP');
    const goOn = () => signal('SIGCONT');
    t.after(goOn);
    return goOn;
  }

  /** A command of the binary on this host's data directory; must succeed. */
  command(...args) {
    return toolhostOk([...args, ...this.configArgs, '--data-dir', this.dataDir]);
  }

  /** A new key of a tenant, which is created when it does not exist; returned when the host accepts it. */
  async key(tenant = 'demo', name = 'e2e') {
    if (tenant !== 'demo') await toolhost(['tenant', 'create', tenant, ...this.configArgs, '--data-dir', this.dataDir]);
    const key = await this.command('key', 'create', '--tenant', tenant, '--name', name);
    await eventually(
      'the new key is accepted',
      async () => {
        const answer = await fetch(`${this.url}/mcp`, { method: 'POST', headers: { 'X-API-Key': key }, body: '{}' });
        await answer.text();
        return answer.status !== 401;
      },
      { every: 5 },
    );
    return key;
  }

  /** Resident memory in bytes. */
  async residentBytes() {
    const status = await readFile(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }
}

/** Runs SQL through psql and returns its unaligned output; throws with psql's words when a statement fails. */
export async function sql(url, text) {
  const psql = await run('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', '-'], {
    input: text,
  });
  if (psql.code !== 0) throw new Error(psql.stderr.trim());
  return psql.stdout.trim();
}
