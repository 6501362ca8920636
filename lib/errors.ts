/**
 * The one error hierarchy (design 9). Every message is one sentence that says what failed, where, and what to
 * do; `code` is stable and machine-readable; the cause is chained. The command line prints these without a
 * stack.
 *
 * @module
 */
import type { Diagnostic } from "./diagnostics.ts";

/** Options of every error of ours. */
export interface ProteanErrorOptions extends ErrorOptions {
  /**
   * Stable, upper snake case, such as `CONFIG_UNKNOWN_KEY` (`error_codes.ts`). Defaults to the class's own
   * code.
   */
  readonly code?: string;
  /**
   * The message without what payloads, keys or a driver's text brought into it: what a log above debug says.
   * Defaults to the message.
   */
  readonly outline?: string;
}

/** Base of all errors this server throws on purpose. */
export class ProteanError extends Error {
  readonly code: string;
  readonly #outline: string | undefined;

  constructor(message: string, options: ProteanErrorOptions = {}, code = "PROTEAN_ERROR") {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code ?? code;
    this.#outline = options.outline;
  }

  /** What may be logged of it above debug: no value of a payload (SEC-4). */
  get outline(): string {
    return this.#outline ?? this.message;
  }
}

/** One problem of the configuration or of the declared elements. */
export type ConfigurationProblem = Diagnostic;

/** The configuration or the declared elements cannot work as written; nothing starts (exit 2). */
export class ConfigurationError extends ProteanError {
  /** Every problem found, not just the first. */
  readonly problems: readonly ConfigurationProblem[];

  constructor(
    message: string,
    options: ProteanErrorOptions & { problems?: readonly ConfigurationProblem[] } = {},
  ) {
    super(message, options, options.problems?.[0]?.code ?? "CONFIGURATION");
    this.problems = options.problems ?? [{ code: this.code, message }];
  }
}

/** Options of `RefusedError`. */
export interface RefusedErrorOptions extends ProteanErrorOptions {
  /**
   * `statement`: a statement of the user's own names what is not there, so that is missing for everybody, or
   * the statement is wrong and its handler alone concerned. `key`: whatever else the backend is asked for it
   * does, but not with this stream. @default "everybody"
   */
  readonly concerns?: RefusedError["concerns"];
}

/**
 * A backend refuses what it is asked for, whoever asks: for a password, a right, a table or a key that only
 * an operator can mend. At a start it ends it (exit 2); while the server runs, what was refused waits,
 * uncounted, and is tried again.
 */
export class RefusedError extends ConfigurationError {
  /** See `RefusedErrorOptions`. */
  readonly concerns: "everybody" | "statement" | "key";

  constructor(message: string, options: RefusedErrorOptions = {}) {
    super(message, options);
    this.concerns = options.concerns ?? "everybody";
  }
}

/** The domain module cannot be found or loaded (exit 2). */
export class DomainLoadError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "DOMAIN_LOAD");
  }
}

/** Data that a schema refused. */
export class ValidationError extends ProteanError {
  /** Path and reason of every refusal, as the schema told them. */
  readonly issues: readonly { readonly path: string; readonly message: string }[];

  constructor(
    message: string,
    issues: readonly { path: string; message: string }[] = [],
    options: ProteanErrorOptions = {},
  ) {
    super(message, options, "VALIDATION");
    this.issues = issues;
  }
}

/** Somebody else saved the same aggregate, view row or stream first; the unit of work is retried. */
export class ExpectedVersionError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "EXPECTED_VERSION");
  }
}

/** No stored object has the id that was asked for. */
export class ObjectNotFoundError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "OBJECT_NOT_FOUND");
  }
}

/** Bytes that are not a message this domain can read; dead-lettered once, never retried. */
export class DeserializationError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "DESERIALIZATION");
  }
}

/** Options of `UnavailableError` and its kinds. */
export interface UnavailableErrorOptions extends ProteanErrorOptions {
  /** No connection was had: nothing of the work has begun, so it cannot be what went wrong. @default false */
  readonly isUnreached?: boolean;
}

/**
 * A message of a group that is shared with another program, which nobody there handles: dead-lettered once,
 * since to acknowledge it would lose it (delivery 5).
 */
export class UnhandledMessageError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "MESSAGE_UNHANDLED");
  }
}
/** A message that is larger than what is received; dead-lettered unread, by its beginning. */
export class MessageTooLarge extends DeserializationError {}

/** A backend does not answer now and may answer later; the caller waits and tries again. */
export class UnavailableError extends ProteanError {
  /** See `UnavailableErrorOptions`. */
  readonly isUnreached: boolean;

  constructor(message: string, options: UnavailableErrorOptions = {}, code = "UNAVAILABLE") {
    super(message, options, code);
    this.isUnreached = options.isUnreached ?? false;
  }
}

/** A database does not answer. */
export class ProviderUnavailableError extends UnavailableError {
  constructor(message: string, options: UnavailableErrorOptions = {}) {
    super(message, options, "PROVIDER_UNAVAILABLE");
  }
}

/** A broker does not answer, is full, or is read-only. */
export class BrokerUnavailableError extends UnavailableError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "BROKER_UNAVAILABLE");
  }
}

/** No connection came free within `pool_timeout`; the message prints the pool's state. */
export class PoolTimeoutError extends UnavailableError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, { isUnreached: true, ...options }, "POOL_TIMEOUT");
  }
}

/** The stream or its consumer group does not exist (any more); the reader creates it and reads on. */
export class GroupMissingError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "GROUP_MISSING");
  }
}

/**
 * A partition is another owner's by now (wire 2.11): nothing was read, acknowledged or written for this one.
 */
export class FencedError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "FENCED");
  }
}

/**
 * The idempotency mark was taken by a concurrent delivery; the effect exists already, nothing is committed.
 */
export class DuplicateMessageError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "DUPLICATE_MESSAGE");
  }
}

/**
 * The idempotency mark is another message's, which came under the same id with other data; dead-lettered
 * once, never retried.
 */
export class MessageConflictError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "MESSAGE_CONFLICT");
  }
}

/** The unit of work may not commit any more: its message was claimed by another, or the drain cut it. */
export class CommitRefusedError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "COMMIT_REFUSED");
  }
}

/** The adapter in use cannot do what was asked. */
export class NotSupportedError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "NOT_SUPPORTED");
  }
}

/** The wrong use of the public API: a programming error, found at once. */
export class IncorrectUsageError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "INCORRECT_USAGE");
  }
}

/** The longest that a `RetryAfter` waits: 24 hours. */
export const LONGEST_RETRY_AFTER_MS = 86_400_000;

/**
 * Thrown by a handler: its message goes to the dead letters without a further attempt. Nothing of its unit of
 * work commits. `reason` is what operators read.
 */
export class DeadLetter extends ProteanError {
  constructor(reason: string, options: { cause?: unknown } = {}) {
    super(reason, { cause: options.cause, code: "DEAD_LETTER" });
  }
}

/**
 * Thrown by a handler: its message is acknowledged, and counted by `reason`, which should therefore be one of
 * a few fixed texts and no text with an id in it. Nothing of its unit of work commits.
 */
export class Discard extends ProteanError {
  constructor(reason: string, options: { cause?: unknown } = {}) {
    super(reason, { cause: options.cause, code: "DISCARD" });
  }
}

/**
 * Thrown by a handler: its message is handled again after `ms`, which is no attempt and no failure for the
 * circuit breaker, at most 100 times for one message. Nothing of its unit of work commits. More than 24 hours
 * are 24 hours, less than nothing is nothing; throws `IncorrectUsageError` where `ms` is not a number.
 */
export class RetryAfter extends ProteanError {
  /** Milliseconds, 0 to 86,400,000. */
  readonly ms: number;

  constructor(ms: number, reason = "The handler asked for another time.", options: { cause?: unknown } = {}) {
    super(reason, { cause: options.cause, code: "RETRY_AFTER" });
    if (typeof ms !== "number" || Number.isNaN(ms)) {
      throw new IncorrectUsageError(
        `RetryAfter waits a number of milliseconds: current value is ${String(ms)}.`,
      );
    }
    this.ms = Math.min(Math.max(0, ms), LONGEST_RETRY_AFTER_MS);
  }
}

/** Whatever was thrown, as an Error whose message is a text: user code may throw anything. Never throws. */
export function asError(thrown: unknown): Error {
  try {
    // A Proxy may throw when it is asked what it is, a getter when it is read.
    if (thrown instanceof Error && typeof thrown.message === "string") return thrown;
  } catch { /* It is told in other words. */ }
  return new Error(inWords(thrown), { cause: thrown });
}

/**
 * What the system said of a file, as `No such file or directory (os error 2)`: the runtime repeats the path
 * behind it, in its own form, which no mask knows. Never throws.
 */
export function systemReason(thrown: unknown): string {
  return asError(thrown).message.replace(/: \w+ '.*$/s, "");
}

/** What several errors consist of, a hundred at the most. Never throws. */
export function errorsOf(several: AggregateError): readonly Error[] {
  try {
    const given: unknown = several.errors;
    return Array.isArray(given) ? given.slice(0, 100).map(asError) : [];
  } catch {
    return [];
  }
}

/** Whether this is an Error, whatever it was made of. Never throws. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function inWords(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "something was thrown that has no text";
  }
}
