/**
 * Reading JSON that others wrote.
 *
 * @module
 */
import { canonicalText } from "./canonical_text.ts";

const STRING_OR_NO_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|NaN|-?Infinity/g;

/**
 * Parses JSON as Python writes it, which includes `NaN` and `Infinity`: they are read as null, which is how
 * JavaScript writes them. A key `__proto__` becomes an own property, as `JSON.parse` has it, and touches no
 * prototype (SEC-3).
 *
 * Throws `DeserializationError`, which tells the place but none of the text, where the text is no JSON.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Either it has one of those words or it is broken, and then this says where.
    const canonical = canonicalText(text);
    return JSON.parse(
      canonical.replace(STRING_OR_NO_NUMBER, (token) => token.startsWith('"') ? token : "null"),
    );
  }
}

/** A JSON object, neither array nor null. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
