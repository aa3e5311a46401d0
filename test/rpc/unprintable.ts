const boom = () => {
  throw new Error('boom');
};

/** Values that throw when they are looked at. */
export const unprintable: Readonly<Record<string, () => unknown>> = {
  'an object without a prototype': () => Object.create(null),
  'an object whose toString throws': () => ({ toString: boom }),
  'an object whose then throws': () => Object.defineProperty({}, 'then', { get: boom }),
  'an error whose message throws': () => Object.defineProperty(new Error(), 'message', { get: boom }),
  'an error whose name throws': () => Object.defineProperty(new Error(), 'name', { get: boom }),
  'an error whose stack throws': () => Object.defineProperty(new Error('x'), 'stack', { get: boom }),
  'an error whose stack is no text': () => Object.defineProperty(new Error('x'), 'stack', { value: 7 }),
  'a proxy that refuses everything': () => new Proxy({}, { get: boom, getPrototypeOf: boom, has: boom }),
};
