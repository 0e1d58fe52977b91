// Makes the table of README.md that says what works in which revision over which transport, of what the tests saw:
//   node protocol_table.mjs --check RECORDS README.md    1 when the table there says something else
//   node protocol_table.mjs --write RECORDS README.md    puts it there
// RECORDS is a JSON array of {transport, revision, feature, passed}, in the order of the rows.
import { readFileSync, writeFileSync } from 'node:fs';

const BEGIN = '<!-- what works where: made by tests/support/protocol_table.mjs of what the tests saw -->';
const END = '<!-- end -->';
const LETTERS = { sse: 'S', http: 'H', stdio: 'I' };

/** Rows are features, columns revisions; a cell names the transports over which it works. */
function tableOf(records) {
  const revisions = [...new Set(records.map(({ revision }) => revision))].sort();
  const features = [...new Set(records.map(({ feature }) => feature))];
  const cell = (feature, revision) => {
    const works = ({ transport }) =>
      records.some((r) => r.feature === feature && r.revision === revision && r.transport === transport && r.passed);
    const letters = Object.keys(LETTERS).filter((transport) => works({ transport }));
    return letters.map((transport) => LETTERS[transport]).join(' ');
  };
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [
    row(['', ...revisions]),
    `|${'---|'.repeat(revisions.length + 1)}`,
    ...features.map((feature) => row([feature, ...revisions.map((revision) => cell(feature, revision))])),
  ].join('\n');
}

const [mode, recordsFile, readmeFile] = process.argv.slice(2);
if (!['--check', '--write'].includes(mode) || !readmeFile) {
  console.error('usage: protocol_table.mjs --check|--write RECORDS README.md');
  process.exit(2);
}
const table = tableOf(JSON.parse(readFileSync(recordsFile, 'utf8')));
const readme = readFileSync(readmeFile, 'utf8');
const begin = readme.indexOf(BEGIN);
const end = readme.indexOf(END, begin);
if (begin < 0 || end < 0) {
  console.error(`${readmeFile} has no place for the table:\n${BEGIN}\n${END}`);
  process.exit(1);
}
const wanted = `${readme.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`;
if (mode === '--write') writeFileSync(readmeFile, wanted);
else if (wanted !== readme) {
  console.error(`${readmeFile} says something else than the tests saw:\n${table}`);
  process.exit(1);
}
