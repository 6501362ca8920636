/**
 * The last known rows of the subscriptions, and how old they are. A probe reads them from memory; a
 * collection that hangs or throws shows as such (S29) and never delays anyone.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import type { Scale } from "../status/scale.ts";
import type { SubscriptionRow, SubscriptionsBlock } from "./types.ts";

/** Rows older than this are called stale: three refreshes were missed. */
const STALE_AFTER_MS = 6_000;
/** A collection still running after this is told to end, so that the next may begin. */
const GIVE_UP_AFTER_MS = 30_000;

/** Where the rows come from. */
export interface SubscriptionSource {
  /** How many there are: subscriptions and outbox processors. */
  total(): number;
  /** As of the latest `collect`. @default there is none */
  scale?(): Scale | undefined;
  /** Reads the figures from the backends. Must settle soon after `signal` aborts. */
  collect(signal: AbortSignal): Promise<readonly SubscriptionRow[]>;
}

type Outcome =
  | { readonly kind: "pending" }
  | { readonly kind: "rows"; readonly rows: readonly SubscriptionRow[]; readonly at: number }
  | { readonly kind: "error" };

/** Keeps the latest outcome of `collect`. */
export class SubscriptionCollector {
  readonly #source: SubscriptionSource;
  readonly #clock: Clock;
  #outcome: Outcome = { kind: "pending" };

  constructor(source: SubscriptionSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Collects once. Never rejects; one that was cut leaves the latest outcome as it was, to grow stale. */
  async refresh(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const inner = new AbortController();
    const abort = () => inner.abort();
    const cancel = this.#clock.after(GIVE_UP_AFTER_MS, abort);
    signal.addEventListener("abort", abort, { once: true });
    try {
      const cut = new Promise<undefined>((resolve) => {
        inner.signal.addEventListener("abort", () => resolve(undefined), { once: true });
      });
      const rows = await Promise.race([this.#source.collect(inner.signal), cut]);
      if (rows) this.#outcome = { kind: "rows", rows, at: this.#clock.monotonic() };
    } catch {
      // The block says `collection_error`; the backend's own check tells why.
      if (!inner.signal.aborted) this.#outcome = { kind: "error" };
    } finally {
      cancel();
      signal.removeEventListener("abort", abort);
    }
  }

  /** Undefined where it was not collected lately: an old number is none to scale by. */
  get scale(): Scale | undefined {
    const outcome = this.#outcome;
    const isNew = outcome.kind === "rows" && this.#clock.monotonic() - outcome.at <= GIVE_UP_AFTER_MS;
    return isNew ? this.#source.scale?.() : undefined;
  }

  /** The block of `/readyz`, as of now. */
  get block(): SubscriptionsBlock {
    const total = this.#source.total();
    const outcome = this.#outcome;
    if (outcome.kind === "pending") return { total, collection_pending: true, details: [] };
    if (outcome.kind === "error") return { total, collection_error: true, details: [] };
    const age = this.#clock.monotonic() - outcome.at;
    if (age <= STALE_AFTER_MS) return { total, details: outcome.rows };
    return { total, stale: true, age_seconds: Math.round(age / 100) / 10, details: outcome.rows };
  }
}
