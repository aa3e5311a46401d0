import type pb from 'protobufjs';
import { descriptors, protobufjs } from './protobufjs.js';

/** The types of a method's messages. */
export type GrpcTypes = { readonly request: pb.Type; readonly reply: pb.Type };

const roots = new WeakMap<readonly Uint8Array[], pb.Root>();

/**
 * What `@grpc/proto-loader` says of a method beside its functions: the descriptors of all its files. Undefined for code
 * that was generated, which has no such thing.
 */
export function describedTypes(method: object, service: string, name: string): GrpcTypes | undefined {
  const files = filesOf(method);
  if (!files) return undefined;
  try {
    let root = roots.get(files);
    if (!root) {
      root = rootOf(files);
      roots.set(files, root); // All methods of a package have the same.
    }
    const { resolvedRequestType: request, resolvedResponseType: reply } = root
      .lookupService(service)
      .get(name)!
      .resolve() as pb.Method;
    return request && reply ? { request, reply } : undefined;
  } catch {
    return undefined; // It is only another way to know them.
  }
}

function filesOf(method: object): readonly Uint8Array[] | undefined {
  const { requestType } = method as { requestType?: { fileDescriptorProtos?: unknown } };
  const files: unknown = requestType?.fileDescriptorProtos;
  const isList = Array.isArray(files) && files.every((file) => file instanceof Uint8Array);
  return isList ? files : undefined;
}

function rootOf(files: readonly Uint8Array[]): pb.Root {
  const { FileDescriptorProto, FileDescriptorSet } = descriptors();
  const set = FileDescriptorSet.create({ file: files.map((file) => FileDescriptorProto.decode(file)) });
  const root = protobufjs().Root.fromDescriptor(FileDescriptorSet.encode(set).finish());
  root.resolveAll();
  return root;
}
