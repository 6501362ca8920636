/**
 * What one subscription runs with, resolved from the handler, `domain.toml`, profiles and defaults (wire 10.3, S13,
 * CFG-5).
 *
 * @module
 */
import type { HandlerRunner } from "../domain/handler_runner.ts";
import type { LoadedConfig } from "../config/load.ts";

/** Settings of one subscription, all resolved. */
export interface SubscriptionSettings {
  readonly subscriptionType: "stream" | "event_store";
  /** The profile that applies, lower case; undefined: none. */
  readonly profile: string | undefined;
  /** Messages read at once. */
  readonly messagesPerTick: number;
  /** Seconds between reads. */
  readonly tickIntervalSeconds: number;
  readonly blockingTimeoutMs: number;
  /** Attempts in all for `stream`, retries after the first failure for `event_store` (delivery 3). */
  readonly maxRetries: number;
  readonly retryDelaySeconds: number;
  readonly retryMaxDelaySeconds: number;
  readonly enableDlq: boolean;
  readonly positionUpdateInterval: number;
  readonly circuitBreakerThreshold: number;
  readonly circuitBreakerResetSeconds: number;
  /** Soft cap of the stream's length; undefined: none. */
  readonly retentionMaxlen: number | undefined;
  readonly concurrency: number;
  readonly idempotent: boolean;
  readonly claimIdleMs: number;
  readonly claimIntervalMs: number;
  readonly maxDeliveries: number;
  readonly dlqRetentionHours: number;
  readonly dlqAlertThreshold: number;
  /** Payload field whose equal values are handled one after the other, across processes. */
  readonly sequentialBy: string | undefined;
}

/** What is asked of a handler; a `HandlerRunner` is one. */
export type SubscribingHandler =
  & Pick<HandlerRunner, "name" | "kind" | "options">
  & Partial<Pick<HandlerRunner, "sharedGroup">>;

export interface ResolveOptions {
  readonly config: LoadedConfig;
  readonly handler: SubscribingHandler;
  /** The stream category that is subscribed to, such as `my_domain::order`. */
  readonly category: string;
}
