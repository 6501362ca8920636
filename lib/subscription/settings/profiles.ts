/**
 * Profiles: named sets of subscription settings (guide "Pick a subscription profile", S12, S16, S17, wire
 * 10.5).
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import type { BUILT_IN_PROFILES, ProfileSettings } from "../../config/schema/subscription.ts";

/** The built-in profiles. A handler names one of these, or one of `[server.profiles]`. */
export const SubscriptionProfile = {
  PRODUCTION: "production",
  FAST: "fast",
  BATCH: "batch",
  DEBUG: "debug",
  PROJECTION: "projection",
} as const;

/** Name of a built-in profile. */
export type SubscriptionProfile = (typeof BUILT_IN_PROFILES)[number];

const breaker = { circuit_breaker_threshold: 10, circuit_breaker_reset_seconds: 60 };

/**
 * What the built-in profiles set (wire 10.5), and how many messages of different aggregates each handles at
 * once. Whatever one leaves out is left to the levels below.
 */
export const PROFILES: Readonly<Record<SubscriptionProfile, Readonly<ProfileSettings>>> = {
  production: {
    subscription_type: "stream",
    messages_per_tick: 100,
    tick_interval: 0,
    blocking_timeout_ms: 5_000,
    max_retries: 3,
    retry_delay_seconds: 1,
    enable_dlq: true,
    position_update_interval: 10,
    ...breaker,
    concurrency: 16,
    retention_maxlen: 100_000,
  },
  fast: {
    subscription_type: "stream",
    messages_per_tick: 10,
    tick_interval: 0,
    blocking_timeout_ms: 100,
    max_retries: 2,
    retry_delay_seconds: 0,
    enable_dlq: true,
    position_update_interval: 5,
    ...breaker,
    concurrency: 16,
    retention_maxlen: 100_000,
  },
  batch: {
    subscription_type: "stream",
    messages_per_tick: 500,
    tick_interval: 0,
    blocking_timeout_ms: 10_000,
    max_retries: 5,
    retry_delay_seconds: 2,
    enable_dlq: true,
    position_update_interval: 50,
    ...breaker,
    concurrency: 16,
    retention_maxlen: 500_000,
  },
  debug: {
    subscription_type: "stream",
    messages_per_tick: 1,
    tick_interval: 1,
    blocking_timeout_ms: 1_000,
    max_retries: 1,
    retry_delay_seconds: 0,
    enable_dlq: false,
    position_update_interval: 1,
    ...breaker,
    concurrency: 1,
    retention_maxlen: 1_000,
  },
  projection: {
    subscription_type: "event_store",
    messages_per_tick: 100,
    tick_interval: 0,
    blocking_timeout_ms: 5_000,
    max_retries: 3,
    retry_delay_seconds: 1,
    enable_dlq: false,
    position_update_interval: 10,
    ...breaker,
    concurrency: 1,
  },
};

/** Every profile that a handler may name: the built-in ones, then those of `[server.profiles]`. */
export function profileNames(config: Config): readonly string[] {
  return [...Object.keys(PROFILES), ...Object.keys(config.server.profiles)];
}

/**
 * What a profile sets; names do not differ by letter case (S16). A custom profile adds to the built-in one it
 * inherits from; without `inherits` it sets its own fields alone. Undefined: there is no such profile.
 */
export function profileSettings(config: Config, name: string): Readonly<ProfileSettings> | undefined {
  const wanted = name.toLowerCase();
  if (isBuiltIn(wanted)) return PROFILES[wanted];
  const [, custom] = Object.entries(config.server.profiles).find(([key]) => key.toLowerCase() === wanted) ??
    [];
  if (!custom) return undefined;
  const { inherits, ...own } = custom;
  const base = inherits?.toLowerCase() ?? "";
  return isBuiltIn(base) ? { ...PROFILES[base], ...own } : own;
}

function isBuiltIn(name: string): name is SubscriptionProfile {
  return Object.hasOwn(PROFILES, name);
}
