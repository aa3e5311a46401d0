import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadProto } from '../../codec/proto.js';
import type { MessageType } from '../../rpc/service.js';

const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder of its own with these files, until the process ends. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-proto-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** The type of message `M` of a .proto text without syntax line and package. */
export function typeM(declarations: string, syntax = 'syntax = "proto3";'): MessageType {
  const text = `${syntax}\npackage t;\n${declarations}\nservice S { rpc Call(M) returns (M); }`;
  const folder = folderWith({ 'm.proto': text });
  return loadProto(join(folder, 'm.proto')).service('t.S').methods.call!.request;
}
