/**
 * Numbers of a JSON text that a double cannot hold.
 *
 * @module
 */

/** For `JSON.parse`: such numbers are printed again with the digits that they were written with. */
export function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
}
