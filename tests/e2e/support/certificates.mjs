// Certificates for the length of a test, made by openssl: an authority, and names on this machine signed by it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './host.mjs';

async function openssl(...args) {
  const made = await run('openssl', args);
  if (made.code !== 0) throw new Error(`openssl ${args[0]}: ${made.stderr}`);
}

const newKey = (file) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file];

/** The path of a new authority's certificate in the directory. */
export async function makeAuthority(directory) {
  const file = join(directory, 'authority.pem');
  await openssl(
    'req',
    '-x509',
    ...newKey(join(directory, 'authority-key.pem')),
    '-out',
    file,
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign',
  );
  return file;
}

/** A certificate for localhost and 127.0.0.1: {certificate, key}, two files; the same `name` writes over the old ones. */
export async function makeCertificate(directory, name, subject = name) {
  const [certificate, key, request, extensions] = ['pem', 'key.pem', 'csr', 'ext'].map((end) =>
    join(directory, `${name}.${end}`),
  );
  await writeFile(
    extensions,
    'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n',
  );
  await openssl('req', '-new', ...newKey(key), '-out', request, '-subj', `/CN=${subject}`);
  await openssl(
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    join(directory, 'authority.pem'),
    '-CAkey',
    join(directory, 'authority-key.pem'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    extensions,
    '-out',
    certificate,
  );
  return { certificate, key };
}
