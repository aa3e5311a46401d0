import type { ServiceSelector } from '../selector/selector.js';
import type { WireMethod } from '../transport/wire-method.js';

/** A method as this client calls it. */
export type BoundMethod = {
  readonly service: string;
  readonly wire: WireMethod;
  /** Set by the first call that needs it, since the watch starts there. */
  selector: ServiceSelector | undefined;
};
