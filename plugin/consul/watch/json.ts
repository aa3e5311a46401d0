/** JSON as Go's programs write and read it: integers of 64 bits stay whole, in both directions. */

/** Like JSON.parse, except that an integer beyond what a number holds is a bigint. @throws SyntaxError */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  // A quote inside a string is escaped, so that the first alternative takes each string whole.
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/gs, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"${MARK}${token}"`,
  );
  return JSON.parse(marked, (_name, value: unknown) =>
    typeof value === 'string' && MARKED.test(value) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/** No string of an agent starts with it: Go writes a lone surrogate as U+FFFD. */
const MARK = '\udfff';
const MARKED = /^\udfff-?\d{16,}$/;

/** A result as `consul watch` prints it: integers as digits, and what could end a <script> escaped. */
export function formatJson(value: unknown, indent = 0): string {
  return write(value, '', ' '.repeat(indent));
}

function write(value: unknown, margin: string, indent: string): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const inner = margin + indent;
  const items = Array.isArray(value)
    ? value.map((item) => write(item, inner, indent))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([name, item]) => `${quote(name)}:${indent && ' '}${write(item, inner, indent)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (items.length === 0) return `${open}${close}`;
  if (!indent) return `${open}${items.join(',')}${close}`;
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${margin}${close}`;
}

const quote = (text: string) =>
  JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
