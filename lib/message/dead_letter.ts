/**
 * Dead letters: the original text with `_dlq_metadata` beside its own keys (spec: wire 2.8, delivery 18).
 *
 * @module
 */

/** What is known when a message is given up. */
export interface DeadLetterFacts {
  /** The stream that it was read from. */
  readonly originalStream: string;
  /** Its id there. */
  readonly originalId: string;
  readonly consumerGroup: string;
  readonly consumer: string;
  /** The handler as declared: `OrderEventHandler`. */
  readonly handler: string;
  /** Attempts made. */
  readonly retryCount: number;
  /** Epoch ms. */
  readonly failedAt: number;
  /** Epoch ms of the first failed attempt. Defaults to that of a replayed entry, else to `failedAt`. */
  readonly firstFailedAt?: number;
  /** What was thrown. */
  readonly error: unknown;
  /** One line for operators. Defaults to `<error type>: <error message>`. */
  readonly reason?: string;
}

/** A dead letter as operators see it. */
export interface DeadLetter {
  readonly originalStream: string;
  readonly originalId: string;
  readonly consumerGroup: string;
  readonly consumer: string | null;
  readonly handler: string | null;
  /** ISO 8601. */
  readonly failedAt: string | null;
  /** ISO 8601. */
  readonly firstFailedAt: string | null;
  /** Attempts made before it was given up. */
  readonly retryCount: number;
  /** How often it was replayed to its group and came back. */
  readonly replayCount: number;
  readonly failureReason: string;
  readonly errorType: string | null;
  readonly errorMessage: string | null;
  readonly errorStack: string | null;
  readonly messageId: string | null;
  readonly messageType: string | null;
  readonly correlationId: string | null;
  /** The original JSON object (without `_dlq_metadata`), or undefined where the original was none. */
  readonly message: Readonly<Record<string, unknown>> | undefined;
}

/** Where a dead letter was found, for the keys that Python or an older writer left out. */
export interface DeadLetterPlace {
  /** The dead-letter stream: `my_domain::order:dlq`. */
  readonly stream: string;
  /** The entry's id there. */
  readonly id: string;
}

/** STUB SIGNATURE: being written. */
export function renderDeadLetter(original: string | undefined, facts: DeadLetterFacts): string {
  return JSON.stringify({ raw: original, _dlq_metadata: { original_id: facts.originalId } });
}

/** STUB SIGNATURE: being written. */
export function parseDeadLetter(_text: string | undefined, _place?: DeadLetterPlace): DeadLetter {
  throw new Error("being written");
}

/** STUB SIGNATURE: being written. */
export function originalText(text: string): string {
  return text;
}
