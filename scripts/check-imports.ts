import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { checkImports } from './imports/check.js';
import type { PackageFile } from './imports/graph.js';
import { table } from './imports/table.js';
import { root } from './root.js';

// Fails when an import breaks the architecture of imports/table.ts.

const SKIPPED = new Set(['node_modules', 'dist', '.cache', '.git']);

const files = new Map<string, string>();
function readFolder(folder: string): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name)) readFolder(path);
    } else if (/\.[cm]?ts$/.test(entry.name)) {
      files.set(path.split(sep).join('/'), readFileSync(join(root, path), 'utf8'));
    }
  }
}
readFolder('');

const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageFile;
const violations = checkImports(files, own, table);
for (const { file, line, rule, remedy } of violations) console.error(`${file}:${line}: ${rule}\n  ${remedy}`);
if (violations.length > 0) {
  console.error(`${violations.length} forbidden ${violations.length === 1 ? 'import' : 'imports'}`);
  process.exitCode = 1;
} else {
  console.log(`imports of ${files.size} files keep to the architecture`);
}
