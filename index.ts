export { fromGrpcDefinition, isGrpcDefinition } from './codec/grpc-definition.js';
export type { Init } from './codec/init.js';
export { type LoadProtoOptions, loadProto, type Proto } from './codec/proto.js';
export type { ProtoFile } from './codec/proto-file.js';
export { serviceFromProto } from './codec/proto-service.js';
export type { Bidi, ClientStream, ServerStream, Service, Unary } from './rpc/service.js';
