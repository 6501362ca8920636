/**
 * Errors as text, for dead letters: bounded, with what caused them.
 *
 * @module
 */
import { asError } from "../errors.ts";

/** An error in words. */
export interface ErrorDescription {
  /** Class name: `ValidationError`. */
  readonly type: string;
  readonly message: string;
  /** Stack, then the stacks of its causes. */
  readonly stack: string;
}

/** Describes whatever was thrown; each text is cut at `maxBytes` of UTF-8. Never throws. */
export function describeError(thrown: unknown, maxBytes: number): ErrorDescription {
  const error = asError(thrown);
  return {
    type: cut(readable(() => typeName(error)), maxBytes),
    message: cut(readable(() => error.message), maxBytes),
    stack: cut(readable(() => stackOf(error)), maxBytes),
  };
}

/** One line for the log: `TypeError: amount is negative`. Never throws. */
export function errorLine(thrown: unknown): string {
  const { type, message } = describeError(thrown, MAX_LINE_BYTES);
  return `${type}: ${message}`;
}

const MAX_LINE_BYTES = 1024;

/** Errors of user code may have a message that is no text, or a getter that throws. */
function readable(text: () => unknown): string {
  try {
    return String(text());
  } catch {
    return "(unreadable)";
  }
}

/** Many classes leave `name` at `Error`. */
function typeName(error: Error): string {
  return error.name === "Error" ? error.constructor.name : error.name;
}

/** Deep enough for any honest chain; a circular one ends too. */
const MAX_CAUSES = 5;

function stackOf(error: Error, depth = 0): string {
  const own = error.stack ?? `${typeName(error)}: ${error.message}`;
  if (depth === MAX_CAUSES) return own;
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  const stacks = causes.filter((cause) => cause instanceof Error).map((cause) =>
    `\nCaused by: ${stackOf(cause, depth + 1)}`
  );
  return own + stacks.join("");
}

/** Whole characters only. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(maxBytes)).read);
}
