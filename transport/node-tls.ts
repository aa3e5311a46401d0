import { lazily } from '../rpc/lazily.js';
import { nodeRequire } from '../rpc/node-require.js';

/** `node:tls`, loaded by the first that speaks it: with what it needs itself it is 2 ms of a start. */
export const tls = lazily((): typeof import('node:tls') => nodeRequire('node:tls'));
