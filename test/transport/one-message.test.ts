import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { frame } from '../../codec/framing.js';
import { dearMessages, type Way } from '../codec/dear-messages.js';

const OK = '0';
const RESOURCE_EXHAUSTED = '8';
const MIB = 1_048_576;
/** Path and content type. */
const paths: Readonly<Record<Way['name'], readonly [path: string, subtype: string]>> = {
  protobuf: ['/t.S/Call', 'proto'],
  json: ['/t.Plain/Call', 'json'],
  msgpack: ['/t.Plain/Call', 'msgpack'],
};
const program = fileURLToPath(new URL('./small-server.js', import.meta.url));

describe('a server with a heap of 256 MiB', () => {
  let child: ChildProcess;
  let session: ClientHttp2Session;

  before(async () => {
    child = fork(program, { execArgv: ['--max-old-space-size=256'] });
    const [address] = (await once(child, 'message')) as [string];
    session = connect(`http://${address}`);
    session.on('error', () => {}); // Where the server has ended the calls fail, and say so.
  });

  after(async () => {
    session.destroy();
    if (child.exitCode === null && child.signalCode === null) {
      child.disconnect();
      await once(child, 'exit');
    }
  });

  for (const { name, way, make, taken } of dearMessages) {
    test(`survives 4 MiB of ${name}, and answers the next call`, { timeout: 60_000 }, async () => {
      const bytes = make(4 * MIB);
      const plain = await call(session, way, bytes, 'identity');
      assert.equal(plain.status, taken ? OK : RESOURCE_EXHAUSTED, plain.message);
      const compressed = gzipSync(bytes);
      const { status, message } = await call(session, way, compressed, 'gzip');
      // gzip that inflates to more than a hundred times its size may be refused for that.
      if (bytes.length <= 100 * compressed.length) assert.equal(status, plain.status, message);
      if (!taken) assert.match(plain.message, /maxDecodedBytes of the server/);
      assert.equal((await call(session, way, way.codec.encode({}), 'identity')).status, OK);
      assert.equal(child.exitCode, null);
    });
  }
});

async function call(session: ClientHttp2Session, way: Way, message: Uint8Array, encoding: string) {
  const [path, subtype] = paths[way.name]!;
  const request = session.request({
    ':method': 'POST',
    ':path': path,
    te: 'trailers',
    'content-type': `application/grpc+${subtype}`,
    'grpc-encoding': encoding,
  });
  request.end(frame(message, encoding === 'gzip'));
  request.resume();
  const trailers = await new Promise<Record<string, unknown>>((resolve, reject) => {
    request.once('response', (headers) => {
      if (headers['grpc-status'] !== undefined) resolve(headers); // An error without a reply.
    });
    request.once('trailers', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new Error('the call was closed without a status')));
  });
  return {
    status: String(trailers['grpc-status']),
    message: decodeURIComponent(String(trailers['grpc-message'] ?? '')),
  };
}
