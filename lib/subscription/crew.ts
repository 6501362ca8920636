/**
 * The workers of one subscription that have nothing to do. One of them keeps watch, the others sleep: with
 * sixteen workers, a single message wakes one or two of them and not all.
 *
 * @module
 */
import type { Wakeup } from "../async/wakeup.ts";

export class Crew {
  readonly #sleeping: (() => void)[] = [];
  #watched = false;

  /**
   * Resolves when there may be something to do: for who keeps watch, when `changed` is notified or `signal`
   * aborts; for the others, when a watch is wanted.
   */
  async wait(changed: Wakeup, signal: AbortSignal): Promise<void> {
    if (this.#watched) return await new Promise((wake) => void this.#sleeping.push(wake));
    this.#watched = true;
    try {
      await changed.wait({ signal });
    } finally {
      this.#watched = false;
    }
  }

  /** Called by a worker that goes to work: somebody else keeps watch, if anybody sleeps. */
  relieve(): void {
    if (!this.#watched) this.#sleeping.pop()?.();
  }

  /** Called by a worker that goes home: so does everybody. */
  dismiss(): void {
    for (const wake of this.#sleeping.splice(0)) wake();
  }
}
