import * as packages from '#packages';
import { lazily } from '../rpc/lazily.js';

/** `protobufjs`, loaded with the first .proto: a program that speaks only JSON or MessagePack starts without it. */
export const protobufjs = lazily(packages.protobufjs);

/** Its proto3 JSON, which few calls travel as. */
export const protojson = lazily(packages.protojson);

/** What reads descriptors, which only definitions of others bring; it also adds `Root.fromDescriptor`. */
export const descriptors = lazily(packages.protoDescriptors);
