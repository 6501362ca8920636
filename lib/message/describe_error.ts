/**
 * Errors as text, for dead letters: bounded, with what caused them.
 *
 * @module
 */
import { asError, isError } from "../errors.ts";

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
    stack: cut(stackOf(error), maxBytes),
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

/** Enough for any honest chain. Causes that lead back to themselves, or fan out, end too. */
const MAX_STACKS = 10;

function stackOf(error: Error): string {
  const stacks: string[] = [];
  const told = new Set<unknown>();
  const tell = (one: unknown) => {
    if (told.has(one) || told.size === MAX_STACKS || !isError(one)) return;
    told.add(one);
    stacks.push(readable(() => one.stack ?? `${typeName(one)}: ${one.message}`));
    for (const cause of causesOf(one)) tell(cause);
  };
  tell(error);
  return stacks.join("\nCaused by: ");
}

function causesOf(error: Error): readonly unknown[] {
  try {
    const several: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
    return [...several.slice(0, MAX_STACKS), error.cause];
  } catch {
    return [];
  }
}

/** The beginning of `text`, at most `maxBytes` of UTF-8, whole characters only. */
export function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(maxBytes)).read);
}
