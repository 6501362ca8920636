/**
 * Outbox rows as events of a domain leave them, of about 500 bytes.
 *
 * @module
 */
import { type OutboxInsert, shardOf } from "../lib/adapters/ports.ts";
import { canonicalJson } from "../lib/message/canonical.ts";
import { checksumOf } from "../lib/message/checksum.ts";
import { eventMetadata } from "../lib/message/metadata.ts";

const PADDING = "x".repeat(440);

export function row(n: number): OutboxInsert {
  const data = canonicalJson({ id: `i${n % 1000}`, n, text: PADDING });
  const stream = `bench::item-i${n % 1000}`;
  const metadata = eventMetadata({
    id: `${stream}-${n}.1`,
    time: Date.now(),
    type: "Bench.Added.v1",
    stream,
    category: "bench::item",
    checksum: checksumOf(data),
  });
  return {
    messageId: metadata.headers.id,
    streamName: stream,
    type: "Bench.Added.v1",
    data,
    metadata: JSON.stringify(metadata),
    correlationId: null,
    causationId: null,
    targetBroker: "default",
    priority: 0,
    shard: shardOf(stream),
  };
}
