import { once } from 'node:events';
import {
  type Client,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata as GrpcMetadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { type CallOptions, Metadata, RpcError } from 'lictor';
import { statusFrom } from '../../../rpc/status.js';

type Message = object;
type Requests = AsyncIterable<Message>;
type Settle = (error: ServiceError | null, reply?: Message) => void;
type Emits = {
  on(event: 'metadata', listener: (header: GrpcMetadata) => void): unknown;
  on(event: 'status', listener: (status: StatusObject) => void): unknown;
  cancel(): void;
};

/** Plain grpc-js under the signatures of Lictor's own client, so that both run the same cases. */
export const stub = (client: Client, service: ServiceDefinition): Record<string, unknown> =>
  Object.fromEntries(
    Object.values(service).map((method) => [
      method.originalName ?? method.path,
      (request: unknown, options: CallOptions = {}) =>
        begin(client, method as MethodDefinition<Message, Message>, request, options),
    ]),
  );

function begin(
  client: Client,
  method: MethodDefinition<Message, Message>,
  request: unknown,
  options: CallOptions,
): unknown {
  const { path, requestSerialize: write, responseDeserialize: read } = method;
  const metadata = sent(options);
  const settings = options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
  if (!method.requestStream && !method.responseStream) {
    return single(options, (settle) =>
      client.makeUnaryRequest(path, write, read, request as Message, metadata, settings, settle),
    );
  }
  if (!method.responseStream) {
    return single(options, (settle) => {
      const call = client.makeClientStreamRequest(path, write, read, metadata, settings, settle);
      void send(call, request as Requests);
      return call;
    });
  }
  if (!method.requestStream) {
    return many(
      options,
      client.makeServerStreamRequest(path, write, read, request as Message, metadata, settings),
    );
  }
  const call = client.makeBidiStreamRequest(path, write, read, metadata, settings);
  void send(call, request as Requests);
  return many(options, call);
}

const single = (options: CallOptions, start: (settle: Settle) => Emits): Promise<Message> =>
  new Promise((resolve, reject) => {
    follow(
      options,
      start((error, reply) => (error ? reject(errorFrom(error)) : resolve(reply!))),
    );
  });

async function* many(
  options: CallOptions,
  call: ClientReadableStream<Message>,
): AsyncGenerator<Message, void> {
  follow(options, call);
  try {
    yield* call;
  } catch (error) {
    throw errorFrom(error as ServiceError);
  }
}

async function send(call: ClientWritableStream<Message>, requests: Requests): Promise<void> {
  for await (const request of requests) if (!call.write(request)) await once(call, 'drain');
  call.end();
}

function follow({ signal, onHeader, onTrailer }: CallOptions, call: Emits): void {
  signal?.addEventListener('abort', () => call.cancel(), { once: true });
  call.on('metadata', (header) => onHeader?.(received(header)));
  call.on('status', (status) => onTrailer?.(received(status.metadata)));
}

function sent({ metadata = {} }: CallOptions): GrpcMetadata {
  const target = new GrpcMetadata();
  for (const [key, value] of Metadata.from(metadata))
    target.add(key, typeof value === 'string' ? value : Buffer.from(value));
  return target;
}

function received(source: GrpcMetadata): Metadata {
  const target = new Metadata();
  for (const [key, values] of Object.entries(source.toJSON()))
    for (const value of values) target.addReceived(key, value);
  return target;
}

const errorFrom = ({ code, details }: ServiceError) => new RpcError(statusFrom(code), details);
