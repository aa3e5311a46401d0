import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { describe, test } from 'node:test';
import { type DynamicMessage, loadProto, memory, Server, silentLogger } from 'lictor';
import { filled, protoFile, sized } from '../codec/dear-messages.js';
import { decodedSizeContract } from '../contract/decoded-size.js';

decodedSizeContract('h2', () => 'h2');
decodedSizeContract('grpc-js', () => 'grpc-js');
decodedSizeContract('memory', () => memory());

describe('the Connect protocol: a message that would take too much once decoded', () => {
  const bodies = [
    ['application/json', Buffer.from(`{"empties":[${'{},'.repeat(2_000)}{}]}`)],
    ['application/proto', filled(4_000, sized(1))],
  ] as const;

  async function serving() {
    const server = new Server({ transport: 'h2', logger: silentLogger, graceMs: 0, maxDecodedBytes: 20_000 });
    server.registerService(loadProto(protoFile).service('t.S'), {
      call: (message: DynamicMessage) => message,
    });
    return server.serve();
  }

  for (const [type, body] of bodies) {
    test(`is refused over HTTP/1.1, ${type}`, async () => {
      await using server = await serving();
      const answer = await fetch(`http://${server.address}/t.S/Call`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      assert.equal(answer.status, 429);
      const { code, message } = (await answer.json()) as { code: string; message: string };
      assert.equal(code, 'resource_exhausted');
      assert.match(message, /at most 20000 are taken \(maxDecodedBytes of the server\)/);
    });

    test(`is refused over HTTP/2, ${type}`, async () => {
      await using server = await serving();
      const session = connect(`http://${server.address}`);
      const request = session.request({ ':method': 'POST', ':path': '/t.S/Call', 'content-type': type });
      request.end(body);
      const status = await new Promise((resolve) =>
        request.once('response', (headers) => resolve(headers[':status'])),
      );
      session.destroy();
      assert.equal(status, 429);
    });
  }
});
