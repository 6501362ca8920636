/**
 * The workers of one subscription. They are hired as there is work for more at once, and of those that have
 * nothing to do one keeps watch while the others sleep: a single message wakes one or two of sixteen.
 *
 * @module
 */
import type { Wakeup } from "../async/wakeup.ts";

export class Crew {
  readonly #most: number;
  readonly #work: () => Promise<void>;
  readonly #sleeping: (() => void)[] = [];
  readonly #home = Promise.withResolvers<void>();
  readonly #defect = Promise.withResolvers<void>();
  #hired = 0;
  #atWork = 0;
  #watched = false;

  /** At most `most` workers, one at least; `work` is what each does until it goes home. */
  constructor(most: number, work: () => Promise<void>) {
    this.#most = Math.max(1, most);
    this.#work = work;
  }

  /** Hires the first worker. */
  begin(): void {
    this.#hire();
  }

  /** Resolves when everybody has gone home. Never rejects. */
  get home(): Promise<void> {
    return this.#home.promise;
  }

  /** Resolves as `home` does; rejects, at once, with the first thing that a worker rejects with. */
  get sound(): Promise<void> {
    return this.#defect.promise;
  }

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

  /** Called by a worker that goes to work: somebody else keeps watch, who sleeps or is hired for it. */
  relieve(): void {
    if (this.#watched) return;
    const wake = this.#sleeping.pop();
    if (wake) wake();
    else if (this.#hired < this.#most) this.#hire();
  }

  #hire(): void {
    this.#hired++;
    this.#atWork++;
    this.#work().catch((defect) => this.#defect.reject(defect)).finally(() => this.#leave());
  }

  /** Who goes home takes everybody along. */
  #leave(): void {
    for (const wake of this.#sleeping.splice(0)) wake();
    if (--this.#atWork > 0) return;
    this.#home.resolve();
    this.#defect.resolve();
  }
}
