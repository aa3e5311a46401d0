import { RpcError, textOf } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { BadAnswer } from './guard.js';
import { limited } from './retry-after.js';

/** One request, as error messages tell of it. */
export interface Doing {
  /** The agent: `127.0.0.1:8500`. */
  readonly agent: string;
  /** `list the keys under "helloworld.Greeter/"` */
  readonly what: string;
  /** What an ACL policy must grant: `key_prefix "helloworld.Greeter/" { policy = "read" }`. */
  readonly permission: string;
  readonly deadlineMs: number;
  /** Never shown, even where an answer repeats it. */
  readonly token: string | undefined;
}

/**
 * What npm `consul` or node:http threw, as an RpcError that says what to do. Its error is not kept as the cause: it
 * holds the request, and so the token.
 */
export function failureOf(reason: unknown, doing: Doing): RpcError {
  if (reason instanceof RpcError) return reason;
  const fail = (code: Status, text: string) =>
    new RpcError(code, hide(`consul at ${doing.agent}: ${text}`, doing.token), {
      cause: causeOf(reason, doing),
      maybeExecuted: false,
    });
  const error = (reason ?? {}) as Thrown;
  if (error.isTimeout)
    return fail(Status.DEADLINE_EXCEEDED, `no answer within ${doing.deadlineMs} ms (to ${doing.what})`);
  if (error.isAbort) return fail(Status.CANCELLED, `cancelled (to ${doing.what})`);
  if (error.isResponse && error.response) return statusFailure(error.response, doing, fail);
  if (reason instanceof BadAnswer) return fail(Status.UNAVAILABLE, `${reason.message} (to ${doing.what})`);
  if (
    typeof error.code === 'string' &&
    /^(E[A-Z]|CERT_|ERR_TLS|ERR_SSL|DEPTH_|SELF_|UNABLE_)/.test(error.code)
  ) {
    if (error.code === 'ECONNRESET')
      return fail(Status.UNAVAILABLE, `cut the connection (ECONNRESET, to ${doing.what}); ${CUT}`);
    if (error.code === 'EPROTO')
      return fail(Status.UNAVAILABLE, `does not speak TLS here (EPROTO, to ${doing.what}); ${PLAIN}`);
    const how =
      error.code.startsWith('E') && !error.code.startsWith('ERR_') ? UNREACHABLE : 'check its certificate';
    return fail(Status.UNAVAILABLE, `cannot be reached (${error.code}); ${how}`);
  }
  return fail(Status.UNAVAILABLE, `could not ${doing.what}: ${textOf(reason).slice(0, 200)}`);
}

const UNREACHABLE =
  'is the agent running? Start one, or say where it is with the option "address" or with CONSUL_HTTP_ADDR';

const PLAIN = 'is it the port for https? For plain HTTP the address is http://..., without CONSUL_HTTP_SSL';

/** A full agent of Consul 1.8 closes what is too much without a word; later ones answer 429. */
const CUT = 'has it stopped, or is the agent connection limit reached (limits.http_max_conns_per_client)?';

type Answer = { statusCode?: number; headers?: Record<string, unknown>; body?: unknown };
type Thrown = {
  isTimeout?: boolean;
  isAbort?: boolean;
  isResponse?: boolean;
  response?: Answer;
  code?: unknown;
};
type Fail = (code: Status, text: string) => RpcError;

function statusFailure(answer: Answer, doing: Doing, fail: Fail): RpcError {
  const status = answer.statusCode ?? 0;
  const said = JSON.stringify(
    String(answer.body ?? '')
      .trim()
      .slice(0, 200),
  );
  switch (status) {
    case 403: {
      const with_ =
        doing.token === undefined ? 'no token was given' : 'the token given does not allow it or is unknown';
      return fail(
        Status.PERMISSION_DENIED,
        `may not ${doing.what}: ${said}; ${with_}; it needs ${doing.permission}`,
      );
    }
    case 400:
      return fail(Status.INVALID_ARGUMENT, `refused to ${doing.what}: ${said}`);
    case 413:
      return fail(Status.RESOURCE_EXHAUSTED, `refused to ${doing.what}, too large: ${said}`);
    case 429:
      return limited(
        fail(
          Status.UNAVAILABLE,
          `too many requests or connections from this host (to ${doing.what}): ${said}; see limits.http_max_conns_per_client`,
        ),
        answer.headers?.['retry-after'],
      );
    default:
      break;
  }
  // Consul 1.21.5 refuses keys with such a status, and will not take them when it is asked again.
  if (status === 500 && /invalid key name/i.test(said))
    return fail(Status.INVALID_ARGUMENT, `refused to ${doing.what}: ${said}`);
  if (status >= 300 && status < 400) {
    return fail(
      Status.UNAVAILABLE,
      `answered with a redirect (${status}, to ${doing.what}), which is never followed`,
    );
  }
  if (/no cluster leader/i.test(said))
    return fail(Status.UNAVAILABLE, `has no cluster leader at the moment (to ${doing.what})`);
  const failure = fail(Status.UNAVAILABLE, `could not ${doing.what}: status ${status}, ${said}`);
  const retryAfter = answer.headers?.['retry-after'];
  return status === 503 && retryAfter !== undefined ? limited(failure, retryAfter) : failure;
}

/** A copy with nothing but the text and the stack. */
function causeOf(reason: unknown, doing: Doing): Error {
  const cause = new Error(hide(textOf(reason).slice(0, 500), doing.token));
  cause.name = reason instanceof Error ? reason.name : 'Error';
  return cause;
}

const hide = (text: string, token: string | undefined) => (token ? text.replaceAll(token, '[token]') : text);
