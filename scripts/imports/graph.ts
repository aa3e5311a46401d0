import { posix } from 'node:path';
import { scanImports } from './scan.js';

/** What the check needs of package.json. */
export type PackageFile = {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string | { readonly default: string }>>;
  /** Names of modules of its own, such as `#packages`. */
  readonly imports?: Readonly<Record<string, { readonly types: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

/** What an import leads to. `path` is from the root of the repository, of the source and not of the compiled file. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'own'; readonly path: string }
  | { readonly kind: 'notExported' }
  | { readonly kind: 'package'; readonly name: string }
  | { readonly kind: 'builtin' }
  | { readonly kind: 'outside' }
  | { readonly kind: 'computed' };

export type Edge = {
  readonly from: string;
  readonly line: number;
  readonly specifier: string;
  readonly to: Target;
};

/** Every import of every file. */
export function readEdges(files: ReadonlyMap<string, string>, own: PackageFile): readonly Edge[] {
  return [...files].flatMap(([from, source]) =>
    scanImports(source).map(({ line, specifier }) => ({
      from,
      line,
      specifier: specifier ?? '(computed)',
      to: resolve(from, specifier, own),
    })),
  );
}

function resolve(from: string, specifier: string | undefined, own: PackageFile): Target {
  if (specifier === undefined) return { kind: 'computed' };
  if (/^(\/|[A-Za-z]:[\\/]|file:)/.test(specifier)) return { kind: 'outside' };
  if (/^\.\.?(\/|$)/.test(specifier)) {
    const path = posix.join(posix.dirname(from), specifier);
    return path === '..' || path.startsWith('../')
      ? { kind: 'outside' }
      : { kind: 'file', path: sourceOf(path) };
  }
  if (specifier.startsWith('#')) {
    const file = own.imports?.[specifier]?.types.replace(/\.d\.ts$/, '.js');
    return file === undefined ? { kind: 'notExported' } : { kind: 'file', path: sourceOfCompiled(file) };
  }
  if (specifier.startsWith('node:')) return { kind: 'builtin' };
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (name !== own.name) return { kind: 'package', name };
  const exported = own.exports?.[`.${specifier.slice(name.length)}`];
  if (exported === undefined) return { kind: 'notExported' };
  const compiled = typeof exported === 'string' ? exported : exported.default;
  return { kind: 'own', path: sourceOfCompiled(compiled) };
}

/** The source of `./dist/index.js`. */
const sourceOfCompiled = (path: string): string => sourceOf(path.replace(/^\.\/(dist\/)?/, ''));

const sourceOf = (path: string): string => path.replace(/\.([cm]?)js$/, '.$1ts');
