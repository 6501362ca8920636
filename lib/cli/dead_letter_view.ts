/**
 * A dead letter as text for people and as JSON for programs.
 *
 * @module
 */
import type { QueuedLetter } from "../dlq/queues.ts";
import { parseWithExactKeys } from "../message/exact_keys.ts";
import { keepDigits } from "../message/keep_digits.ts";
import type { Cli } from "./cli.ts";
import { printable, printableLines, visibleJson } from "../config/visible.ts";

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

/** The page of `dlq inspect`: the reference's lines, then ours (wire 8.6). */
export function letterDetails(cli: Cli, found: QueuedLetter): string {
  const { id, queue, letter } = found;
  const lines: (readonly [string, string | number | null])[] = [
    ["DLQ ID", id],
    ["Original ID", letter.originalId],
    ["Stream", letter.originalStream],
    ["Consumer Group", letter.consumerGroup],
    ["DLQ Stream", queue],
    ["Failure Reason", letter.failureReason],
    ["Failed At", letter.failedAt],
    ["Retry Count", letter.retryCount],
    ["Handler", letter.handler],
    ["Message Type", letter.messageType],
    ["Message ID", letter.messageId],
    ["Correlation ID", letter.correlationId],
    ["First Failed At", letter.firstFailedAt],
    ["Replay Count", letter.replayCount],
  ];
  const facts = lines.filter(([, value]) => value !== null)
    .map(([name, value]) => `${cli.colors.bold(`${name}:`)} ${printable(String(value))}\n`);
  const payload = letterPayload(found);
  const text = typeof payload === "string"
    ? printable(payload)
    : visibleJson(JSON.stringify(payload, null, 2));
  const stack = letter.errorStack === null ? "" : `\nStack:\n${printableLines(letter.errorStack)}\n`;
  return `${facts.join("")}\nPayload:\n${text}\n${stack}`;
}
