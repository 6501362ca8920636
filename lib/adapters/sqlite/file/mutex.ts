/**
 * First come, first served: the turn to write in one file of one process. Waiting is asynchronous, so that
 * the event loop never stops behind it (delivery 14).
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";

/** How long a turn may be waited for, and what is thrown then. */
export interface WaitLimit {
  readonly clock: Clock;
  readonly ms: number;
  readonly late: () => Error;
}

interface Waiter {
  readonly turn: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** Hands out turns in the order in which they were asked for. */
export class Mutex {
  #held = false;
  #closed: { readonly reason: unknown } | undefined;
  readonly #waiting = new Set<Waiter>();

  constructor(private readonly limit: WaitLimit) {}

  /**
   * Resolves with the function that gives the turn back, which may be called any number of times. Rejects,
   * giving up the place in the queue, with the signal's reason when `signal` aborts first, and when the wait
   * gets too long.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    if (this.#closed) throw this.#closed.reason;
    signal?.throwIfAborted();
    if (this.#held) await this.#wait(signal);
    this.#held = true;
    let mine = true;
    return () => {
      if (!mine) return;
      mine = false;
      this.#pass();
    };
  }

  /** Refuses everybody who waits, and everybody who comes later. */
  close(reason: unknown): void {
    this.#closed ??= { reason };
    for (const waiter of this.#waiting) waiter.refuse(reason);
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        cancel();
        signal?.removeEventListener("abort", aborted);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        turn: () => {
          leave();
          resolve();
        },
        refuse: (reason) => {
          leave();
          reject(reason);
        },
      };
      const aborted = () => waiter.refuse(signal?.reason);
      const cancel = this.limit.clock.after(this.limit.ms, () => waiter.refuse(this.limit.late()));
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /**
   * The turn goes straight to the next in the queue: `#held` stays true, so that nobody can slip in between.
   */
  #pass(): void {
    const next = this.#waiting.values().next();
    if (next.done) this.#held = false;
    else next.value.turn();
  }
}
