/**
 * The settings of one subscription, as they appear in `[server.subscriptions.*]`, `[server.profiles.*]` and
 * `[server.stream_subscription]` (wire 10.3 to 10.5; design 6).
 *
 * @module
 */
import * as z from "zod";
import { above, atLeast, flag, text, whole } from "../fields.ts";

/** Names that a custom profile may not take and may inherit from (S16, S17). */
export const BUILT_IN_PROFILES = ["production", "fast", "batch", "debug", "projection"] as const;

/** How a handler reads its messages. */
export const subscriptionTypeSchema = z.enum(["stream", "event_store"]);

/**
 * Every setting that a profile may hold, without defaults: an absent one is left to the next level (CFG-5).
 */
export const settingShape = {
  subscription_type: subscriptionTypeSchema.describe(
    "Read from the broker's stream or from the event store.",
  ),
  messages_per_tick: whole(1).describe("Messages read at once."),
  tick_interval: atLeast(0).describe("Seconds between reads."),
  blocking_timeout_ms: whole(1).describe("Milliseconds a read waits for messages."),
  max_retries: whole(0).describe("Attempts in all (stream); retries after the first failure (event_store)."),
  retry_delay_seconds: atLeast(0).describe("Seconds before the second attempt; doubles from there."),
  retry_max_delay_seconds: atLeast(0).describe("Longest delay between attempts, in seconds."),
  enable_dlq: flag().describe("Keep what cannot be handled in <stream>:dlq; false discards it."),
  position_update_interval: whole(1).describe("Messages between two saved positions (event_store)."),
  circuit_breaker_threshold: whole(1).describe("Failures in a row that pause reading."),
  circuit_breaker_reset_seconds: above(0).describe("Seconds the pause lasts."),
  retention_maxlen: whole(1).describe("Stream length above which entries everybody has handled are dropped."),
  concurrency: whole(1).describe("Messages handled at once; those of one aggregate never are."),
  idempotent: flag().describe("Record each handled message with its effect, so that a repeat has none."),
  claim_idle_ms: whole(1).describe("Milliseconds after which a dead consumer's messages are taken over."),
  claim_interval_ms: whole(1).describe("Milliseconds between two looks for such messages."),
  max_deliveries: whole(1).describe(
    "Deliveries after which a message that kills its process is dead-lettered.",
  ),
};

/** Settings that belong to one handler and to no profile (S18). */
export const handlerOnlyShape = {
  dlq_retention_hours: above(0).describe("Hours this handler's dead letters are kept."),
  dlq_alert_threshold: whole(1).describe("Depth of this handler's dead letters that raises an alert."),
};

const profileName = () => text().describe("A built-in profile or one of [server.profiles].");

const settings = z.strictObject(settingShape).partial().extend({
  origin_stream: text().optional().describe("Python only."),
});

/** One table of `[server.subscriptions]`, keyed by handler name or `Commands:<category>`. */
export const subscriptionSchema = settings.extend({
  profile: profileName().optional(),
  stream_category: text().optional().describe("Python only."),
  ...z.strictObject(handlerOnlyShape).partial().shape,
});

/** One table of `[server.profiles]`. */
export const profileSchema = settings.extend({
  inherits: text().optional().describe(
    "The built-in profile this one starts from; without it, the defaults.",
  ),
});

/** A partial set of profile settings. */
export type ProfileSettings = z.output<typeof settings>;
/** What `[server.subscriptions.<Handler>]` holds. */
export type SubscriptionTable = z.output<typeof subscriptionSchema>;
