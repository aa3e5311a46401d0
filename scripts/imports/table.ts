/** A part of the repository, and what its files may import besides each other. */
export type Layer = {
  /** The files that belong to it; what the pattern matches is the unit whose files may import each other. */
  readonly files: RegExp;
  /** Paths: `rpc/` for a folder, `plugin/plugin.ts` for a file. */
  readonly mayImport: readonly string[];
  /** Library code is published: it imports what users install with it, and through the one door of each package. */
  readonly kind: 'library' | 'script' | 'example' | 'proof';
};

export type Table = {
  readonly layers: readonly Layer[];
  /** For each npm package the paths that may import it. */
  readonly doors: Readonly<Record<string, readonly string[]>>;
};

const library = [
  'index.ts',
  'rpc/',
  'packages/',
  'codec/',
  'selector/',
  'transport/',
  'plugin/',
  'client/',
  'server/',
  'cli/',
];
const all = [...library, 'examples/', 'bench/', 'test/', 'scripts/'];

/** The architecture: who may import whom. */
export const table: Table = {
  layers: [
    { files: /^rpc\//, mayImport: [], kind: 'library' },
    { files: /^packages\//, mayImport: ['rpc/'], kind: 'library' },
    { files: /^codec\//, mayImport: ['rpc/', 'packages/'], kind: 'library' },
    { files: /^selector\//, mayImport: ['rpc/'], kind: 'library' },
    { files: /^transport\//, mayImport: ['rpc/', 'packages/', 'codec/'], kind: 'library' },
    // Each plugin is a unit of its own.
    {
      files: /^plugin\/[^/]+(\/|$)/,
      mayImport: [
        'rpc/',
        'packages/',
        'selector/',
        'codec/safe-json.ts',
        'plugin/plugin.ts',
        'plugin/node-data.ts',
      ],
      kind: 'library',
    },
    {
      files: /^client\//,
      mayImport: ['rpc/', 'codec/', 'selector/', 'transport/', 'plugin/plugin.ts'],
      kind: 'library',
    },
    { files: /^server\//, mayImport: ['rpc/', 'codec/', 'transport/', 'plugin/plugin.ts'], kind: 'library' },
    { files: /^index\.ts$/, mayImport: library, kind: 'library' },
    { files: /^cli\//, mayImport: library, kind: 'library' },
    // Examples stand where users stand, so the library has to come by its package name.
    { files: /^examples\//, mayImport: ['bench/', 'test/', 'scripts/'], kind: 'example' },
    { files: /^bench\//, mayImport: all, kind: 'proof' },
    { files: /^test\//, mayImport: all, kind: 'proof' },
    { files: /^scripts\//, mayImport: all, kind: 'script' },
  ],
  doors: {
    '@grpc/grpc-js': ['transport/grpc-js/', 'plugin/consul/grpc-js.ts', 'packages/'],
    consul: ['plugin/consul/', 'packages/'],
    protobufjs: ['codec/', 'cli/', 'packages/'],
    opentracing: ['plugin/opentracing/', 'plugin/plugin.ts'],
    '@msgpack/msgpack': ['codec/', 'packages/'],
    commander: ['cli/', 'scripts/', 'bench/'],
    echarts: ['bench/balancers/chart.ts'],
    'load-balancers': ['bench/balancers/others.ts'],
    loadbalance: ['bench/balancers/others.ts'],
    'alias-sampling': ['bench/balancers/others.ts'],
    hashring: ['bench/balancers/others.ts'],
  },
};
