import * as packages from '#packages';
import { lazily } from '../../rpc/lazily.js';

/**
 * `@grpc/grpc-js`, loaded when this engine carries its first connection or listener: loading it takes as long as
 * starting Node, and whoever uses another engine needs nothing of it. Not by `import()`, since `connect` is synchronous.
 */
export const grpc = lazily(packages.grpcJs);
