import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { type ProtoFile, rootOfAll, withImports } from '../proto-file.js';
import { type ProtoSource, readProtos } from '../proto-source.js';
import { cleanDescriptor } from './descriptor.js';
import { moduleText } from './module.js';
import { namesOf } from './names.js';
import { refuseUnsupported } from './unsupported.js';

/** One TypeScript module; the path is relative to the output folder: `google/protobuf/timestamp.ts`. */
export type GeneratedModule = { readonly path: string; readonly text: string };

/** Only custom options need it, and they are not generated; its own messages are proto2 with extensions. */
const DESCRIPTOR_PROTO = 'google/protobuf/descriptor.proto';

/**
 * TypeScript modules for .proto files and for all that they import.
 * @throws RpcError INVALID_ARGUMENT that names file and, when known, line for what is wrong or not supported
 */
export function generateModules(
  paths: readonly string[],
  includeDirs: readonly string[] = [],
): GeneratedModule[] {
  const sources = withImports(readProtos(paths, includeDirs)).filter(({ name }) => name !== DESCRIPTOR_PROTO);
  for (const source of sources) {
    if (source.name.startsWith('../')) {
      const why = 'is outside the included folders; include the folder that imports are relative to';
      throw new RpcError(Status.INVALID_ARGUMENT, `${source.path}: ${why}`, { maybeExecuted: false });
    }
    refuseUnsupported(source);
  }
  const files = new Map<string, ProtoFile>();
  for (const source of sources) files.set(source.name, cleaned(source, files));
  const root = rootOfAll([...files.values()]);
  const names = namesOf(sources);
  return sources.map((source) => ({
    path: modulePath(source.name),
    text: moduleText({ source, file: files.get(source.name)!, root, names }),
  }));
}

const cleaned = (
  { name, imports, descriptor }: ProtoSource,
  files: ReadonlyMap<string, ProtoFile>,
): ProtoFile => ({
  name,
  imports: imports.flatMap((imported) => files.get(imported.name) ?? []),
  descriptor: cleanDescriptor(descriptor),
});

/** `a/b.ts` for `a/b.proto`. */
const modulePath = (name: string) => `${name.replace(/\.proto$/, '')}.ts`;
