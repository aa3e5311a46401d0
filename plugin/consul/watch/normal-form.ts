/** What changes without anything having happened to what is watched. */
const VOLATILE = new Set(['CreateIndex', 'ModifyIndex', 'Output']);

/** Equal for two results that mean the same: the order of lists, indexes, and the output of checks do not count. */
export function normalForm(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(normalForm).sort().join()}]`;
  const fields = Object.entries(value).filter(([name]) => !VOLATILE.has(name));
  return `{${fields.map(([name, item]) => `${JSON.stringify(name)}:${normalForm(item)}`).join()}}`;
}
