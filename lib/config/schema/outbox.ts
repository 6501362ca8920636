/**
 * `[outbox]`, `[idempotency]` and `[consume_idempotency]` (wire 3.7, 7.4; OBX-3).
 *
 * @module
 */
import * as z from "zod";
import { above, atLeast, flag, share, text, texts, whole } from "../fields.ts";

const retry = z.strictObject({
  max_attempts: whole(1).default(3).describe("Attempts before a row is abandoned."),
  base_delay_seconds: atLeast(0).default(1).describe("Seconds before the second attempt."),
  max_backoff_seconds: atLeast(0).default(60).describe("Longest delay between attempts, in seconds."),
  backoff_multiplier: atLeast(1).default(2).describe("By which each delay is longer than the one before."),
  jitter: flag().default(true).describe("Vary the delays, so that not all rows come at once."),
  jitter_factor: share().default(0.25).describe("Share by which a delay may be longer or shorter."),
}).prefault({}).describe("When a row that could not be published is tried again.");

const cleanup = z.strictObject({
  published_retention_hours: above(0).default(168).describe("Hours a published row is kept."),
  abandoned_retention_hours: above(0).default(720).describe("Hours an abandoned row is kept."),
  cleanup_interval_ticks: whole(1).default(86_400).describe(
    "Ticks of tick_interval between two cleanings.",
  ),
  batch_size: whole(1).default(5_000).describe("Rows deleted in one statement."),
}).prefault({}).describe("When finished rows are deleted.");

/** `[outbox]`. */
export const outboxSchema = z.strictObject({
  broker: text().default("default").describe("Broker that every message is published to."),
  external_brokers: texts().default([]).describe("Brokers that published events go to as well."),
  messages_per_tick: whole(1).default(50).describe("Rows published at once."),
  tick_interval: above(0).default(0.01).describe("Seconds between polls while there is work."),
  max_tick_interval: above(0).default(1).describe("Seconds between polls while there is none."),
  notify: flag().default(true).describe("Wake the processors of other processes on commit."),
  retry,
  cleanup,
}).prefault({}).describe("The transactional outbox.");

/** `[idempotency]`: keys given to `domain.process`. */
export const idempotencySchema = z.strictObject({
  redis_url: text().optional(),
  ttl: whole(1).default(86_400).describe("Seconds a success is remembered."),
  error_ttl: whole(1).default(60).describe("Seconds a failure is remembered."),
}).prefault({}).describe("Idempotency keys of commands.");

/** `[consume_idempotency]`: marks of idempotent handlers. */
export const consumeIdempotencySchema = z.strictObject({
  cleanup: z.strictObject({
    retention_hours: above(0).optional().describe("Hours a mark is kept; the longest DLQ retention + 168."),
    batch_size: whole(1).default(5_000).describe("Marks deleted in one statement."),
  }).prefault({}).describe("When marks are deleted."),
}).prefault({}).describe("Marks of idempotent handlers.");
