import { createRequire } from 'node:module';
import { lazily } from '../../rpc/lazily.js';

const require = createRequire(import.meta.url);

/** `node:crypto`, loaded by the first that reads a certificate, so that others start without it. */
export const crypto = lazily((): typeof import('node:crypto') => require('node:crypto'));
