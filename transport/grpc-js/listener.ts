import type {
  Server,
  ServerCredentials,
  ServerDuplexStream,
  ServerUnaryCall,
  sendUnaryData,
} from '@grpc/grpc-js';
import { formatAddress, parseAddress } from '../../rpc/address.js';
import { listenError } from '../listen-error.js';
import type { Listener, ListenOptions, Route } from '../transport.js';
import { servedCredentials } from './credentials.js';
import { GrpcIncomingStream, GrpcIncomingUnary } from './incoming.js';
import { serverOptions } from './options.js';
import { grpc } from './package.js';
import { wrapRequestHeaders } from './request-headers.js';
import { markUnknownMethods } from './unknown-method.js';

/** A grpc-js server for the routes. */
export async function listen(options: ListenOptions): Promise<Listener> {
  if (options.compression !== 'identity') {
    throw new RangeError(
      `compression of replies: grpc-js has only 'identity', got '${options.compression}' (requests it can compress)`,
    );
  }
  const { Server, ServerCredentials } = grpc();
  const server = new Server(serverOptions(options));
  wrapRequestHeaders(server);
  markUnknownMethods(server);
  for (const [path, route] of options.routes) {
    if (route.kind === 'unary') server.register(path, unary(route), identity, identity, 'unary');
    // On the wire the other kinds are one: requests one way, replies the other.
    else server.register(path, stream(route), identity, identity, 'bidi');
  }
  const secure = options.tls && servedCredentials(options.tls);
  const port = await bind(server, options.address, secure ?? ServerCredentials.createInsecure());
  const address = parseAddress(options.address);
  let closing: Promise<void> | undefined;
  return {
    address: address.kind === 'unix' ? options.address : formatAddress({ ...address, port }),
    ...(secure ? { renewTls: (tls) => secure.renew(tls) } : {}),
    close(graceMs) {
      closing ??= close(server, graceMs);
      if (graceMs === 0) server.forceShutdown();
      return closing;
    },
  };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error) reject(listenError(address, error));
      else resolve(port);
    });
  });
}

/** `tryShutdown` waits for as long as one call lasts, so it gets its time and no more. */
async function close(server: Server, graceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  await Promise.race([new Promise<void>((resolve) => server.tryShutdown(() => resolve())), grace]);
  clearTimeout(timer);
  server.forceShutdown();
}

/** Bytes stay bytes here: which codec a call wants shows in its content type. */
const identity = (bytes: Buffer) => bytes;

const unary = (route: Route) => (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
  new GrpcIncomingUnary(call, callback).run(route, call.request);

const stream = (route: Route) => (call: ServerDuplexStream<Buffer, Buffer>) =>
  new GrpcIncomingStream(call).run(route);
