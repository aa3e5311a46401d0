// For those who call and answer.
export { Client, type ClientOptions, type ServiceOptions } from './client/client.js';
export type { RetryOptions } from './client/retry.js';
export type { RetryBudgetOptions } from './client/retry-budget.js';
export type { ClientSettings } from './client/settings.js';
export { fromGrpcDefinition, type GrpcDefinition, isGrpcDefinition } from './codec/grpc-definition.js';
// For generated code.
export type { Init } from './codec/init.js';
export { json } from './codec/json.js';
export { msgpack } from './codec/msgpack.js';
export {
  type DynamicMessage,
  type DynamicMethod,
  type LoadProtoOptions,
  loadProto,
  type Proto,
} from './codec/proto.js';
export type { ProtoFile } from './codec/proto-file.js';
export { serviceFromProto } from './codec/proto-service.js';
export { protobuf } from './codec/protobuf.js';
export type { Serialization } from './codec/serialization.js';
// For those who write plugins, balancers, serializations or transports.
export type {
  Plugin,
  Registration,
  RegistrationRequest,
  ResolverPlugin,
  TracingPlugin,
} from './plugin/plugin.js';
export {
  type Call,
  type CallContext,
  type CallOptions,
  type Peer,
  type Reply,
  whenDone,
} from './rpc/call.js';
export { type CompressionName, uncompressed } from './rpc/compression.js';
export type { DecodedLimit } from './rpc/decoded-limit.js';
export { RpcError, type RpcErrorOptions } from './rpc/error.js';
export type { Interceptor, Next } from './rpc/interceptor.js';
export { type Logger, silentLogger, stderrLogger } from './rpc/log.js';
export { Metadata, type MetadataInit, type MetadataValue } from './rpc/metadata.js';
export type { NodeFilter } from './rpc/node-filter.js';
export type { MessageCodec, MessageType } from './rpc/service.js';
export {
  type Bidi,
  bidi,
  type ClientStream,
  clientStream,
  defineService,
  type Method,
  type MethodKind,
  type MethodOptions,
  type Methods,
  type ServerStream,
  type Service,
  serverStream,
  type Unary,
  unary,
} from './rpc/service.js';
export type { ClientMethod, DynamicReply, Handler, Implementation, ServiceClient } from './rpc/signature.js';
export { Status, type StatusName, statusName } from './rpc/status.js';
export { detached } from './rpc/surrounding-call.js';
export { type ConsistentHashOptions, consistentHash } from './selector/balancer/consistent-hash.js';
export { type LeastRequestOptions, leastRequest } from './selector/balancer/least-request.js';
export { maglev } from './selector/balancer/maglev.js';
export type { BalancerName } from './selector/balancer/named.js';
export { type P2cOptions, p2c } from './selector/balancer/p2c.js';
export { p2cEwma } from './selector/balancer/p2c-ewma.js';
export { random } from './selector/balancer/random.js';
export { rendezvous } from './selector/balancer/rendezvous.js';
export { roundRobin } from './selector/balancer/round-robin.js';
export { type SubsetOptions, subset } from './selector/balancer/subset.js';
export { weightedRandom } from './selector/balancer/weighted-random.js';
export { weightedRoundRobin } from './selector/balancer/weighted-round-robin.js';
export { type ZoneFirstOptions, zoneFirst } from './selector/balancer/zone-first.js';
export type { Balancer, Pick, PickContext } from './selector/balancer.js';
export type { EjectionOptions } from './selector/ejection.js';
export type { ExplainedNode, Explanation } from './selector/explanation.js';
export type { EmptyListPolicy } from './selector/list-guard.js';
export type { LiveNode } from './selector/live-node.js';
export { inFlight, type LoadMetric, peakEwma } from './selector/load-metric.js';
export { createNode, type Node, type NodeInit } from './selector/node.js';
export type { Resolution, Resolver } from './selector/resolver.js';
export type { WatchState } from './selector/shared-watch.js';
export type { ServerLoad } from './server/load.js';
export type { ServeOptions, ServerOptions } from './server/options.js';
export type { OverloadOptions } from './server/overload/options.js';
export { Server } from './server/server.js';
export { memory } from './transport/memory/engine.js';
export type { EngineName } from './transport/named.js';
export type { TlsMaterial, TlsSource } from './transport/tls/material.js';
export type { ClientTls, Pem, ServerTls, TlsRenewal } from './transport/tls.js';
export type {
  Cancellable,
  Connection,
  ConnectOptions,
  Engine,
  IncomingCall,
  IncomingStream,
  IncomingUnary,
  Listener,
  ListenOptions,
  OutgoingCall,
  ReplyStream,
  Route,
  Routes,
  StreamCall,
  Transport,
  UnaryCall,
} from './transport/transport.js';
export type { WireMethod } from './transport/wire-method.js';
