/**
 * Clients that reset a stream without ending it first, by what they name in `user-agent`. Node's http2 names nothing, and
 * is under grpc-js, nice-grpc and connect-node, so whoever is not known here may be on it.
 */
const RESETS_AT_ONCE = /^lictor(\/|$)|(^| )(grpc-(c|go|dotnet|java(-\w+)?|swift(-\w+)?)|dart-grpc|tonic)\//;
/** An application's own name stands before it, and may be any. */
const GRPC_JS = /(^| )grpc-node-js\//;

/**
 * Whether a client that cancels a call may end its stream first. Node's http2 does: END_STREAM, as if the requests were
 * complete, and RST_STREAM in a frame of its own behind it.
 */
export const mayEndBeforeReset = (userAgent: string | undefined): boolean =>
  userAgent === undefined || !RESETS_AT_ONCE.test(userAgent) || GRPC_JS.test(userAgent);

/** How long the end of requests is held that may turn out to be a cancellation. What is longer on its way cannot be known. */
export const HOLD_MS = 5;
/**
 * After a pause of the process, or of the machine, time alone says nothing: what lies unread in the socket is read first,
 * and a client in this process has its turns.
 */
export const HOLD_TURNS = 4;

/** Calls `run` after some turns of the event loop. */
export function inTurns(turns: number, run: () => void): void {
  setImmediate(() => (turns > 1 ? inTurns(turns - 1, run) : run()));
}
