/** One import, export-from or dynamic import in a source file. */
export type ImportSite = {
  /** Where it begins, from 1. */
  readonly line: number;
  /** Undefined when it is computed: `import(name)`. */
  readonly specifier: string | undefined;
};

type Token = { readonly kind: 'word' | 'text' | 'sign'; readonly text: string; readonly line: number };

/** Finds every import of a TypeScript source, `import type` and `typeof import('x')` too, and none in comments or texts. */
export function scanImports(source: string): readonly ImportSite[] {
  const tokens = tokenize(source);
  const sites: ImportSite[] = [];
  tokens.forEach((token, i) => {
    if (token.kind !== 'word' || tokens[i - 1]?.text === '.') return;
    const next = tokens[i + 1];
    if (!next || next.text === ':') return; // A property named `import`.
    if ((token.text === 'import' || token.text === 'require') && isSign(next, '(')) {
      const argument = tokens[i + 2];
      // A whole argument: `import('a' + b)` is computed.
      const whole = argument?.kind === 'text' && (isSign(tokens[i + 3], ')') || isSign(tokens[i + 3], ','));
      if (token.text === 'import' || whole) {
        sites.push({ line: token.line, specifier: whole ? argument.text : undefined });
      }
    } else if (token.text === 'import' && next.kind === 'text') {
      sites.push({ line: token.line, specifier: next.text });
    } else if (token.text === 'import' || (token.text === 'export' && isReexport(tokens, i + 1))) {
      const from = fromClause(tokens, i + 1);
      if (from) sites.push({ line: token.line, specifier: from.text });
    }
  });
  return sites;
}

const isSign = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'sign' && token.text === text;

function isReexport(tokens: readonly Token[], at: number): boolean {
  const token = tokens[tokens[at]?.text === 'type' ? at + 1 : at];
  return isSign(token, '{') || isSign(token, '*');
}

/** The text after `from`, before whatever cannot stand in an import clause. */
function fromClause(tokens: readonly Token[], start: number): Token | undefined {
  for (let i = start; i < tokens.length; i++) {
    const token = tokens[i]!;
    const next = tokens[i + 1];
    if (token.kind === 'word' && token.text === 'from' && next?.kind === 'text') return next;
    // A text may be a name: export { 'a b' as c } from 'x'.
    if (token.kind === 'sign' && !'{},*'.includes(token.text)) return undefined;
  }
  return undefined;
}

const TEXT = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/s;
const COMMENT = /\/\/[^\n]*|\/\*.*?\*\//s;
const PIECE = new RegExp(
  `\\s+|${COMMENT.source}|(?<text>${TEXT.source})|(?<word>[\\w$#\\u0080-\\uffff]+)|(?<sign>.)`,
  'sy',
);
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y;
const TEMPLATE = /(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)/sy;
// After these a slash begins a regular expression; after other words, and after ) ] }, it divides.
const BEFORE_REGEX = /^(?:return|typeof|case|in|of|delete|void|throw|new|do|else|await|yield|instanceof)$/;

function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  // For every open `${` the number of braces open inside it.
  const templates: number[] = [];
  let at = 0;
  let line = 1;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (!match) return undefined;
    at = pattern.lastIndex;
    line += match[0].split('\n').length - 1;
    return match;
  };
  const template = (start: number, whole: boolean) => {
    const body = take(TEMPLATE)?.[0] ?? '';
    if (body.endsWith('${')) templates.push(0);
    else if (whole) tokens.push({ kind: 'text', text: body.slice(0, -1), line: start });
    // The end of one with parts is a value, but not a text that could name a module.
    else tokens.push({ kind: 'sign', text: ')', line: start });
  };
  while (at < source.length) {
    const start = line;
    if (source[at] === '/' && beginsRegex(tokens.at(-1)) && !/^\/[/*]/.test(source.slice(at, at + 2))) {
      if (take(REGEX)) {
        tokens.push({ kind: 'sign', text: ')', line: start });
        continue;
      }
    }
    const { text, word, sign } = take(PIECE)!.groups!;
    if (text !== undefined) tokens.push({ kind: 'text', text: text.slice(1, -1), line: start });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, line: start });
    else if (sign === '`') template(start, true);
    else if (sign === '}' && templates.at(-1) === 0) {
      templates.pop();
      template(start, false);
    } else if (sign !== undefined) {
      if (templates.length > 0) templates[templates.length - 1]! += sign === '{' ? 1 : sign === '}' ? -1 : 0;
      tokens.push({ kind: 'sign', text: sign, line: start });
    }
  }
  return tokens;
}

function beginsRegex(before: Token | undefined): boolean {
  if (!before) return true;
  if (before.kind === 'word') return BEFORE_REGEX.test(before.text);
  return before.kind === 'sign' && !')]}'.includes(before.text);
}
