/**
 * Reading JSON that others wrote.
 *
 * @module
 */
import { parsableText } from "./canonical_text.ts";

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
    return JSON.parse(parsableText(text));
  }
}

/** A JSON object, neither array nor null. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
