/**
 * Reading JSON that others wrote.
 *
 * @module
 */
import { DeserializationError } from "../errors.ts";
import { parsableText } from "./canonical_text.ts";
import { parseWithExactKeys } from "./exact_keys.ts";
import { parseExact } from "./exact_numbers.ts";

/**
 * Parses JSON as Python writes it, which includes `NaN` and `Infinity`: they are read as null, which is how
 * JavaScript writes them. A key `__proto__` becomes an own property, as `JSON.parse` has it, and touches no
 * prototype (SEC-3).
 *
 * Throws `DeserializationError`, which tells the place but none of the text, where the text is no JSON.
 */
export function parseJson(text: string): unknown {
  return parseAsPython(text, parseWithExactKeys);
}

/** The same, with integers that a double cannot hold as bigint. */
export function parseExactJson(text: string): unknown {
  return parseAsPython(text, parseExact);
}

function parseAsPython(text: string, parse: (json: string) => unknown): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof DeserializationError) throw error;
    // Either it has one of those words or it is broken, and then this says where.
    return parse(parsableText(text));
  }
}

/** A JSON object, neither array nor null. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
