/**
 * A gate before something that all share and that has fewer places than there are workers: whoever would add
 * to the crowd waits outside, where it costs nothing, and not inside, where it holds its work in memory.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/** Enough to keep any pool of connections busy; each holds some 15 kB. */
const MOST = 1_000;
/** Nobody waits longer: a backend that does not answer holds up those who do not need it no more than this. */
const LONGEST_MS = 1_000;

export class Crowd {
  readonly #most: number;
  /** First come, first served. */
  readonly #outside = new Set<() => void>();
  #inside = 0;
  /** On their way here, and begun in this turn of the event loop: whether they go inside shows at its end. */
  #coming = 0;
  #fresh = 0;
  #turning = false;

  /** From `most` inside on, others wait. */
  constructor(most = MOST) {
    this.#most = most;
  }

  /** True: `room` is to be awaited before something is begun. */
  get full(): boolean {
    return this.#inside + this.#coming + this.#fresh >= this.#most;
  }

  /** Something is on its way; `begin` or `turnBack` is to follow. */
  come(): void {
    this.#coming++;
  }

  /** It has begun, and may come inside. */
  begin(): void {
    this.#coming--;
    this.#fresh++;
    this.#turn();
  }

  /** It was not begun. */
  turnBack(): void {
    this.#coming--;
    if (this.#outside.size > 0) this.#turn();
  }

  /** Counts `work` as inside until it settles. */
  async inside<T>(work: Promise<T>): Promise<T> {
    this.#inside++;
    try {
      return await work;
    } finally {
      this.#inside--;
      if (this.#outside.size > 0) this.#turn();
    }
  }

  /** Resolves when something may be begun, when `signal` aborts, or after a second. Never rejects. */
  room(clock: Clock, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const enter = () => {
        cancel();
        signal.removeEventListener("abort", enter);
        this.#outside.delete(enter);
        resolve();
      };
      const cancel = clock.after(LONGEST_MS, enter);
      signal.addEventListener("abort", enter, { once: true });
      this.#outside.add(enter);
      if (!this.full) this.#turn();
    });
  }

  /** Lets in whom there is room for, once this turn of the event loop is over. */
  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      this.#fresh = 0;
      let room = this.#most - this.#inside - this.#coming;
      for (const enter of this.#outside) {
        if (room-- <= 0) break;
        enter();
      }
      // Whoever was let in may find nothing to do: those still outside are not to wait for it.
      if (this.#outside.size > 0 && !this.full) this.#turn();
    });
  }
}
