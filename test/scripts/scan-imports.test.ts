// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the sources under test.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scanImports } from '../../scripts/imports/scan.js';

const found = (source: string) => scanImports(source).map(({ specifier }) => specifier);

describe('imports are found', () => {
  for (const [what, source, ...specifiers] of [
    ['side effect', `import './a.js'`, './a.js'],
    ['default', `import a from "./a.js";`, './a.js'],
    ['names over lines', `import {\n  a,\n  type B as from,\n} from './a.js';`, './a.js'],
    ['default and names', `import a, { b } from './a.js'`, './a.js'],
    ['namespace', `import * as a from './a.js'`, './a.js'],
    ['types', `import type { A } from './a.js'; import type B from './b.js'`, './a.js', './b.js'],
    ['a binding called from', `import from from './a.js'`, './a.js'],
    ['attributes', `import p from './p.json' with { type: 'json' };`, './p.json'],
    ['export from', `export { a } from './a.js'; export type { B } from './b.js'`, './a.js', './b.js'],
    ['export all', `export * from './a.js'; export * as b from './b.js'`, './a.js', './b.js'],
    ['export type all', `export type * from './a.js'`, './a.js'],
    ['dynamic', `const a = await import('./a.js');`, './a.js'],
    ['dynamic with options', `import('./p.json', { with: { type: 'json' } })`, './p.json'],
    ['dynamic with a plain template', 'import(`./a.js`)', './a.js'],
    ['type of a module', `let a: typeof import('./a.js'); let b: import('./b.js').B;`, './a.js', './b.js'],
    ['require', `const a = require('./a.cjs')`, './a.cjs'],
    [
      'inside a template',
      'const t = `a ${`${await import("./a.js")}`} b ${{ c: 1 }.c}`; import("./b.js")',
      './a.js',
      './b.js',
    ],
    ['after a comment in the clause', `import { a } /* from './no.js' */ from './a.js'`, './a.js'],
    ['after a regular expression with a quote', `const r = /['"\`/]/g; import('./a.js')`, './a.js'],
    ['after a division', `const d = a / b; import('./a.js'); const e = c / d`, './a.js'],
    ['after an apostrophe in a comment', `// don't\nimport './a.js' // isn't`, './a.js'],
  ] as const) {
    test(what, () => assert.deepEqual(found(source), specifiers));
  }
});

describe('what only looks like an import is not one', () => {
  for (const [what, source] of [
    ['line comment', `// import './a.js'`],
    ['block comment', `/* import './a.js'\n * export * from './b.js' */`],
    ['text', `const a = "import './a.js'"`],
    ['template', "const a = `import './a.js'; ${1} export * from './b.js'`"],
    ['escaped quote', `const a = 'it\\'s import("./a.js")'`],
    ['import.meta', `const a = import.meta.url; f(from, 'x')`],
    ['a method', `loader.import('./a.js'); loader.require('./b.js')`],
    ['a property', `const a = { import: './a.js', export: './b.js' }`],
    [
      'a plain export',
      `export const from = './a.js'; export default './b.js'; export { a };\nconst b = './c.js'`,
    ],
    ['a regular expression', `const a = /import '.\\/a.js'/`],
  ] as const) {
    test(what, () => assert.deepEqual(found(source), []));
  }
});

test('a computed import is found, without a specifier', () => {
  assert.deepEqual(found(`import(name); import('./a' + b); import(\`./\${c}.js\`)`), [
    undefined,
    undefined,
    undefined,
  ]);
});

test('the line is where the statement begins', () => {
  const source = `/* one\ntwo */\nconst a = \`\n\n\`;\nimport {\n  b,\n} from './b.js';\nimport './c.js';`;
  assert.deepEqual(
    scanImports(source).map(({ line }) => line),
    [6, 9],
  );
});
