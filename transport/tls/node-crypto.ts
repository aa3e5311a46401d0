import { lazily } from '../../rpc/lazily.js';
import { nodeRequire } from '../../rpc/node-require.js';

/** `node:crypto`, loaded by the first that reads a certificate, so that others start without it. */
export const crypto = lazily((): typeof import('node:crypto') => nodeRequire('node:crypto'));
