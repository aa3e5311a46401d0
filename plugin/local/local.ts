import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../../rpc/error.js';
import { type Logger, stderrLogger } from '../../rpc/log.js';
import { checkServiceName } from '../../rpc/name.js';
import { Status } from '../../rpc/status.js';
import type { Resolution } from '../../selector/resolver.js';
import { createListedNode } from '../node-data.js';
import type { ResolverPlugin } from '../plugin.js';
import { changes } from './changes.js';
import { writeEntry } from './entry-file.js';
import { defaultFolder, makePrivateFolder } from './folder.js';
import { nodeLister } from './node-lister.js';

export type LocalOptions = {
  /** Where the processes of this machine meet. @default a folder of this user's under the system's for temporary files */
  folder?: string | undefined;
  /** Where warnings of bad files go. @default one line of JSON on stderr */
  logger?: Logger | undefined;
};

/**
 * A registry without a server, for the processes of one machine: a file per server and service in a shared folder.
 * The entries of a process that died go within about half a second.
 */
export function local({ folder, logger = stderrLogger }: LocalOptions = {}): ResolverPlugin {
  const root = folder ?? defaultFolder();
  const prepare = async () => {
    if (folder === undefined) await makePrivateFolder(root);
  };

  async function* resolutions(service: string, signal: AbortSignal): AsyncGenerator<Resolution> {
    const serviceFolder = join(root, service);
    const list = nodeLister(serviceFolder, logger);
    let last: Resolution | undefined;
    for await (const _ of changes(serviceFolder, { signal })) {
      let found: Resolution;
      try {
        await prepare();
        found = { kind: 'nodes', nodes: await list() };
      } catch (error) {
        found = { kind: 'failure', error: failureOf(root, error) };
      }
      if (signal.aborted) return;
      if (last && isSame(last, found)) continue;
      last = found;
      yield found;
    }
  }

  return {
    kind: 'resolver',
    name: 'local',
    watch: (service, signal) => resolutions(checkServiceName(service), signal),
    describe: (service) => `local registry, files under ${JSON.stringify(join(root, service))}`,
    async init({ services, logger, ...init }) {
      const names = [...new Set(services)].map(checkServiceName);
      const node = createListedNode(init);
      const files: string[] = [];
      const remove = async () => {
        for (const file of files.splice(0)) {
          await rm(file, { force: true }).catch((error: Error) =>
            logger.warn('could not remove an entry', { file, error }),
          );
        }
      };
      try {
        await prepare();
        for (const name of names) files.push(await writeEntry(join(root, name), node));
      } catch (error) {
        await remove();
        throw failureOf(root, error);
      }
      return { [Symbol.asyncDispose]: remove };
    },
  };
}

const isSame = (a: Resolution, b: Resolution): boolean =>
  a.kind === 'failure' || b.kind === 'failure'
    ? a.kind === 'failure' && b.kind === 'failure' && a.error.message === b.error.message
    : isDeepStrictEqual(a.nodes, b.nodes);

function failureOf(root: string, error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const status = code === 'EACCES' || code === 'EPERM' ? Status.PERMISSION_DENIED : Status.UNAVAILABLE;
  return new RpcError(status, `local registry in ${root}: ${message}`, {
    cause: error,
    maybeExecuted: false,
  });
}
