import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certificate } from './stack.js';

/** A certificate for 127.0.0.1 that signs itself, good for a day. @throws Error when there is no openssl */
export function createCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-bench-'));
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  try {
    const options =
      '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost';
    execFileSync(
      'openssl',
      ['req', ...options.split(' '), '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
      { stdio: 'pipe' },
    );
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
