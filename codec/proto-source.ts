import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type pb from 'protobufjs';
import * as packages from '#packages';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { ProtoFile } from './proto-file.js';
import { protobufjs } from './protobufjs.js';
import { wellKnown } from './well-known.js';

/** A .proto file that was read and parsed. */
export interface ProtoSource extends ProtoFile {
  readonly imports: readonly ProtoSource[];
  /** Where it was read; undefined for the well-known types, which come with Lictor. */
  readonly path: string | undefined;
  readonly text: string;
  /** What this file alone declares, with its comments; references are not resolved. */
  readonly declared: pb.Root;
}

/**
 * Reads local .proto files and, transitively, what they import: from `includeDirs` (else the folders of `paths`), then
 * from beside the importing file, then from the well-known types. Nothing is ever read from a network.
 * @throws RpcError INVALID_ARGUMENT that names file and line for a missing file or import and for a syntax error
 */
export function readProtos(paths: readonly string[], includeDirs: readonly string[] = []): ProtoSource[] {
  const dirs = (includeDirs.length > 0 ? includeDirs : [...new Set(paths.map((path) => dirname(path)))]).map(
    (dir) => resolve(dir),
  );
  const byPath = new Map<string, ProtoSource>();
  const byName = new Map<string, string>();
  const reading = new Set<ProtoSource>();

  const read = (path: string, name: string, text: string): ProtoSource => {
    const other = byName.get(name);
    if (other !== undefined)
      throw bad(`${path} and ${other} would both be ${name}; give the folder above them to include`);
    byName.set(name, path);
    const { declared, imports } = parse(path, text);
    const source = {
      name,
      path,
      text,
      declared,
      imports: [] as ProtoSource[],
      descriptor: declared.toJSON(),
    };
    byPath.set(path, source);
    reading.add(source);
    source.imports = imports.map((target) => {
      const imported = importFrom(path, name, text, target);
      if (!reading.has(imported)) return imported;
      throw bad(`${path}:${lineOf(text, target)}: import "${target}" leads back to this file`);
    });
    reading.delete(source);
    return source;
  };

  const importFrom = (from: string, fromName: string, text: string, target: string): ProtoSource => {
    const beside = join(dirname(from), target);
    const found = [
      ...dirs.map((dir) => ({ path: join(dir, target), name: target })),
      { path: beside, name: join(dirname(fromName), target) },
    ];
    for (const { path, name } of found) {
      const known = byPath.get(path);
      if (known) return known;
      const content = readIfThere(path);
      if (content !== undefined) return read(path, name, content);
    }
    const bundled =
      byPath.get(target) ?? bundledSource(target, (path, content) => read(path, target, content));
    if (!bundled) {
      const line = lineOf(text, target);
      throw bad(
        `${from}:${line}: import "${target}" was not found in ${[...dirs, dirname(from)].join(', ')}; include the folder it is in`,
      );
    }
    byPath.set(target, bundled);
    return bundled;
  };

  return paths.map((given) => {
    const path = resolve(given);
    const known = byPath.get(path);
    if (known) return known;
    const text = readIfThere(path);
    if (text === undefined) throw bad(`${given}: there is no such file`);
    const name = dirs
      .map((dir) => relative(dir, path))
      .find((name) => !name.startsWith('..') && !isAbsolute(name));
    return read(path, (name ?? relative(dirname(path), path)).split(sep).join('/'), text);
  });
}

function parse(path: string, text: string): { declared: pb.Root; imports: readonly string[] } {
  const { Root, parse: parseText } = protobufjs();
  const declared = new Root();
  try {
    const parsed = parseText(text, declared, {
      keepCase: false,
      alternateCommentMode: true,
      preferTrailingComment: false,
    });
    return { declared, imports: [...(parsed.imports ?? []), ...(parsed.weakImports ?? [])] };
  } catch (cause) {
    const { message } = cause as Error;
    const line = /\(.*line (\d+)\)$/.exec(message)?.[1];
    const why = message.replace(/ \([^()]*line \d+\)$/, '');
    throw new RpcError(Status.INVALID_ARGUMENT, `${path}${line ? `:${line}` : ''}: ${why}`, {
      cause,
      maybeExecuted: false,
    });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new RpcError(Status.INVALID_ARGUMENT, `${path}: ${code === 'EISDIR' ? 'is a folder' : code}`, {
      cause,
      maybeExecuted: false,
    });
  }
}

/** A file of google/protobuf/: most come as descriptors, the rest as files beside protobufjs, or in a bundle as descriptors. */
function bundledSource(
  name: string,
  read: (path: string, text: string) => ProtoSource,
): ProtoSource | undefined {
  if (!/^google\/protobuf\/[a-z_]+\.proto$/.test(name)) return undefined;
  const known = wellKnown(name);
  const found = known ? { descriptor: known } : packages.googleProto(name);
  if (found === undefined) return undefined;
  if ('descriptor' in found) {
    const { descriptor } = found;
    const { Root } = protobufjs();
    const declared = new Root();
    declared.addJSON(descriptor.nested ?? {});
    return { name, path: undefined, text: '', declared, imports: [], descriptor };
  }
  const text = readIfThere(found.path);
  return text === undefined ? undefined : read(found.path, text);
}

/** The line, from 1, on which a text stands first. */
export const lineOf = (text: string, wanted: string | RegExp): number => {
  const at = typeof wanted === 'string' ? text.indexOf(wanted) : text.search(wanted);
  return text.slice(0, Math.max(at, 0)).split('\n').length;
};

const bad = (text: string) => new RpcError(Status.INVALID_ARGUMENT, text, { maybeExecuted: false });
