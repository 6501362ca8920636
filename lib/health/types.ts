/**
 * What health is made of: components that are pinged, subscriptions that are shown, and the snapshot a probe
 * reads.
 *
 * @module
 */
import type { AdapterKind } from "../adapters/ports.ts";
import type { CheckState } from "../domain/check.ts";
import type { StatusRow } from "../status/row.ts";
import type { Scale } from "../status/scale.ts";

/** Something the server depends on. */
export interface Component {
  readonly kind: AdapterKind;
  /** The key in `domain.toml`; there is one event store, whatever its name. */
  readonly name: string;
  /** One real operation. Must settle soon after `signal` aborts. */
  ping(signal: AbortSignal): Promise<void>;
  /**
   * A sentence about what will make it unavailable, where nothing does yet. Undefined: nothing will. Rejects
   * where it does not answer. @default nobody asks
   */
  warning?(signal: AbortSignal): Promise<string | undefined>;
}

export type ComponentStatus = "ok" | "unavailable";

/** A subscription as `/readyz` shows it (wire 9.1); it never affects the verdict. */
export interface SubscriptionRow extends
  Pick<
    StatusRow,
    | "name"
    | "handler_name"
    | "stream_category"
    | "lag"
    | "pending"
    | "status"
    | "dlq_depth"
    | "lag_seconds"
  > {
  readonly subscription_type: StatusRow["subscription_type"] | "unknown";
  /** Why nothing may arrive although nothing fails, as a sentence. */
  readonly warning?: string;
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

/** The state of one component. */
export interface ComponentState {
  readonly kind: AdapterKind;
  readonly name: string;
  readonly status: ComponentStatus;
  /** Why it is unavailable, as a sentence. */
  readonly error?: string;
  /** What will make it unavailable, as a sentence; it does not affect the verdict. */
  readonly warning?: string;
}

/** A component that did not answer its ping, for logs and `--require-dependencies`. */
export interface ComponentFault {
  readonly kind: AdapterKind;
  readonly name: string;
  /** Undefined before its first answer. */
  readonly error?: Error;
}

/**
 * Everything readiness is answered from, as plain JSON: it may come from another process or thread. Built
 * from memory alone.
 */
export interface HealthSnapshot {
  readonly shuttingDown: boolean;
  /** Told by `POST /drainz` to read nothing more; there is no way back. */
  readonly draining?: true;
  /** The checks of the start have not ended: not ready, whatever the components say. */
  readonly starting?: true;
  readonly components: readonly ComponentState[];
  /** How the checks of `domain.check` went last; absent where there are none. */
  readonly checks?: readonly CheckState[];
  /** Absent where nothing subscribes: a program that only produces. */
  readonly subscriptions?: SubscriptionsBlock;
  /** What `/scale` says; absent before it was collected, and where nothing subscribes. */
  readonly scale?: Scale;
  /** By number; absent where there is no supervisor. */
  readonly workers?: Readonly<Record<string, WorkerHealth>>;
}

/** A worker process as its supervisor knows it. */
export interface WorkerHealth {
  /** `down`: it has ended and, unless `--no-restart` says otherwise, is started again. */
  readonly status: "ok" | "degraded" | "starting" | "blocked" | "down";
  /** Absent while there is no process. */
  readonly pid?: number;
  /** How often it was started again after a crash. */
  readonly restarts: number;
}
