/**
 * Where a value would lose something as JSON without a word, and what: `NaN` becomes null, a Map an empty object, a
 * function in an object nothing. Fields that are undefined are left out, as everyone expects.
 * @param value one that JSON has a text for
 */
export function lossOf(value: unknown, where = 'the value'): string | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? undefined : `${where} is ${value}, which JSON has no text for`;
    case 'function':
    case 'symbol':
      return `${where} is a ${typeof value}, which JSON has no text for`;
    case 'object':
      return value === null ? undefined : lossIn(value, where);
    default:
      return undefined;
  }
}

function lossIn(value: object, where: string): string | undefined {
  // It says itself what it is as JSON.
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  if (!Array.isArray(value) && !isPlain(value))
    return `${where} is a ${value.constructor.name}, of which JSON shows nothing or not all`;
  for (const [name, inner] of Object.entries(value)) {
    const loss = lossOf(inner, `${where === 'the value' ? '' : `${where}.`}${name}`);
    if (loss) return loss;
  }
  return undefined;
}

/** What has fields and nothing else; an object of a class of one's own is its fields. */
const isPlain = (value: object): boolean => Object.prototype.toString.call(value) === '[object Object]';
