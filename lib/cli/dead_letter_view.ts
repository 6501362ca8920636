/**
 * A dead letter as text for people.
 *
 * @module
 */
import { letterPayload } from "../dlq/letter_json.ts";
import type { QueuedLetter } from "../dlq/queues.ts";
import type { Cli } from "./cli.ts";
import { printable, printableLines, visibleJson } from "../config/visible.ts";

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
