import { RpcError } from './error.js';
import { Status } from './status.js';

/**
 * The one message of a stream that must have exactly one.
 * @param what names it in the error: `/helloworld.Greeter/SayHello: reply`
 * @throws RpcError UNIMPLEMENTED for none or more than one, as gRPC asks
 */
export async function single(messages: AsyncIterable<unknown>, what: string): Promise<unknown> {
  let found: { value: unknown } | undefined;
  for await (const value of messages) {
    if (found) throw new RpcError(Status.UNIMPLEMENTED, `${what}: more than one message where one is wanted`);
    found = { value };
  }
  if (!found) throw new RpcError(Status.UNIMPLEMENTED, `${what}: no message where one is wanted`);
  return found.value;
}
