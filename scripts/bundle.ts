import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { root } from './root.js';

// Makes each of the package's entry points one file, in the place of the compiled one: Node takes about 0.4 ms to load
// a module, and users would wait for 130 of ours. What several entries share goes to dist/shared, so that each module
// still exists once. Types and source maps are those of tsc.

const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { default: string }>;
  bin: Record<string, string>;
};
const entries = [
  ...Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.default])),
  ...Object.values(bin),
];
const common = {
  absWorkingDir: root,
  outdir: 'dist',
  outbase: 'dist',
  allowOverwrite: true,
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
} satisfies BuildOptions;

await build({
  ...common,
  entryPoints: entries,
  chunkNames: 'shared/[hash]',
  splitting: true,
  // What loads npm packages is another file where a bundler runs.
  external: ['#packages'],
  format: 'esm',
});

// For bundlers: they follow `require` in CommonJS only. The other file of the folder imports it.
await build({
  ...common,
  entryPoints: ['dist/packages/literal.js'],
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
});
await build({
  ...common,
  entryPoints: ['dist/packages/in-bundle.js'],
  format: 'esm',
  plugins: [
    {
      name: 'literal',
      setup({ onResolve }) {
        onResolve({ filter: /^\.\/literal\.js$/ }, () => ({ path: './literal.cjs', external: true }));
      },
    },
  ],
});
