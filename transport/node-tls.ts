import { createRequire } from 'node:module';
import { lazily } from '../rpc/lazily.js';

const require = createRequire(import.meta.url);

/** `node:tls`, loaded by the first that speaks it: with what it needs itself it is 2 ms of a start. */
export const tls = lazily((): typeof import('node:tls') => require('node:tls'));
