import type pb from 'protobufjs';
import { protobufjs } from './protobufjs.js';

/**
 * The descriptor of one of Google's well-known files (any, duration, empty, field_mask, struct, timestamp, wrappers);
 * undefined for others. protobufjs leaves one of their fields in snake_case, unlike those of all files it parses.
 */
export function wellKnown(name: string): pb.INamespace | undefined {
  const descriptor = protobufjs().common.get(name);
  return descriptor && name === 'google/protobuf/any.proto' ? anyDescriptor : (descriptor ?? undefined);
}

const anyDescriptor: pb.INamespace = {
  nested: {
    google: {
      nested: {
        protobuf: {
          nested: {
            Any: {
              fields: {
                typeUrl: { type: 'string', id: 1, protoName: 'type_url' } as pb.IField,
                value: { type: 'bytes', id: 2 },
              },
            },
          },
        },
      },
    },
  },
};
