/**
 * A condition variable for one thread: loops test their condition, then wait until somebody says that it may
 * have changed.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

export class Wakeup {
  #waiting = new Set<() => void>();

  /** Wakes everybody who waits now. */
  notify(): void {
    if (this.#waiting.size === 0) return;
    const woken = this.#waiting;
    this.#waiting = new Set();
    for (const wake of woken) wake();
  }

  /**
   * Resolves at the next `notify()`, when `signal` aborts, or after `ms` on `clock`, whichever is first.
   * Never rejects: callers test their condition again.
   */
  wait(
    options: { readonly signal?: AbortSignal; readonly ms?: number; readonly clock?: Clock } = {},
  ): Promise<void> {
    const { signal, ms, clock } = options;
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let cancel: (() => void) | undefined;
      const wake = () => {
        cancel?.();
        signal?.removeEventListener("abort", wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
      if (ms !== undefined && clock) cancel = clock.after(ms, wake);
    });
  }
}
