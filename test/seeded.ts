import { mix32 } from '../selector/hash.js';

/** Like Math.random, but the same numbers for the same seed. (Weyl sequence through a mixer, as in SplitMix.) */
export function seeded(seed: number): () => number {
  let state = mix32(seed + 1);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix32(state) >>> 0) / 2 ** 32;
  };
}
