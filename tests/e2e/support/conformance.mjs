// Runs the official conformance suites (two pinned versions of @modelcontextprotocol/conformance) against a URL.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './host.mjs';

const MODULES = join(dirname(fileURLToPath(import.meta.url)), '../node_modules');

/** `conformance server --url URL ARGS` of a package: {code, output, scenarios: name -> checks}. */
export async function runConformance(name, url, args, directory) {
  await mkdir(directory, { recursive: true });
  const program = join(MODULES, name, 'dist/index.js');
  const result = await run(process.execPath, [program, 'server', '--url', url, ...args, '-o', directory], {
    limit: 240_000,
  });
  const scenarios = new Map();
  for (const entry of await readdir(directory)) {
    const scenario = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(entry)?.[1];
    const checks = await readFile(join(directory, entry, 'checks.json'), 'utf8').catch(() => undefined);
    if (scenario && checks) scenarios.set(scenario, JSON.parse(checks));
  }
  return { code: result.code, output: result.stdout + result.stderr, scenarios };
}

/** One line for each check of this status. */
export const checksOf = (checks, status) =>
  checks
    .filter((check) => check.status === status)
    .map((check) => `${check.id}: ${check.errorMessage ?? check.description}`.slice(0, 2000));
