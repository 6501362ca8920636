/**
 * Tells listeners that something was committed: by this process at once, by another one by polling
 * `PRAGMA data_version` (2.6 µs; delivery 14). Only a hint: the listener looks for itself.
 *
 * @module
 */
import type { StatementSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";

/**
 * Milliseconds between two polls while another process commits, and after a quiet while: what is committed then
 * is seen within 20 ms. Polls come at whole multiples, so that those of all files of a process are one wake-up:
 * at rest these are 50 a second, however many files there are.
 */
const ACTIVE_POLL = 5;
const IDLE_POLL = 20;
const EARLY = 1.5;
/** Polls without news after which the delay begins to double. */
const ACTIVE_POLLS = 20;

/** Polls only while somebody listens. */
export class CommitWatch {
  readonly #listeners = new Set<{ readonly call: () => void }>();
  #announced = false;
  #quietPolls = 0;
  #seen: unknown;
  #cancel: (() => void) | undefined;

  /** `dataVersion` belongs to the writing connection, whose own commits do not change its answer. */
  constructor(private readonly dataVersion: StatementSync, private readonly clock: Clock) {}

  /** Returns the way to stop listening, which may be called any number of times. */
  add(listener: () => void): () => void {
    const entry = { call: listener };
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) {
      this.#seen = this.#version();
      this.#quietPolls = 0;
      this.#schedule();
    }
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0) this.#cancel?.();
    };
  }

  /** This process has committed. Any number of commits in one turn are one call. */
  announce(): void {
    if (this.#announced || this.#listeners.size === 0) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener.call();
    });
  }

  close(): void {
    this.#listeners.clear();
    this.#cancel?.();
  }

  #schedule(): void {
    const doublings = Math.max(0, this.#quietPolls - ACTIVE_POLLS);
    const every = Math.min(IDLE_POLL, ACTIVE_POLL * 2 ** doublings);
    const rest = every - this.clock.monotonic() % every;
    // A timer may be a little early.
    this.#cancel = this.clock.after(rest < EARLY ? rest + every : rest, () => {
      const version = this.#version();
      const changed = version !== this.#seen;
      this.#seen = version;
      this.#quietPolls = changed ? 0 : this.#quietPolls + 1;
      if (changed) this.announce();
      this.#schedule();
    });
  }

  /** A file that cannot be read just now has not changed as far as anybody can tell. */
  #version(): unknown {
    try {
      return this.dataVersion.get()?.data_version;
    } catch {
      return this.#seen;
    }
  }
}
