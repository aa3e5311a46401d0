import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Server } from 'lictor';
import { createCertificate } from '../../bench/calls/certificate.js';
import { consul, type ServiceCheck } from '../../plugin/consul/consul.js';
import { silentLogger } from '../../rpc/log.js';
import { Health } from '../../server/health.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { startCatalogServer } from '../consul/catalog-servers.js';
import { read } from '../contract/reader.js';
import { Faults } from '../faults/service.js';

const TIME_LIMIT = { timeout: 60_000 };

let agent: ConsulAgent;
before(async () => {
  agent = await startConsul();
});
after(() => agent.stop());
const catalog = (check?: ServiceCheck, passing = true) =>
  consul({ mode: 'catalog', address: agent.address, check, passing });

test('TTL: a server that is frozen goes, and comes back when it runs on', TIME_LIMIT, async () => {
  await using server = await startCatalogServer(agent.address, { kind: 'ttl', ttlMs: 1_000 });
  await using reader = read(catalog(), Faults.name);
  await reader.untilAddresses(server.address);
  server.kill('SIGSTOP');
  await reader.untilAddresses();
  server.kill('SIGCONT');
  await reader.untilAddresses(server.address);
});

test('F22: a server that was frozen until Consul forgot it is listed again', TIME_LIMIT, async () => {
  await using server = await startCatalogServer(agent.address, { kind: 'ttl', ttlMs: 1_000 });
  await using reader = read(catalog(), Faults.name);
  await reader.untilAddresses(server.address);
  server.kill('SIGSTOP');
  // What deregisterCriticalServiceAfter does after a minute.
  const id = `${Faults.name}~${server.address.replace(':', '~')}`;
  await agent.request('PUT', `/agent/service/deregister/${id}`);
  await reader.untilAddresses();
  server.kill('SIGCONT');
  await reader.untilAddresses(server.address);
});

for (const check of [{ kind: 'ttl', ttlMs: 1_000 } as const, { kind: 'tcp', intervalMs: 1_000 } as const]) {
  test(
    `${check.kind}: a server that is killed goes, and its successor on the port is listed`,
    TIME_LIMIT,
    async () => {
      const server = await startCatalogServer(agent.address, check);
      await using reader = read(catalog(), Faults.name);
      await reader.untilAddresses(server.address);
      await server[Symbol.asyncDispose]();
      await reader.untilAddresses();
      await using next = await startCatalogServer(agent.address, check, server.address);
      await reader.untilAddresses(next.address);
    },
  );
}

for (const secure of [false, true]) {
  test(
    `gRPC${secure ? ' over TLS' : ''}: a server whose health says NOT_SERVING goes, and comes back`,
    TIME_LIMIT,
    async () => {
      const certificate = secure ? createCertificate() : undefined;
      const health = new Health();
      health.serving([Faults.name]);
      const server = new Server({
        address: '127.0.0.1:0',
        drainMs: 0,
        ...(certificate ? { tls: { cert: certificate.cert, key: certificate.key } } : {}),
      });
      server.registerService(Faults, { work: ({ n }) => ({ n }) });
      server.registerService(Health.service, health.implementation);
      await server.serve();
      const plugin = catalog({ kind: 'grpc', intervalMs: 1_000, tls: secure, tlsSkipVerify: secure });
      const request = { address: server.address, services: [Faults.name], logger: silentLogger };
      const entry = await plugin.init(request);
      await using reader = read(plugin, Faults.name);
      await reader.untilAddresses(server.address);
      health.notServing();
      await reader.untilAddresses();
      health.serving([Faults.name]);
      await reader.untilAddresses(server.address);
      await entry[Symbol.asyncDispose]();
      await server.close();
    },
  );
}

test('gRPC: a server answers for each of its services by its own health service', TIME_LIMIT, async () => {
  const check = { kind: 'grpc', intervalMs: 1_000 } as const;
  await using server = await startCatalogServer(agent.address, check);
  const id = `service:${Faults.name}~${server.address.replace(':', '~')}`;
  // The check passes from the start; what it has found since is in its output.
  for (;;) {
    const checks = (await agent.request('GET', '/agent/checks')) as Record<string, Record<string, string>>;
    const { Status, Output } = checks[id]!;
    assert.equal(Status, 'passing', Output);
    if (Output) break;
  }
});

test('HTTP: 429 is a warning and 500 a failure', TIME_LIMIT, async () => {
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['x-probe']}`);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`;
  const plugin = catalog({
    kind: 'http',
    url,
    method: 'POST',
    headers: { 'x-probe': 'yes' },
    intervalMs: 1_000,
  });
  const entry = await plugin.init({
    address: '127.0.0.1:8000',
    services: ['http.Greeter'],
    logger: silentLogger,
    weight: 5,
  });
  await using passing = read(plugin, 'http.Greeter');
  await using all = read(catalog(undefined, false), 'http.Greeter');
  await passing.untilAddresses('127.0.0.1:8000');
  status = 429;
  await all.untilNodes(([node]) => node?.weight === 1);
  await passing.untilAddresses();
  status = 500;
  await all.untilNodes(([node]) => node?.weight === 0);
  status = 204;
  await all.untilNodes(([node]) => node?.weight === 5);
  await passing.untilAddresses('127.0.0.1:8000');
  assert.ok(asked.length > 0 && asked.every((line) => line === 'POST /healthz yes'));
  await entry[Symbol.asyncDispose]();
  server.close();
});
