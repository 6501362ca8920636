/**
 * Outbox rows as events of a domain leave them, of about 500 bytes, and their way to Redis.
 *
 * @module
 */
import { type OutboxInsert, shardOf } from "../lib/adapters/ports.ts";
import type { PostgresProvider } from "../lib/adapters/postgres/provider.ts";
import { RedisBroker } from "../lib/adapters/redis/broker.ts";
import { systemClock } from "../lib/async/clock.ts";
import { canonicalJson } from "../lib/message/canonical.ts";
import { checksumOf } from "../lib/message/checksum.ts";
import { eventMetadata } from "../lib/message/metadata.ts";
import { OutboxProcessor } from "../lib/outbox/processor.ts";

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

const retry = {
  ...{ max_attempts: 3, base_delay_seconds: 1, max_backoff_seconds: 60, backoff_multiplier: 2 },
  ...{ jitter: true, jitter_factor: 0.25 },
};

/** Options of an adapter with these settings. */
export const adapter = (settings: Record<string, unknown>) => ({
  ...{ name: "default", domain: "bench", folder: Deno.cwd(), clock: systemClock, settings },
});

/** Milliseconds in which one processor publishes all that the outbox has. */
export async function publishing(provider: PostgresProvider, uri: string, atOnce = 500): Promise<number> {
  const broker = new RedisBroker(adapter({ URI: uri }));
  await broker.open();
  const settings = { messagesPerTick: atOnce, maxTickIntervalSeconds: 1, retry };
  const parts = { provider, broker, owner: "bench", clock: systemClock, settings };
  const processor = new OutboxProcessor(parts);
  await broker.length("bench::item");
  const began = performance.now();
  await processor.start();
  // To stop it is to flush it.
  await processor.stop();
  const ms = performance.now() - began;
  await broker.close();
  return ms;
}
