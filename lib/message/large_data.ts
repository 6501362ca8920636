/**
 * Payloads of large messages, which are looked at with more care before a schema judges them whole.
 *
 * @module
 */

/** In UTF-16 units: larger than anybody sends by default. */
export const LARGE_TEXT = 1024 * 1024;

const large = new WeakSet<object>();

/** `data` was read from a text of more than `LARGE_TEXT`. Returns it. */
export function noteLarge<T extends object>(data: T): T {
  large.add(data);
  return data;
}

/** Whether `data` was read from such a text. */
export function isLargeData(data: object): boolean {
  return large.has(data);
}
