/**
 * The times when a Redis server cannot be reached, known once for all connections of an adapter: when to try
 * again (full-jitter backoff, PIPE-11), and one line in the log when it goes and one when it comes back.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { reconnectDelay } from "../../async/backoff.ts";
import type { Clock } from "../../async/clock.ts";
import { ConfigurationError } from "../../errors.ts";
import { Wakeup } from "../../async/wakeup.ts";
import type { RedisSettings } from "./settings.ts";

// A Redis server as all connections of one adapter see it.

export interface RedisServer {
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly outage: Outage;
  /** Told by which words a node of a Cluster says that a slot is another's: `MOVED 3999 127.0.0.1:6381`. */
  readonly moved?: (words: string) => void;
}

const log = getLogger(["protean", "redis"]);

/** The longest wait for the next attempt: so that work goes on within 5 s of the server's return. */
export const LONGEST_RECONNECT_MS = 3000;

export class Outage {
  readonly #adapter: string;
  readonly #clock: Clock;
  readonly #over = new Wakeup();
  #failures = 0;
  #lastFailure = 0;
  #until = 0;
  #error: Error | undefined;
  /** When it was first logged; undefined while nothing is wrong. */
  #since: number | undefined;

  /** `adapter` is its name in the log: `brokers.default`. */
  constructor(adapter: string, clock: Clock) {
    this.#adapter = adapter;
    this.#clock = clock;
  }

  /** Why the last attempt failed, until another may be made. */
  get error(): Error | undefined {
    return this.#clock.monotonic() < this.#until ? this.#error : undefined;
  }

  /** Waits until another attempt may be made, somebody got through, `ms` have passed, or `signal` aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void> {
    const left = this.#until - this.#clock.monotonic();
    return this.#over.wait({ clock: this.#clock, ms: Math.min(left, ms), ...signal ? { signal } : {} });
  }

  /** An attempt that began at `startedAt` (monotonic) failed. Attempts that ran side by side count as one. */
  failed(error: Error, startedAt: number): void {
    const worse = error instanceof ConfigurationError && !(this.#error instanceof ConfigurationError);
    this.#error = error;
    if (startedAt >= this.#lastFailure) {
      this.#lastFailure = this.#clock.monotonic();
      this.#until = this.#lastFailure + reconnectDelay(++this.#failures, Math.random, LONGEST_RECONNECT_MS);
    }
    if (worse) this.#since = undefined;
    this.suspected(error);
  }

  /** A connection stopped answering; whether the server has, the next attempt shows. */
  suspected(error: Error): void {
    if (this.#since !== undefined) return;
    this.#since = this.#clock.monotonic();
    log.warn("redis.unavailable", { adapter: this.#adapter, error: error.message });
  }

  /** A connection was made. */
  ended(): void {
    this.#failures = 0;
    this.#until = 0;
    this.#error = undefined;
    this.#over.notify();
    if (this.#since === undefined) return;
    const afterMs = Math.round(this.#clock.monotonic() - this.#since);
    this.#since = undefined;
    log.info("redis.available", { adapter: this.#adapter, afterMs });
  }
}
