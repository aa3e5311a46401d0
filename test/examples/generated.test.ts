import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { generateModules } from '../../codec/generate/generate.js';
import { root } from '../../scripts/root.js';

const examples = join(root, 'examples');
const protos = readdirSync(examples, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.proto'),
);

describe('the committed module is what lictor generate writes now', () => {
  assert.ok(protos.length > 0);
  for (const proto of protos) {
    test(proto, () => {
      for (const { path, text } of generateModules([join(examples, proto)], [])) {
        const committed = readFileSync(join(examples, dirname(proto), 'gen', path), 'utf8');
        const folder = join('examples', dirname(proto));
        assert.equal(committed, text, `run: npx lictor generate examples/${proto} --out ${folder}/gen`);
      }
    });
  }
});
