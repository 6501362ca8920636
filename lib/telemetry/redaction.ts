/**
 * Keeps secrets out of the log (SEC-4): values whose key says that they are secret are replaced, at every
 * depth, and so are passwords and `key=value` pairs inside texts and errors.
 *
 * @module
 */
import { endsInWord, isSecretKey, MASK, maskText, maskTextOf } from "../config/secrets.ts";
import { asError, isError } from "../errors.ts";

/** Deeper values are not worth reading in a log, and cycles end here. */
const MAX_DEPTH = 6;
const MAX_TEXT = 8_192;

/** Makes a property fit for the log: JSON-safe, bounded, and without secrets. */
export type Redactor = (key: string, value: unknown) => unknown;

/**
 * A redactor for `[logging] redact`: a key is secret when its name says so or when it is one of `words` or
 * ends in one.
 */
export function createRedactor(words: readonly string[]): Redactor {
  const isSecret = (key: string) => isSecretKey(key) || endsInWord(key, words);
  return (key, value) => (isSecret(key) ? MASK : safe(key, value, isSecret, 0));
}

function safe(key: string, value: unknown, isSecret: (key: string) => boolean, depth: number): unknown {
  const safeText = (text: string) => bounded(maskText(text.slice(0, 2 * MAX_TEXT), { isSecret }));
  // Masked before it is cut, for half a URI is not told from a text.
  if (typeof value === "string") return bounded(maskTextOf(key, value.slice(0, 2 * MAX_TEXT), isSecret));
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object") return value === undefined ? undefined : safeText(String(value));
  if (isError(value)) return safeText(asError(value).message);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (depth === MAX_DEPTH) return "…";
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => safe(key, item, isSecret, depth + 1));
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value).slice(0, 100)) {
    entries.push([name, isSecret(name) ? MASK : safe(name, inner, isSecret, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function bounded(masked: string): string {
  return masked.length <= MAX_TEXT ? masked : `${masked.slice(0, MAX_TEXT)}…`;
}
