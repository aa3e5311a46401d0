import type { Edge, PackageFile } from './graph.js';
import type { Layer, Table } from './table.js';

export type Finding = { readonly rule: string; readonly remedy: string } | undefined;

const within = (path: string, places: readonly string[]): boolean =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));

/** What is wrong with one import, if anything: `rule` says what, `remedy` what to do. */
export function judge(edge: Edge, layer: Layer, own: PackageFile, table: Table): Finding {
  const { from, specifier, to } = edge;
  switch (to.kind) {
    case 'builtin':
      return undefined;
    case 'outside':
      return {
        rule: `'${specifier}' leads out of the repository`,
        remedy: 'import a file of this repository by a relative path, or a package by its name',
      };
    case 'computed':
      return layer.kind !== 'library'
        ? undefined
        : {
            rule: 'a computed import() in the library cannot be checked',
            remedy: 'write the module as a plain text: one import() for each',
          };
    case 'notExported':
      return {
        rule: `package.json does not ${specifier.startsWith('#') ? 'name' : 'export'} '${specifier}'`,
        remedy: `import one of ${Object.keys(own.exports ?? {})
          .map((key) => `'${own.name}${key.slice(1)}'`)
          .join(', ')}`,
      };
    case 'own':
      return layer.kind !== 'library'
        ? undefined
        : {
            rule: `'${specifier}' is the package's own name, which the library itself must not go by`,
            remedy: `import ${to.path} by a relative path, if the table allows it`,
          };
    case 'file':
      return judgeFile(from, to.path, layer, own);
    case 'package':
      return judgePackage(from, to.name, layer, own, table.doors[to.name]);
  }
}

function judgeFile(from: string, to: string, layer: Layer, own: PackageFile): Finding {
  const unit = layer.files.exec(from)![0];
  // Data (package.json, .proto) has no layer.
  if (!to.endsWith('ts') || to.startsWith(unit) || within(to, layer.mayImport)) return undefined;
  if (layer.kind === 'example') {
    return {
      rule: `an example imports the library by its package name, not ${to}`,
      remedy: `import '${own.name}' or '${own.name}/plugin/...'`,
    };
  }
  const allowed = layer.mayImport.length > 0 ? `only ${layer.mayImport.join(', ')}` : 'nothing outside it';
  return {
    rule: `${unit} must not import ${to}`,
    remedy: `${unit} may import ${allowed}: pass the thing in, or move it to a layer that both may import`,
  };
}

function judgePackage(
  from: string,
  name: string,
  layer: Layer,
  own: PackageFile,
  doors: readonly string[] | undefined,
): Finding {
  const installed = { ...own.dependencies, ...own.peerDependencies, ...own.optionalDependencies };
  if (!Object.hasOwn(installed, name) && !Object.hasOwn(own.devDependencies ?? {}, name)) {
    return {
      rule: `'${name}' is not declared in package.json`,
      remedy: `npm install ${name}, or 'node:${name}' if a module of Node is meant`,
    };
  }
  if (layer.kind === 'example' || layer.kind === 'proof') return undefined;
  if (doors) {
    if (within(from, doors)) return undefined;
    return {
      rule: `'${name}' is imported outside its door, ${doors.join(', ')}`,
      remedy: `use what ${doors[0]} exports, or pass it in`,
    };
  }
  if (layer.kind === 'script') return undefined;
  if (!Object.hasOwn(installed, name)) {
    return {
      rule: `'${name}' is a devDependency, which users of the package do not get`,
      remedy: 'move it to dependencies or peerDependencies, or do without it',
    };
  }
  return {
    rule: `'${name}' has no door`,
    remedy: 'name the one folder that may import it under `doors` in scripts/imports/table.ts',
  };
}
