import type { ConsulConnection } from '../plugin/consul/connection.js';
import {
  commandHandler,
  formatJson,
  httpHandler,
  parse,
  type WatchHandler,
  type WatchPlan,
} from '../plugin/consul/watch/watch.js';
import { RpcError, textOf } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

export type WatchOptions = {
  readonly type?: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly service?: string;
  readonly serviceId?: string;
  readonly tag?: readonly string[];
  readonly passingonly?: boolean;
  readonly state?: string;
  readonly name?: string;
  readonly filter?: string;
  readonly stale?: boolean;
  readonly datacenter?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly httpAddr?: string;
  readonly caFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly shell?: boolean;
  readonly httpHandler?: string;
  readonly httpMethod?: string;
  readonly httpHeader?: Readonly<Record<string, readonly string[]>>;
  readonly httpTimeout?: number;
  readonly httpSkipVerify?: boolean;
};

/** Follows what the options say, with the command, the HTTP handler or, for one result, by printing it. */
export async function watch(command: readonly string[], options: WatchOptions): Promise<void> {
  const { httpHandler: url } = options;
  if (url !== undefined && command.length > 0)
    throw new RpcError(Status.INVALID_ARGUMENT, 'a command and --http-handler cannot be given together');
  const plan = parse(paramsOf(options));
  const print: WatchHandler = (_index, result) => {
    process.stdout.write(`${formatJson(result, 4)}\n`);
    plan.stop();
  };
  const {
    httpMethod: method,
    httpHeader: header,
    httpTimeout: timeoutMs,
    httpSkipVerify: tlsSkipVerify,
  } = options;
  if (url !== undefined)
    return follow(plan, options, httpHandler({ path: url, method, header, timeoutMs, tlsSkipVerify }), say);
  if (command.length === 0) return follow(plan, options, print, say);
  return follow(plan, options, commandHandler(command, { shell: options.shell }), (text) => {
    say(text);
    process.exitCode = 1;
    plan.stop();
  });
}

/**
 * Runs the plan until it is stopped, by the handler or a signal. As `consul watch`, it does not wait for a Consul that
 * cannot be asked at the start.
 */
async function follow(
  plan: WatchPlan,
  options: WatchOptions,
  handler: WatchHandler,
  onHandlerFailure: (text: string) => void,
): Promise<void> {
  let isFirst = true;
  let failure: RpcError | undefined;
  plan.onFailure = (error) => {
    if (!isFirst) return say(`${error.details}; trying again`);
    failure = error;
    plan.stop();
  };
  plan.handler = async (index, result, signal) => {
    isFirst = false;
    try {
      await handler(index, result, signal);
    } catch (reason) {
      onHandlerFailure(`handler: ${textOf(reason)}`);
    }
  };
  const stop = () => plan.stop();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    await plan.run(connectionOf(options));
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  if (failure) throw failure;
}

/** Only what was given, so that what does not belong to the type is refused. */
function paramsOf(options: WatchOptions): Record<string, unknown> {
  const { type, key, prefix, service, serviceId, tag, passingonly, state, name, filter, stale } = options;
  const { datacenter, token } = options;
  return {
    ...{ type, key, prefix, service, tag, passingonly, state, name, filter, stale, datacenter, token },
    service_id: serviceId,
  };
}

function connectionOf({ httpAddr, tokenFile, ...tls }: WatchOptions): ConsulConnection {
  const { env } = process;
  if (tls.caFile !== undefined) env.CONSUL_CACERT = tls.caFile;
  if (tls.clientCert !== undefined) env.CONSUL_CLIENT_CERT = tls.clientCert;
  if (tls.clientKey !== undefined) env.CONSUL_CLIENT_KEY = tls.clientKey;
  if (tls.tlsServerName !== undefined) env.CONSUL_TLS_SERVER_NAME = tls.tlsServerName;
  return { address: httpAddr, tokenFile };
}

const say = (text: string) => console.error(`lictor: ${text.replaceAll('\n', ' ')}`);
