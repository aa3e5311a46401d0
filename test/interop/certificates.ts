import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The name that the server's certificate carries; no address, so that clients have to be told it. */
export const SERVER_NAME = 'interop.lictor.test';

/** Paths of PEM files. */
export type Certificates = { ca: string; server: Pair; client: Pair };
type Pair = { cert: string; key: string };

/** An authority of the test's own in `folder`, and what it has signed. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = { cert: path('ca.pem'), key: path('ca.key') };
  await openssl(
    ...['req', '-x509', ...newKey, '-subj', '/CN=Lictor interop test authority', '-days', '2'],
    ...['-keyout', ca.key, '-out', ca.cert],
  );
  const signed = async (name: string, extensions: string): Promise<Pair> => {
    const [cert, key, request, file] = ['pem', 'key', 'csr', 'ext'].map((end) => path(`${name}.${end}`)) as [
      string,
      string,
      string,
      string,
    ];
    await writeFile(file, extensions);
    await openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
    await openssl(
      ...['x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'],
      ...['-days', '2', '-extfile', file, '-out', cert],
    );
    return { cert, key };
  };
  return {
    ca: ca.cert,
    server: await signed('server', `subjectAltName=DNS:${SERVER_NAME}`),
    client: await signed('client', 'extendedKeyUsage=clientAuth'),
  };
}
