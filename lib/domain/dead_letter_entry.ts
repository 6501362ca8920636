/**
 * A dead letter's facts as a team's code is given them.
 *
 * @module
 */
import type { DeadLetter } from "../message/dead_letter.ts";
import type { DeadLetterEntry } from "./types.ts";

/** What of an entry its letter says: all but where it lies, whose it is, and what is in it. */
export type LetterFacts = Omit<
  DeadLetterEntry,
  "id" | "dlqStream" | "subscription" | "handler" | "consumerGroup" | "payload"
>;

/** What the letter says; a time that is none is unknown. */
export function letterFacts(letter: DeadLetter): LetterFacts {
  const time = letter.failedAt === null ? NaN : Date.parse(letter.failedAt);
  return {
    originalId: letter.originalId,
    messageId: letter.messageId ?? undefined,
    type: letter.messageType ?? undefined,
    failureReason: letter.failureReason,
    errorType: letter.errorType ?? undefined,
    errorMessage: letter.errorMessage ?? undefined,
    failedAt: Number.isFinite(time) ? new Date(time) : undefined,
    retryCount: letter.retryCount,
    replayCount: letter.replayCount,
  };
}
