import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { createAuthority } from '../../transport/certificates.js';
import { mounted } from '../../transport/mounted.js';
import { programs } from './programs.js';

test('workers show the certificate that their files hold, each of them', { timeout: 60_000 }, async () => {
  using authority = createAuthority();
  const files = (name: string) => {
    const { cert, key } = authority.issue(name, ['IP:127.0.0.1']);
    return { 'tls.crt': cert, 'tls.key': key };
  };
  using mount = mounted(files('first'));
  await using all = programs();
  const tls = { certFile: mount.path('tls.crt'), keyFile: mount.path('tls.key') };
  const { told } = await all.start({ workers: 2, tls });
  assert.ok('addresses' in told, JSON.stringify(told));
  const shown = async (address: string) => {
    const socket = connect({ port: Number(address.split(':')[1]), host: '127.0.0.1', ca: authority.cert });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  };
  assert.equal(told.addresses.length, 2);
  for (const name of ['first', 'second', 'third']) {
    if (name !== 'first') mount.swap(files(name));
    for (const address of told.addresses) while ((await shown(address)) !== name) await sleep(20);
  }
});
