import type { Method, MethodKind, Service } from '../rpc/service.js';
import { rootOfAll } from './proto-file.js';
import { serviceIn, servicesIn } from './proto-service.js';
import { readProtos } from './proto-source.js';

/** A message whose type is known only at run time; see `messageTypeOf` for how its fields look. */
export type DynamicMessage = Record<string, unknown>;

export type DynamicMethod = Method<
  MethodKind,
  { requestInit: DynamicMessage; request: DynamicMessage; replyInit: DynamicMessage; reply: DynamicMessage }
>;

/** What .proto files declare, without generated code. */
export interface Proto {
  /** Full names of the services, those of imported files included. */
  readonly services: readonly string[];
  /**
   * The service of that full name: `helloworld.Greeter`.
   * @throws RpcError INVALID_ARGUMENT that lists the known services
   */
  service(name: string): Service<Readonly<Record<string, DynamicMethod>>>;
}

export type LoadProtoOptions = {
  /** Where imports are looked for. @default the folders of the files themselves */
  readonly includeDirs?: readonly string[];
};

/**
 * Reads local .proto files, synchronously and only from the disk:
 *
 *     const Greeter = loadProto('helloworld.proto').service('helloworld.Greeter');
 *
 * Its messages are untyped; `lictor generate` writes types.
 * @throws RpcError INVALID_ARGUMENT that names file and line for a missing file or import and for a syntax error
 */
export function loadProto(paths: string | readonly string[], options: LoadProtoOptions = {}): Proto {
  const list = typeof paths === 'string' ? [paths] : paths;
  const root = rootOfAll(readProtos(list, options.includeDirs));
  return {
    services: [...servicesIn(root).keys()],
    service: (name) =>
      serviceIn(root, name, list.join(', ')) as Service<Readonly<Record<string, DynamicMethod>>>,
  };
}
