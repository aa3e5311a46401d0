import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
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
      // Files that import each other by their packages' paths are in a folder of their own, with gen beside it.
      const [example, sources] = proto.split(sep);
      const isInFolder = sources === 'proto';
      const includes = isInFolder ? [join(examples, example!, 'proto')] : [];
      const gen = isInFolder ? join(example!, 'gen') : join(dirname(proto), 'gen');
      for (const { path, text } of generateModules([join(examples, proto)], includes)) {
        const committed = readFileSync(join(examples, gen, path), 'utf8');
        const include = isInFolder ? ` -I examples/${example}/proto` : '';
        const command = `npx lictor generate examples/${proto} --out ${join('examples', gen)}${include}`;
        assert.equal(committed, text, `run: ${command}`);
      }
    });
  }
});
