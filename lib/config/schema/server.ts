/**
 * `[server]` (wire 7.4; design 6).
 *
 * @module
 */
import * as z from "zod";
import { above, atLeast, flag, text, texts, whole } from "../fields.ts";
import { MAX_MESSAGE_BYTES, MAX_SENT_BYTES } from "../../message/envelope.ts";
import { profileSchema, settingShape, subscriptionSchema, subscriptionTypeSchema } from "./subscription.ts";

/**
 * A message is a text in memory, several times while it is worked on: a tenth of the longest there can be.
 */
const MOST_BYTES = 50 * 1024 * 1024;

const retrySettings = {
  max_retries: settingShape.max_retries.default(3),
  retry_delay_seconds: settingShape.retry_delay_seconds.default(1),
  retry_max_delay_seconds: settingShape.retry_max_delay_seconds.default(60),
};

const streamSubscription = z.strictObject({
  blocking_timeout_ms: settingShape.blocking_timeout_ms.default(100),
  ...retrySettings,
  enable_dlq: settingShape.enable_dlq.default(true),
  circuit_breaker_threshold: settingShape.circuit_breaker_threshold.default(10),
  circuit_breaker_reset_seconds: settingShape.circuit_breaker_reset_seconds.default(60),
  retention_maxlen: settingShape.retention_maxlen.optional(),
  concurrency: settingShape.concurrency.default(1),
  idempotent: settingShape.idempotent.default(false),
  claim_idle_ms: settingShape.claim_idle_ms.default(30_000),
  claim_interval_ms: settingShape.claim_interval_ms.default(5_000),
  max_deliveries: settingShape.max_deliveries.optional(),
}).prefault({}).describe("Defaults of subscriptions that read the broker's streams.");

const eventStoreSubscription = z.strictObject({
  position_update_interval: settingShape.position_update_interval.default(10),
  ...retrySettings,
  enable_recovery: flag().default(true).describe("Retry failed positions in the background."),
  recovery_interval_seconds: above(0).default(30).describe("Seconds between two recovery passes."),
  gap_timeout_seconds: atLeast(0).default(5).describe("Seconds a gap in the global positions is waited for."),
}).prefault({}).describe("Defaults of subscriptions that read the event store.");

const brokerSubscription = z.strictObject({
  ...retrySettings,
  enable_dlq: settingShape.enable_dlq.default(true),
}).prefault({}).describe("Defaults of subscribers to external streams.");

const versionRetry = z.strictObject({
  enabled: flag().default(true).describe("False: a conflict is a failure of the handler."),
  max_retries: whole(0).default(3).describe("Extra attempts after a version conflict."),
  base_delay_seconds: atLeast(0).default(0.05).describe(
    "Seconds before the first of them; doubles from there.",
  ),
  max_delay_seconds: atLeast(0).default(1).describe("Longest delay between attempts, in seconds."),
}).prefault({}).describe("Retries inside one delivery when somebody else saved the same aggregate first.");

const transientRetry = z.strictObject({
  enabled: flag().default(false),
  max_retries: whole(0).default(3),
  backoff: z.enum(["exponential", "linear", "fixed"]).default("exponential"),
  base_delay_seconds: atLeast(0).default(0.1),
  max_delay_seconds: atLeast(0).default(5),
  exceptions: texts().default(
    ["builtins.ConnectionError", "builtins.TimeoutError", "protean.exceptions.SendError"],
  ).describe("Names of the errors that are worth another try."),
}).prefault({}).describe("Retries inside one delivery after errors that usually pass.");

const dlq = z.strictObject({
  enabled: flag().default(false).describe("Trim dead letters by age and watch their number."),
  retention_hours: above(0).default(168).describe("Hours a dead letter is kept."),
  alert_threshold: whole(1).default(100).describe("Dead letters in one queue that raise an alert."),
  alert_callback: text().optional().describe("'./alerts.js#onDlqAlert', relative to this file."),
  alert_webhook: text().optional().describe("Address that receives the alert as Slack-compatible JSON."),
  alert_on: z.enum(["cycle", "change"]).default("cycle").describe(
    "cycle: an alert in every cycle above the threshold; change: one when it begins, one when it is over.",
  ),
  check_interval_seconds: above(0).default(60).describe("Seconds between two maintenance cycles."),
  discard_keep_hours: above(0).default(168).describe("Hours a discarded dead letter can be restored."),
}).prefault({}).describe("Dead-letter maintenance.");

const health = z.strictObject({
  enabled: flag().default(true).describe("False: no port is opened."),
  host: text().default("127.0.0.1").describe("Loopback; 0.0.0.0 inside Kubernetes."),
  port: whole(0, 65_535).default(8080).describe("0: any that is free; the log says which."),
  port_auto_increment: flag().default(false).describe("Take the next free port when this one is taken."),
  blocked_after_seconds: above(0).default(10).describe("A blocked event loop is reported after this long."),
}).prefault({}).describe("The listener for /livez, /readyz and /healthz.");

const metrics = z.strictObject({
  enabled: flag().default(false).describe("Offer the page, and take the figures for it."),
  path: z.string().startsWith("/").default("/metrics").describe("Path on the health listener."),
}).prefault({}).describe("Prometheus text on the health listener.");

const priorityLanes = z.strictObject({
  enabled: flag().default(false).describe("Send and read the second lane."),
  threshold: z.number().default(0).describe("Messages of lower priority take the backfill lane."),
  backfill_suffix: text().default("backfill").describe("Name of the second lane behind that of the stream."),
}).prefault({}).describe("A second lane for messages that can wait.");

const partitioning = z.strictObject({
  lease_ttl_ms: whole(1).default(15_000).describe("Milliseconds after which a dead owner has lost its key."),
  heartbeat_interval_seconds: above(0).optional().describe("lease_ttl_ms / 5000 when absent."),
  poll_interval_seconds: above(0).default(0.25).describe("Seconds between two looks for keys to own."),
  reap_idle_ms: whole(1).default(3_600_000).describe("Milliseconds after which an idle key is forgotten."),
}).prefault({}).describe("Leases of handlers that declare sequentialBy.");

/** `[server]`. */
export const serverSchema = z.strictObject({
  default_subscription_type: subscriptionTypeSchema.default("stream").describe(
    "How handlers read that say nothing else.",
  ),
  default_subscription_profile: text().optional().describe(
    "Profile that governs every setting not set elsewhere.",
  ),
  messages_per_tick: settingShape.messages_per_tick.default(100),
  tick_interval: settingShape.tick_interval.default(0),
  drain_timeout_seconds: atLeast(0).default(10).describe("Seconds that running handlers get after SIGTERM."),
  release: text().optional().describe(
    "Which release of yours this is, for those who look at its workers; PROTEAN_RELEASE where absent.",
  ),
  drain_timeout: atLeast(0).optional().describe(
    "Python's name of drain_timeout_seconds, used where that is not set.",
  ),
  max_message_bytes: whole(1, MOST_BYTES).default(MAX_SENT_BYTES)
    .describe("Bytes of the largest message that is sent; a larger one is refused where it is raised."),
  max_received_bytes: whole(1, MOST_BYTES).default(MAX_MESSAGE_BYTES)
    .describe("Bytes of the largest message that is read; a larger one is dead-lettered unread."),
  stream_subscription: streamSubscription,
  event_store_subscription: eventStoreSubscription,
  broker_subscription: brokerSubscription,
  version_retry: versionRetry,
  transient_retry: transientRetry,
  subscriptions: z.record(z.string(), subscriptionSchema).default({})
    .describe("Settings of single handlers, by handler name."),
  profiles: z.record(z.string(), profileSchema).default({}).describe("Profiles of your own."),
  dlq,
  health,
  metrics,
  priority_lanes: priorityLanes,
  partitioning,
}).prefault({}).describe("How messages are read and handled.");
