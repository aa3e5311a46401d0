/** Why a transport cannot do a thing; nothing is said of what it can. */
type Reasons<Feature extends string> = Readonly<Partial<Record<Feature, string>>>;

/** What a server has to do for some of the cases. */
export type ServerFeature = 'takeCompressedRequests' | 'seeCompressedRequests' | 'compressSomeReplies';

const servers: Readonly<Record<string, Reasons<ServerFeature>>> = {
  'grpc-js': {
    seeCompressedRequests: 'grpc-js does not show whether a request was compressed',
    compressSomeReplies: 'grpc-js cannot compress replies',
  },
};

/** Why a server over this transport lacks a feature; undefined when it has it. */
export const serverCannot = (transport: string, feature: ServerFeature): string | undefined =>
  servers[transport]?.[feature];
