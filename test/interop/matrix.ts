import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cases } from '../../examples/interop/cases/all.js';
import { makeCertificates, SERVER_NAME } from './certificates.js';
import { grpcio, lictor, others, type Peer, pythonH2 } from './peers.js';
import { type Ended, runClient, type ServerProcess, startServer } from './process.js';

/** Lictor's transports under test; each is tested against the others and against everyone else. */
const TRANSPORTS = ['grpc-js', 'h2'];

export type Security = 'plaintext' | 'TLS' | 'mutual TLS';

const ours = TRANSPORTS.map(lictor);
const directions: readonly { client: Peer; server: Peer }[] = [
  ...ours.flatMap((client) => [...ours, ...others].map((server) => ({ client, server }))),
  ...others.flatMap((client) => ours.map((server) => ({ client, server }))),
  // That the peer made by hand speaks gRPC is for gRPC's own core to say.
  { client: grpcio, server: pythonH2 },
  { client: pythonH2, server: grpcio },
];

/** Lictor calls everyone and everyone calls Lictor; each case is a test. */
export function interopMatrix(security: Security): void {
  describe(`interop over ${security}`, { concurrency: true }, () => {
    let folder: string;
    let options: { server: readonly string[]; client: readonly string[] };
    const servers = new Map<Peer, Promise<ServerProcess>>();
    const serverOf = (peer: Peer) => {
      const started = servers.get(peer) ?? peer.command('server', options.server, folder).then(startServer);
      servers.set(peer, started);
      return started;
    };
    const run = async (client: Peer, server: Peer) => {
      const { address, errors } = await serverOf(server);
      const args = ['--server', address, '--case', 'all', ...options.client];
      const ended = await runClient(await client.command('client', args, folder));
      return { ...ended, serverErrors: errors() };
    };

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'lictor-interop-'));
      options = await optionsFor(security, folder);
    });
    after(async () => {
      for (const server of await Promise.allSettled(servers.values()))
        if (server.status === 'fulfilled') await server.value.stop();
      await rm(folder, { recursive: true, force: true });
    });

    for (const { client, server } of directions) {
      describe(`${client.name} calls ${server.name}`, () => {
        let running: Promise<Ended & { serverErrors: string }>;

        before(async () => {
          running = run(client, server);
          // Each test tells by itself that there is nothing to look at.
          await running.catch(() => {});
        });

        for (const name of Object.keys(cases)) {
          const reason = notPossible(client, server, name);
          test(reason === undefined ? name : `${name} is not possible: ${reason}`, async () => {
            const ended = await running;
            const line = ended.lines.find((each) => each.startsWith(`${name}: `)) ?? 'no line';
            const wanted = reason === undefined ? /^\w+: passed/ : /^\w+: not possible: /;
            assert.match(line, wanted, `${line}\nclient: ${ended.errors}\nserver: ${ended.serverErrors}`);
          });
        }
      });
    }
  });
}

/** A reason that is no longer true makes its test fail, as the case passes then. */
function notPossible(client: Peer, server: Peer, name: string): string | undefined {
  const own = client.clientCannot(name);
  if (own !== undefined) return own;
  if (name.startsWith('client_compressed_')) return server.serverCannot('seeCompressedRequests');
  if (name.startsWith('server_compressed_')) return server.serverCannot('compressSomeReplies');
  if (name.startsWith('compressed_')) return server.serverCannot('takeCompressedRequests');
  return undefined;
}

async function optionsFor(security: Security, folder: string) {
  if (security === 'plaintext') return { server: [], client: [] };
  const { ca, server, client } = await makeCertificates(folder);
  const mutual = security === 'mutual TLS';
  return {
    server: ['--tls', ...shown(server), ...(mutual ? ['--ca', ca] : [])],
    client: ['--tls', '--ca', ca, '--server-name', SERVER_NAME, ...(mutual ? shown(client) : [])],
  };
}

const shown = ({ cert, key }: { cert: string; key: string }) => ['--cert', cert, '--key', key];
