/**
 * A dead letter as JSON, for the command line and the observatory.
 *
 * @module
 */
import { parseWithExactKeys } from "../message/exact_keys.ts";
import { keepDigits } from "../message/keep_digits.ts";
import type { QueuedLetter } from "./queues.ts";

/** Everything known about a letter but its payload; snake case, as in `_dlq_metadata`. */
export function letterJson({ id, queue, subscription, letter }: QueuedLetter): Record<string, unknown> {
  return {
    dlq_id: id,
    dlq_stream: queue,
    subscription,
    stream: letter.originalStream,
    original_id: letter.originalId,
    consumer_group: letter.consumerGroup,
    consumer: letter.consumer,
    handler: letter.handler,
    failure_reason: letter.failureReason,
    error_type: letter.errorType,
    error_message: letter.errorMessage,
    error_stack: letter.errorStack,
    failed_at: letter.failedAt,
    first_failed_at: letter.firstFailedAt,
    retry_count: letter.retryCount,
    replay_count: letter.replayCount,
    message_id: letter.messageId,
    message_type: letter.messageType,
    correlation_id: letter.correlationId,
  };
}

/** The message as it was before it failed: JSON where it is JSON, its text where it is not. */
export function letterPayload({ letter }: QueuedLetter): unknown {
  try {
    return parseWithExactKeys(letter.text, keepDigits);
  } catch {
    return letter.text;
  }
}
