/** Why a transport cannot do a thing; nothing is said of what it can. */
type Reasons<Feature extends string> = Readonly<Partial<Record<Feature, string>>>;

/** What a server has to do for some of the cases. */
export type ServerFeature = 'seeCompressedRequests' | 'compressSomeReplies';

const PER_CLIENT = 'a client compresses all of its requests or none';
const NOT_TOLD = 'a handler is not told whether its request was compressed';

const clients: Readonly<Record<string, Reasons<string>>> = {
  'grpc-js': { client_compressed_streaming: PER_CLIENT },
  h2: { client_compressed_streaming: PER_CLIENT },
  memory: { client_compressed_streaming: PER_CLIENT },
};

const servers: Readonly<Record<string, Reasons<ServerFeature>>> = {
  'grpc-js': {
    seeCompressedRequests: NOT_TOLD,
    compressSomeReplies: 'grpc-js cannot compress replies',
  },
  h2: {
    seeCompressedRequests: NOT_TOLD,
    compressSomeReplies: 'a server compresses all of its replies or none',
  },
  memory: {
    seeCompressedRequests: NOT_TOLD,
    compressSomeReplies: 'a server compresses all of its replies or none',
  },
};

/** Why a client over this transport cannot run a case; undefined when it can. */
export const clientCannot = (transport: string, name: string): string | undefined =>
  clients[transport]?.[name];

/** Why a server over this transport lacks a feature; undefined when it has it. */
export const serverCannot = (transport: string, feature: ServerFeature): string | undefined =>
  servers[transport]?.[feature];
