/**
 * Signs of life in transactions that are open and idle, while a handler does something else than ask the
 * database. A process that stands still gives none, and who waits for its locks ends its session
 * (`connection/still_sessions.ts`).
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import { STILL_SECONDS } from "../connection/still_sessions.ts";

/** Several fit into the time after which a session counts as standing still. */
const BEAT_MS = STILL_SECONDS * 1000 / 4;

/** Of a connection, what a beat needs. */
export interface Beating {
  readonly busy: boolean;
  readonly lost: boolean;
  run(text: string, values: readonly never[], mode: "simple"): Promise<unknown>;
}

/** Beats for every connection that stays in it: one timer for all, and none while there are none. */
export class SessionBeats {
  readonly #clock: Clock;
  readonly #open = new Set<Beating>();
  /** Those that were open at the last beat: short transactions are left alone. */
  #seen: ReadonlySet<Beating> = new Set();
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(connection: Beating): void {
    this.#open.add(connection);
    this.#later();
  }

  delete(connection: Beating): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#rest();
  }

  /** No beat after this. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#rest();
  }

  #rest(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #later(): void {
    if (this.#closed || this.#cancelTimer) return;
    this.#cancelTimer = this.#clock.after(BEAT_MS, () => {
      this.#cancelTimer = undefined;
      this.#beat();
    });
  }

  #beat(): void {
    for (const connection of this.#open) {
      if (connection.busy || connection.lost || !this.#seen.has(connection)) continue;
      // In a transaction that has failed it is refused, and says as much.
      void connection.run("select 1", [], "simple").catch(() => {});
    }
    this.#seen = new Set(this.#open);
    if (this.#open.size > 0) this.#later();
  }
}
