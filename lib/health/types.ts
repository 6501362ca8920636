/**
 * What health is made of: components that are pinged, subscriptions that are shown, and the snapshot a probe reads.
 *
 * @module
 */
import type { AdapterKind } from "../adapters/ports.ts";

/** Something the server depends on. */
export interface Component {
  readonly kind: AdapterKind;
  /** The key in `domain.toml`; there is one event store, whatever its name. */
  readonly name: string;
  /** One real operation. Must settle soon after `signal` aborts. */
  ping(signal: AbortSignal): Promise<void>;
}

export type ComponentStatus = "ok" | "unavailable";

/** A subscription as `/readyz` shows it (wire 9.1); it never affects the verdict. */
export interface SubscriptionRow {
  readonly name: string;
  readonly handler_name: string;
  readonly subscription_type: "stream" | "event_store" | "broker" | "outbox" | "unknown";
  readonly stream_category: string;
  /** Entries not yet delivered; null is unknown, never zero. */
  readonly lag: number | null;
  readonly pending: number | null;
  readonly status: "ok" | "lagging" | "unknown";
  readonly dlq_depth: number | null;
  readonly lag_seconds: number | null;
  /** Stream subscriptions only. */
  readonly circuit_state?: "closed" | "open" | "half_open";
}

/** The `subscriptions` block of `/readyz` (S29). */
export interface SubscriptionsBlock {
  readonly total: number;
  readonly collection_pending?: true;
  readonly collection_error?: true;
  readonly stale?: true;
  /** With one decimal; only beside `stale`. */
  readonly age_seconds?: number;
  readonly details: readonly SubscriptionRow[];
}

/** The state of one component, for logs and `--require-dependencies`. */
export interface ComponentState {
  readonly kind: AdapterKind;
  readonly name: string;
  readonly status: ComponentStatus;
  /** Why it is unavailable. */
  readonly error?: Error;
}

/** Everything readiness is answered from. Built from memory alone. */
export interface HealthSnapshot {
  readonly shuttingDown: boolean;
  readonly components: readonly ComponentState[];
  /** Absent where nothing subscribes: a program that only produces. */
  readonly subscriptions?: SubscriptionsBlock;
}
