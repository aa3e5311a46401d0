import type { ProtoFile } from '../codec/proto-file.js';
import { serviceFromProto } from '../codec/proto-service.js';
import type { CallContext } from '../rpc/call.js';
import { RpcError } from '../rpc/error.js';
import type { ServerStream, Service, Unary } from '../rpc/service.js';
import type { Implementation } from '../rpc/signature.js';
import { Status } from '../rpc/status.js';

type Request = { service: string };
type Reply = { status: number };
type Methods = {
  check: Unary<Request, Reply, Partial<Request>>;
  watch: ServerStream<Request, Reply, Partial<Request>>;
};

/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
const proto: ProtoFile = {
  name: 'grpc/health/v1/health.proto',
  imports: [],
  descriptor: {
    nested: {
      grpc: {
        nested: {
          health: {
            nested: {
              v1: {
                edition: 'proto3',
                nested: {
                  HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
                  HealthCheckResponse: {
                    fields: { status: { type: 'ServingStatus', id: 1 } },
                    nested: {
                      ServingStatus: {
                        values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 },
                      },
                    },
                  },
                  Health: {
                    methods: {
                      Check: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse' },
                      Watch: {
                        requestType: 'HealthCheckRequest',
                        responseType: 'HealthCheckResponse',
                        responseStream: true,
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/** The standard health service of one server. The empty name stands for the server as a whole. */
export class Health {
  /** Made when a server asks for it: a client alone need not read a .proto for its servers' sake. */
  static get service(): Service<Methods> {
    return serviceFromProto(proto, 'grpc.health.v1.Health');
  }

  readonly #statuses = new Map<string, number>();
  readonly #wake = new Set<() => void>();
  #ended = false;

  readonly implementation: Implementation<Methods> = {
    check: ({ service }) => {
      const status = this.#statuses.get(service);
      if (status !== undefined) return { status };
      throw new RpcError(Status.NOT_FOUND, `unknown service ${JSON.stringify(service.slice(0, 128))}`);
    },
    watch: ({ service }, context) => this.#watch(service, context),
  };

  serving(services: readonly string[]): void {
    for (const service of ['', ...services]) this.#statuses.set(service, SERVING);
    this.#tell();
  }

  notServing(): void {
    for (const service of this.#statuses.keys()) this.#statuses.set(service, NOT_SERVING);
    this.#tell();
  }

  /** Ends the watches, which else would hold a closing server until its grace is over. */
  end(): void {
    this.#ended = true;
    this.#tell();
  }

  async *#watch(service: string, context: CallContext): AsyncGenerator<Reply, void> {
    let told: number | undefined;
    while (!this.#ended && !context.signal.aborted) {
      const status = this.#statuses.get(service) ?? SERVICE_UNKNOWN;
      if (status !== told) yield { status };
      told = status;
      if ((this.#statuses.get(service) ?? SERVICE_UNKNOWN) === told) await this.#change(context.signal);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#wake.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (this.#ended || signal.aborted) return resolve();
      this.#wake.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #tell(): void {
    for (const wake of [...this.#wake]) wake();
  }
}
