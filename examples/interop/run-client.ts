import { Client, type ClientOptions } from 'lictor';
import type { Peer } from './cases/case.js';
import { TestService, UnimplementedService } from './gen/grpc/testing/test.js';
import { runCases } from './run-cases.js';

export type RunOptions = {
  target: string;
  transport: string;
  tls?: NonNullable<ClientOptions['tls']>;
  /** A case by its name, or `all`. */
  name: string;
};

/** Runs cases with Lictor's client; returns how many failed. */
export async function runClient({ target, transport, tls, name }: RunOptions): Promise<number> {
  const options: ClientOptions = {
    target,
    // The client checks the name and lists the known ones.
    transport: transport as NonNullable<ClientOptions['transport']>,
    // A case that failed may leave a call behind.
    graceMs: 0,
    ...(tls && { tls }),
  };
  await using client = new Client(options);
  // With grpc-js a call compresses only in a client that does.
  await using compressing = new Client({ ...options, compression: 'gzip' });
  const peer: Peer = {
    test: client.service(TestService),
    compressing: (transport === 'grpc-js' ? compressing : client).service(TestService),
    unimplemented: client.service(UnimplementedService),
  };
  return await runCases(peer, name);
}
