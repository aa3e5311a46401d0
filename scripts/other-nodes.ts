import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installNode, versionOf } from './node-binary.js';
import { root } from './root.js';

// Runs the unit tests once more on the Node versions beside the one developed on; they come from npm into .cache.

const MAJORS = [22, 24];

function testOn(major: number): boolean {
  const node = installNode(major);
  console.log(`unit tests on Node ${versionOf(node)}`);
  const { status } = spawnSync(process.execPath, [join(root, 'dist', 'scripts', 'test.js'), '--unit'], {
    stdio: 'inherit',
    env: { ...process.env, LICTOR_NODE: node },
  });
  return status === 0;
}

const failed: number[] = [];
for (const major of MAJORS) {
  try {
    if (!testOn(major)) failed.push(major);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    failed.push(major);
  }
}
if (failed.length > 0) {
  console.error(`failed on Node ${failed.join(' and ')}`);
  process.exitCode = 1;
} else {
  console.log(`passed on Node ${MAJORS.join(' and ')}`);
}
