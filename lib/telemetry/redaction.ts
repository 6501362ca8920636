/**
 * Keeps secrets out of the log (SEC-4): values whose key says that they are secret are replaced, at every depth.
 *
 * @module
 */

const MASK = "***";
/** Deeper values are not worth reading in a log, and cycles end here. */
const MAX_DEPTH = 6;
const MAX_TEXT = 8_192;

/** Makes a property fit for the log: JSON-safe, bounded, and without secrets. */
export type Redactor = (key: string, value: unknown) => unknown;

/**
 * A redactor for `[logging] redact`. A key is secret when it is one of `words` or ends in one, whatever its case and
 * spelling: `token` covers `access_token`, `accessToken` and `X-Access-Token`.
 */
export function createRedactor(words: readonly string[]): Redactor {
  const secrets = words.map(folded).filter((word) => word !== "");
  const isSecret = (key: string) => {
    const name = folded(key);
    return secrets.some((word) => name === word || name.endsWith(`_${word}`));
  };
  return (key, value) => (isSecret(key) ? MASK : safe(value, isSecret, 0));
}

function folded(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replaceAll("-", "_").toLowerCase();
}

function safe(value: unknown, isSecret: (key: string) => boolean, depth: number): unknown {
  if (typeof value === "string") return bounded(value);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object") return value === undefined ? undefined : bounded(String(value));
  if (value instanceof Error) return bounded(value.message);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (depth === MAX_DEPTH) return "…";
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => safe(item, isSecret, depth + 1));
  const entries: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value).slice(0, 100)) {
    entries.push([key, isSecret(key) ? MASK : safe(inner, isSecret, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function bounded(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}
