import type { ChannelOptions } from '@grpc/grpc-js';
import type { ConnectOptions, ListenOptions } from '../transport.js';

/** grpc-js leaves most of this open or off; each is set here, since defaults are what runs in production. */
export const channelOptions = (options: ConnectOptions): ChannelOptions => ({
  'grpc.max_receive_message_length': options.maxMessageBytes,
  'grpc.max_send_message_length': options.maxMessageBytes,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // One connection per node and client: it is closed with the node, and no other client's options rule it.
  'grpc.use_local_subchannel_pool': 1,
  // Nodes come from a registry, so neither a TXT record nor a proxy of the environment has a say.
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  ...(options.compression === 'gzip' ? { 'grpc.default_compression_algorithm': 2 } : {}),
  ...(options.tls?.serverName === undefined
    ? {}
    : {
        'grpc.ssl_target_name_override': options.tls.serverName,
        'grpc.default_authority': options.tls.serverName,
      }),
});

export const serverOptions = (options: ListenOptions): ChannelOptions => ({
  'grpc.max_receive_message_length': options.maxMessageBytes,
  'grpc.max_send_message_length': options.maxMessageBytes,
  'grpc.max_concurrent_streams': options.maxStreamsPerConnection,
  'grpc.max_connection_idle_ms': 300_000,
  'grpc.max_connection_age_ms': 1_800_000,
  'grpc.max_connection_age_grace_ms': 30_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // Two servers on one port would share its calls in silence; a taken port must be an error.
  'grpc.so_reuseport': 0,
});
