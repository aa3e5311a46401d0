import type { ResolverPlugin } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { fixed } from 'lictor/plugin/fixed';
import { local } from 'lictor/plugin/local';

/** Where the server listens. Only `fixed` has to know it beforehand; with port 0 a registry lists the free one. */
export const address =
  process.env.ADDRESS ?? (process.env.REGISTRY === 'fixed' ? '127.0.0.1:50061' : '127.0.0.1:0');

/** The one line in which an application that moves to another registry differs. */
export const registry = pick(process.env.REGISTRY ?? 'local');

function pick(name: string): ResolverPlugin {
  switch (name) {
    case 'consul':
      return consul({ prefix: 'lictor-example/' });
    case 'local':
      return local();
    case 'fixed':
      return fixed([address]);
    default:
      throw new Error(`REGISTRY is ${JSON.stringify(name)}; it may be consul, local or fixed`);
  }
}
