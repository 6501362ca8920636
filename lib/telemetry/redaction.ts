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
/** Items of one list or object, and values of one property altogether: what leads back to itself fans out. */
const MAX_ITEMS = 100;
const MAX_VALUES = 1_000;
/** What is left out, or there is no room for. */
const MORE = "…";
const UNREADABLE = "(unreadable)";
const MAX_TEXT = 8_192;

/** Makes a property fit for the log: JSON-safe, bounded, and without secrets. */
export type Redactor = (key: string, value: unknown) => unknown;

/**
 * A redactor for `[logging] redact`: a key is secret when its name says so or when it is one of `words` or
 * ends in one.
 */
export function createRedactor(words: readonly string[]): Redactor {
  const isSecret = (key: string) => isSecretKey(key) || endsInWord(key, words);
  return (key, value) => (isSecret(key) ? MASK : new Copy(isSecret).of(key, value, 0));
}

/** One property's copy. Never throws: getters may, and proxies. */
class Copy {
  readonly #isSecret: (key: string) => boolean;
  #left = MAX_VALUES;

  constructor(isSecret: (key: string) => boolean) {
    this.#isSecret = isSecret;
  }

  of(key: string, value: unknown, depth: number): unknown {
    if (this.#left-- <= 0) return MORE;
    try {
      return this.#read(key, value, depth);
    } catch {
      return UNREADABLE;
    }
  }

  #read(key: string, value: unknown, depth: number): unknown {
    // Masked before it is cut, for half a URI is not told from a text.
    if (typeof value === "string") {
      return bounded(maskTextOf(key, value.slice(0, 2 * MAX_TEXT), this.#isSecret));
    }
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (typeof value !== "object") return value === undefined ? undefined : this.#text(String(value));
    if (isError(value)) return this.#text(asError(value).message);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof URL) return maskTextOf("url", value.href.slice(0, 2 * MAX_TEXT), this.#isSecret);
    // Bytes are told by their number: to list them all takes seconds.
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} byte(s)`;
    if (depth === MAX_DEPTH) return MORE;
    if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => this.of(key, item, depth + 1));
    if (value instanceof Set) {
      return [...value.values().take(MAX_ITEMS)].map((item) => this.of(key, item, depth + 1));
    }
    return this.#object(value, depth);
  }

  #object(value: object, depth: number): unknown {
    const entries: [string, unknown][] = [];
    for (const [name, read] of propertiesOf(value)) {
      if (this.#left <= 0) break;
      entries.push([name, this.#isSecret(name) ? MASK : this.#property(name, read, depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  #property(name: string, read: () => unknown, depth: number): unknown {
    let value: unknown;
    try {
      value = read();
    } catch {
      return UNREADABLE;
    }
    return this.of(name, value, depth);
  }

  #text(text: string): string {
    return bounded(maskText(text.slice(0, 2 * MAX_TEXT), { isSecret: this.#isSecret }));
  }
}

/** Names, and how to read what each has; of an object its own ones. */
function propertiesOf(value: object): readonly (readonly [string, () => unknown])[] {
  if (value instanceof Map) {
    return [...value.entries().take(MAX_ITEMS)].map(([name, item]) => [String(name), () => item]);
  }
  const own = value as Readonly<Record<string, unknown>>;
  return Object.keys(own).slice(0, MAX_ITEMS).map((name) => [name, () => own[name]]);
}

function bounded(masked: string): string {
  return masked.length <= MAX_TEXT ? masked : `${masked.slice(0, MAX_TEXT)}…`;
}
