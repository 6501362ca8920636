/**
 * Messages as they stand on the wire, for the tests.
 *
 * @module
 */
import { canonicalJson } from "../../../lib/message/canonical.ts";
import { checksumOf } from "../../../lib/message/checksum.ts";
import type { DeadLetterFacts } from "../../../lib/message/dead_letter.ts";
import type { MessageMetadata } from "../../../lib/message/types.ts";

/** The event of wire 1.1. */
export const DATA = { order_id: "ord-1", customer: "Ann", price: 1.5 };

export const METADATA: MessageMetadata = {
  headers: {
    id: "shop::order-ord-1-0.1",
    time: "2026-11-22T14:11:31.746953+00:00",
    type: "Shop.OrderPlaced.v1",
    stream: "shop::order-ord-1",
    traceparent: null,
    idempotency_key: null,
    deadline: null,
  },
  envelope: { specversion: "1.0", checksum: checksumOf(canonicalJson(DATA)) },
  domain: {
    fqn: "shop.domain.OrderPlaced",
    kind: "EVENT",
    origin_stream: null,
    stream_category: "shop::order",
    version: 1,
    sequence_id: "0.1",
    asynchronous: true,
    expected_version: null,
    priority: 0,
    correlation_id: "corr-1",
    causation_id: "ord-1",
  },
  event_store: null,
  extensions: {},
};

/** A value as Python's `json.dumps` prints it by default: spaces, ASCII, keys as they come. */
export function pythonText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonText).join(", ")}]`;
  if (typeof value !== "object" || value === null) return canonicalJson(value);
  const members = Object.entries(value).map(([key, item]) => `${canonicalJson(key)}: ${pythonText(item)}`);
  return `{${members.join(", ")}}`;
}

/** The message of wire 1.1 with parts of its metadata replaced; undefined removes a key. */
export function withMetadata(
  changes: { readonly [part in "headers" | "envelope" | "domain"]?: Record<string, unknown> },
  more: Record<string, unknown> = {},
): string {
  const metadata = {
    ...METADATA,
    headers: { ...METADATA.headers, ...changes.headers },
    envelope: { ...METADATA.envelope, ...changes.envelope },
    domain: { ...METADATA.domain, ...changes.domain },
    ...more,
  };
  return JSON.stringify({ data: DATA, metadata });
}

/** What is known of a message that is given up, its error apart. */
export const FACTS: Omit<DeadLetterFacts, "error"> = {
  originalStream: "shop::order",
  originalId: "1795356754518-0",
  consumerGroup: "shop.OrderEventHandler",
  consumer: "OrderEventHandler-vm-15885-5bc18a",
  handler: "OrderEventHandler",
  retryCount: 3,
  failedAt: Date.UTC(2026, 10, 22, 14, 11, 31, 746),
};
