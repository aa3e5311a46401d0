import nodeModule from 'node:module';

/**
 * Loads a module of Node.js with its first use, `node:zlib` for one. Any file serves to make it: that of this module has no
 * name in a bundle in CommonJS. By the default import, since webpack takes `createRequire` for its own to resolve.
 */
export const nodeRequire: NodeJS.Require = nodeModule.createRequire(process.execPath);
