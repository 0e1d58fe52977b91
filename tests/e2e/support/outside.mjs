// Builds the plugins of outside-plugin/ against nothing but the installed toolhost-plugin package.
import assert from 'node:assert/strict';
import { dirname, join, resolve } from 'node:path';
import { BINARY, freshDirectory, run, SOURCE_DIR } from './host.mjs';

/** Where the binary under test was built. */
export const BUILD_DIR = process.env.TOOLHOST_BUILD_DIR ?? resolve(dirname(BINARY), '..');

async function must(program, ...args) {
  const result = await run(program, args, { limit: 180_000 });
  assert.equal(result.code, 0, `${program} ${args.join(' ')}\n${result.stdout}${result.stderr}`);
}

/**
 * Installs the package into a fresh prefix and builds against it: a directory with outside_notes.so,
 * outside_throwing.so, outside_articles.so, outside_stray.so and others.
 */
export async function buildOutsidePlugins(t) {
  const directory = await freshDirectory(t);
  const prefix = join(directory, 'prefix');
  await must('cmake', '--install', BUILD_DIR, '--prefix', prefix);
  await must(
    'cmake',
    '-S',
    join(SOURCE_DIR, 'tests/e2e/outside-plugin'),
    '-B',
    join(directory, 'build'),
    '-G',
    'Ninja',
    '-DCMAKE_C_COMPILER=clang-19',
    '-DCMAKE_CXX_COMPILER=clang++-19',
    '-DCMAKE_BUILD_TYPE=Release',
    `-DCMAKE_PREFIX_PATH=${prefix}`,
  );
  await must('cmake', '--build', join(directory, 'build'));
  return join(directory, 'build');
}

/** A configuration that loads these plugin files beside the tickets plugin. */
export const configWith = (...files) =>
  `plugins:\n  - file: tickets.so\n${files.map((file) => `  - file: ${file}\n`).join('')}`;
