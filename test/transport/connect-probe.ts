import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestOptions,
} from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  type DynamicMessage,
  defineService,
  type Implementation,
  loadProto,
  Metadata,
  RpcError,
  Server,
  type ServerOptions,
  type Status,
  serverStream,
  silentLogger,
  unary,
  uncompressed,
} from 'lictor';
import { root } from '../../scripts/root.js';

type Text = { text: string };

export const Probe = defineService('lictor.test.Web', {
  echo: unary<Text, Text>(),
  raw: unary<unknown, unknown>(),
  fail: unary<{ code: number }, Text>(),
  crash: unary<Text, Text>(),
  hang: unary<Text, Text>(),
  wait: unary<Text, Text>(),
  count: serverStream<Text, Text>(),
});

export const Greeter = loadProto(join(root, 'examples/helloworld/helloworld.proto')).service(
  'helloworld.Greeter',
);

/** What the tests see of the server's side, and how they steer it. */
export class Bench {
  readonly aborted: string[] = [];
  readonly waiting: (() => void)[] = [];
  metadata = new Metadata();
  started = 0;
  remainingMs = 0;
  requestCompressed: boolean | undefined;
  onEvent = () => {};

  /** Resolves when the condition holds, looked at whenever something happens in a handler. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.onEvent = () => condition() && resolve();
      this.onEvent();
    });
  }

  /** Lets the call of `wait` that came as number `i` go on. */
  release(i: number): void {
    this.waiting[i]!();
  }

  readonly implementation: Implementation<typeof Probe.methods> = {
    echo: ({ text }, context) => {
      this.started++;
      this.metadata = context.metadata;
      this.remainingMs = context.remainingMs;
      this.requestCompressed = context.requestCompressed;
      if (text.startsWith('compress')) context.compression = 'gzip';
      for (const [key, value] of context.metadata) {
        if (key.startsWith('x-')) context.header.add(key, value);
        if (key.startsWith('y-')) context.trailer.add(key, value);
      }
      return text.endsWith('not this') ? uncompressed({ text }) : { text };
    },
    raw: (request) => ({
      request,
      admin: Object.assign({}, request as object as { admin?: boolean }).admin ?? false,
    }),
    fail: ({ code }, context) => {
      context.header.set('x-kept', 'header');
      context.sendHeader();
      context.trailer.set('y-kept', 'trailer');
      throw new RpcError(code as Status, 'as you wished: ümläut\n', {
        metadata: new Metadata().set('y-error', 'yes'),
      });
    },
    crash: () => {
      throw new Error('the secret of the server');
    },
    hang: (_, { signal }) => {
      this.started++;
      signal.addEventListener('abort', () => {
        this.aborted.push((signal.reason as RpcError).status);
        this.onEvent();
      });
      this.onEvent();
      return new Promise(() => {});
    },
    wait: ({ text }) =>
      new Promise((resolve) => {
        this.started++;
        this.waiting.push(() => resolve({ text }));
        this.onEvent();
      }),
    async *count() {},
  };
}

export type Running = AsyncDisposable & {
  readonly bench: Bench;
  readonly server: Server;
  readonly address: string;
};

export async function running(options: ServerOptions = {}): Promise<Running> {
  const bench = new Bench();
  const server = new Server({ transport: 'h2', logger: silentLogger, ...options });
  server.registerService(Probe, bench.implementation);
  server.registerService(Greeter, {
    sayHello: async (request: DynamicMessage) => ({ msg: `hello ${request.msg}` }),
  });
  await server.serve();
  return {
    bench,
    server,
    address: server.address,
    async [Symbol.asyncDispose]() {
      await server.closeNow();
    },
  };
}

export type Response = {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  bytes: Buffer;
  text: string;
  /** Of a body that is JSON. */
  readonly json: unknown;
};

export type PostOptions = RequestOptions & {
  body?: string | Buffer;
  onRequest?: (request: ClientRequest) => void;
};

/** One request by node:http; JSON unless the headers say otherwise. */
export function post(address: string, path: string, options: PostOptions = {}): Promise<Response> {
  const { body = '{}', onRequest, headers, ...rest } = options;
  const { hostname, port } = new URL(`http://${address}`);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: hostname,
        port,
        path,
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json', ...headers },
        ...rest,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            bytes,
            text: bytes.toString(),
            get json() {
              return JSON.parse(bytes.toString()) as unknown;
            },
          });
        });
      },
    );
    request.on('error', reject);
    onRequest?.(request);
    request.end(body);
  });
}

/** A connection that says exactly what it is told to. */
export class RawConnection {
  readonly socket: Socket;
  text = '';
  /** Resolves when the server has closed it. */
  readonly closed: Promise<string>;
  #onText = () => {};

  constructor(address: string) {
    const { hostname, port } = new URL(`http://${address}`);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('error', () => {});
    this.socket.on('data', (text: string) => {
      this.text += text;
      this.#onText();
    });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve(this.text)));
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** Resolves when what has come holds the pattern. */
  async comes(pattern: RegExp): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#onText = () => pattern.test(this.text) && resolve();
      this.#onText();
      void this.closed.then(() => reject(new Error(`closed after ${JSON.stringify(this.text)}`)));
    });
    return this.text;
  }
}

/** A request as text, for raw connections. */
export const requestText = (path: string, body: string, headers: readonly string[] = []) =>
  [
    `POST ${path} HTTP/1.1`,
    'host: test',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...headers,
    '',
    body,
  ].join('\r\n');
