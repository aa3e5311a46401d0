import type pb from 'protobufjs';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import { protobufjs } from './protobufjs.js';

/** A .proto file as data, in the form that generated modules hold: its descriptor and the files it imports. */
export interface ProtoFile {
  /** What others import it by: `google/protobuf/timestamp.proto`. */
  readonly name: string;
  readonly imports: readonly ProtoFile[];
  /** What protobufjs calls its JSON descriptor. */
  readonly descriptor: object;
}

const roots = new WeakMap<ProtoFile, pb.Root>();

/** Everything that a file and its imports declare, resolved. Made once per file. */
export function rootOf(file: ProtoFile): pb.Root {
  let root = roots.get(file);
  if (!root) {
    root = rootOfAll([file]);
    roots.set(file, root);
  }
  return root;
}

/**
 * The same for several files together.
 * @throws RpcError INVALID_ARGUMENT for a name declared twice and for a type that no file declares
 */
export function rootOfAll(files: readonly ProtoFile[]): pb.Root {
  const { Root } = protobufjs();
  const root = new Root();
  for (const file of withImports(files)) {
    const { nested } = file.descriptor as pb.INamespace;
    attempt(file.name, () => root.addJSON(nested ?? {}));
  }
  attempt(files.map(({ name }) => name).join(', '), () => root.resolveAll());
  markPresence(root);
  return root;
}

/** The files and what they import, each once, imports first. */
export function withImports<F extends ProtoFile>(files: readonly F[]): F[] {
  const found = new Map<string, F>();
  const visit = (file: F) => {
    if (found.has(file.name)) return;
    for (const imported of file.imports) visit(imported as F);
    found.set(file.name, file);
  };
  files.forEach(visit);
  return [...found.values()];
}

function attempt(name: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    throw new RpcError(Status.INVALID_ARGUMENT, `${name}: ${(cause as Error).message}`, {
      cause,
      maybeExecuted: false,
    });
  }
}

/**
 * Gives every scalar field that tracks presence a oneof of its own, as protoc does for `optional` in proto3. So one
 * rule tells which absent fields have no default, whatever the syntax: those that are part of a oneof.
 */
function markPresence(namespace: pb.NamespaceBase): void {
  const { Namespace, OneOf, Type } = protobufjs();
  for (const object of namespace.nestedArray) {
    if (object instanceof Type) {
      for (const field of object.fieldsArray) {
        const bare = !field.partOf && !field.required && !(field.resolvedType instanceof Type);
        if (bare && field.hasPresence) object.add(new OneOf(`_${field.name}`, [field.name]));
      }
    }
    if (object instanceof Namespace) markPresence(object);
  }
}
