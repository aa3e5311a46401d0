import pb from 'protobufjs';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { ProtoSource } from '../proto-source.js';

/** What a message, enum or service is called in TypeScript, and which file has it. */
export type TypeName = { readonly source: ProtoSource; readonly name: string };

/** By full protobuf name, without a leading dot. */
export type Names = ReadonlyMap<string, TypeName>;

/** Names that generated modules use themselves, and words that are no names for types. */
const TAKEN = new Set(
  `Service Unary ServerStream ClientStream Bidi Init ProtoFile serviceFromProto file Record Uint8Array
  any as await bigint boolean break case catch class const continue debugger default delete do else enum export
  extends false finally for function if implements import in infer instanceof interface intrinsic is keyof let
  never new null number object package private protected public readonly return static string super switch symbol
  this throw true try type typeof undefined unique unknown var void while with yield`.split(/\s+/),
);

/**
 * Names for everything that some files declare: `Outer_Inner` for a nested type, `Service_` for a name that is taken.
 * @throws RpcError INVALID_ARGUMENT when two things of one file would have the same name, or two files declare one name
 */
export function namesOf(sources: readonly ProtoSource[]): Names {
  const names = new Map<string, TypeName>();
  for (const source of sources) {
    const inModule = new Map<string, string>();
    for (const object of declaredIn(source.declared)) {
      const fullName = object.fullName.slice(1);
      const elsewhere = names.get(fullName);
      if (elsewhere) throw clash(source, `${fullName} is also declared in ${elsewhere.source.name}`);
      const path = nestedName(object);
      const name = TAKEN.has(path) ? `${path}_` : path;
      const other = inModule.get(name);
      if (other !== undefined)
        throw clash(source, `${fullName} and ${other} would both be ${name} in TypeScript`);
      inModule.set(name, fullName);
      names.set(fullName, { source, name });
    }
  }
  return names;
}

/** The messages, enums and services of a file, outer before inner, in the order of the file. */
export function declaredIn(namespace: pb.NamespaceBase): (pb.Type | pb.Enum | pb.Service)[] {
  return namespace.nestedArray.flatMap((object) => {
    if (object instanceof pb.Enum || object instanceof pb.Service) return [object];
    if (object instanceof pb.Type) return [object, ...declaredIn(object)];
    return object instanceof pb.Namespace ? declaredIn(object) : [];
  });
}

function nestedName(object: pb.ReflectionObject): string {
  const { parent } = object;
  return parent instanceof pb.Type ? `${nestedName(parent)}_${object.name}` : object.name;
}

const clash = (source: ProtoSource, why: string) =>
  new RpcError(Status.INVALID_ARGUMENT, `${source.path ?? source.name}: ${why}`, { maybeExecuted: false });
