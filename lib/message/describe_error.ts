/**
 * Errors as text, for dead letters: bounded, with what caused them.
 *
 * @module
 */
import { asError, errorsOf, isError, ProteanError } from "../errors.ts";

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

/** What the error is, as a label: `ValidationError`. At most 100 bytes. Never throws. */
export function errorType(thrown: unknown): string {
  return cut(readable(() => typeName(asError(thrown))), 100);
}

/**
 * One line for a log above debug, in which payloads must not be (SEC-4): our own errors in our own words; of
 * all others, drivers' and user code's, what they are and where they were thrown, for their texts quote what
 * they could not use. Never throws.
 */
export function logLine(thrown: unknown): string {
  const error = asError(thrown);
  return cut(readable(() => outlineOf(error, 0)), MAX_LINE_BYTES);
}

function outlineOf(error: Error, depth: number): string {
  const name = typeName(error);
  if (error instanceof ProteanError) return `${name}: ${error.outline}`;
  if (error instanceof AggregateError && depth === 0) {
    const several = errorsOf(error);
    return `${name} of ${several.length}: ${
      several.slice(0, 3).map((one) => outlineOf(one, depth + 1)).join("; ")
    }`;
  }
  const code: unknown = "code" in error ? error.code : undefined;
  const known = typeof code === "string" && /^[A-Z0-9_]{1,40}$/.test(code) ? ` (${code})` : "";
  return `${name}${known}${placeOf(error)}`;
}

/**
 * ` at place (file:///shop/domain.ts:12:7)`: the first frame of the stack, if that begins with the message,
 * as it should.
 */
function placeOf({ stack, message }: Error): string {
  const text = String(stack);
  const end = text.indexOf(message) + message.length;
  const frame = end < message.length
    ? undefined
    : /^\s+(at [^\n]{1,300}:\d+:\d+\)?)$/m.exec(text.slice(end))?.[1];
  return frame === undefined ? "" : ` ${frame}`;
}

/** One line with the error's text, for debug: `TypeError: amount is negative`. Never throws. */
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
    const several: readonly unknown[] = error instanceof AggregateError ? errorsOf(error) : [];
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
