import pb from 'protobufjs';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { lineOf, type ProtoSource } from '../proto-source.js';
import { isCustomOption } from './descriptor.js';

/**
 * Refuses, by name, what the generated types could not say.
 * @throws RpcError INVALID_ARGUMENT with file and line
 */
export function refuseUnsupported(source: ProtoSource): void {
  const refuse = (what: string, where: RegExp): never => {
    const line = lineOf(source.text, where);
    const text = `${source.path}:${line}: ${what} is not supported by lictor generate`;
    throw new RpcError(Status.INVALID_ARGUMENT, text, { maybeExecuted: false });
  };

  const visit = (namespace: pb.NamespaceBase): void => {
    for (const object of namespace.nestedArray) {
      if (object instanceof pb.Field) {
        if (object.extend !== undefined && !isCustomOption(object.extend)) {
          refuse(`an extension of ${object.extend}`, new RegExp(`\\bextend\\s+${escaped(object.extend)}`));
        }
        continue;
      }
      if (object instanceof pb.Type) {
        if ((object as { group?: boolean }).group)
          refuse(`the group ${object.name}`, new RegExp(`\\bgroup\\s+${object.name}\\b`));
        const required = object.fieldsArray.find(({ rule }) => rule === 'required');
        if (required) {
          const name = required.protoName ?? required.name;
          refuse(
            `the required field ${object.name}.${name}`,
            new RegExp(`\\brequired\\s+[\\w.]+\\s+${name}\\b`),
          );
        }
        const legacy = object.fieldsArray.find((field) =>
          JSON.stringify(field.options ?? {}).includes('LEGACY_REQUIRED'),
        );
        if (legacy) refuse(`the required field ${object.name}.${legacy.name}`, /LEGACY_REQUIRED/);
      }
      if (object instanceof pb.Namespace) visit(object);
    }
  };
  visit(source.declared);
}

const escaped = (text: string) => text.replaceAll('.', '\\.');
