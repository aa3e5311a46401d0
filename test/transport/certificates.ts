import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Certificate = { readonly cert: Buffer; readonly key: Buffer };

/** An authority of the test's own, which lasts until disposed. */
export interface Authority extends Certificate, Disposable {
  /** @param names `DNS:localhost`, `IP:127.0.0.1` */
  issue(commonName: string, names: readonly string[], options?: { expired?: boolean }): Certificate;
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-tls-'));
  const path = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...key, '-days', '2', '-subj', '/CN=test authority'],
    ...['-keyout', path('ca.key'), '-out', path('ca.pem')],
  );
  // What `openssl ca` keeps its books in; of the simpler commands none can date a certificate back.
  writeFileSync(path('index.txt'), '');
  writeFileSync(
    path('ca.cnf'),
    `[ca]\ndefault_ca = own\n[own]\ndatabase = ${path('index.txt')}\nnew_certs_dir = ${folder}
    default_md = sha256\npolicy = any\nunique_subject = no\nrand_serial = yes\n[any]\ncommonName = supplied\n`,
  );
  let count = 0;
  return {
    cert: readFileSync(path('ca.pem')),
    key: readFileSync(path('ca.key')),
    issue(commonName, names, { expired = false } = {}) {
      const name = `issued-${count++}`;
      openssl(
        ...['req', '-new', ...key, '-subj', `/CN=${commonName}`],
        ...['-keyout', path(`${name}.key`), '-out', path(`${name}.csr`)],
      );
      writeFileSync(path(`${name}.ext`), `subjectAltName=${names.join(',')}\n`);
      const dates = expired ? ['20200101000000Z', '20200102000000Z'] : ['20200101000000Z', '20990101000000Z'];
      openssl(
        ...['ca', '-batch', '-notext', '-config', path('ca.cnf'), '-cert', path('ca.pem')],
        ...['-keyfile', path('ca.key'), '-in', path(`${name}.csr`), '-out', path(`${name}.pem`)],
        ...['-extfile', path(`${name}.ext`), '-startdate', dates[0]!, '-enddate', dates[1]!],
      );
      return { cert: readFileSync(path(`${name}.pem`)), key: readFileSync(path(`${name}.key`)) };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
