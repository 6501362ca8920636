/**
 * Watches over a lease that runs out by time: tells the others that its holder lives while a broker takes long, and keeps a process
 * that stood still (a frozen machine, a stopped process) from publishing rows that may be another's by now.
 *
 * @module
 */
import type { OutboxLease } from "../adapters/ports.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { ProviderUnavailableError } from "../errors.ts";

/** Word is given this often: well within the time after which any store gives the shards to another (25 s and more). */
const WORD_MS = 5_000;
/** Whoever was not heard of for so long does not begin to publish. */
const SILENCE_MS = 20_000;

export class Vigil {
  #heard: number;

  constructor(private readonly lease: OutboxLease, private readonly clock: Clock) {
    this.#heard = clock.monotonic();
  }

  /** Notes, once `call` to the lease has succeeded, when the holder was known to be alive. */
  async heard<T>(call: Promise<T>): Promise<T> {
    const made = this.clock.monotonic();
    const answer = await call;
    this.#heard = Math.max(this.#heard, this.lease.renewedAt ?? made);
    return answer;
  }

  /** Does `work`, which publishes, with word given meanwhile. Rejects without beginning when the lease may have run out. */
  async keep<T>(work: () => Promise<T>): Promise<T> {
    const silent = this.clock.monotonic() - this.#heard;
    if (silent > SILENCE_MS) {
      throw new ProviderUnavailableError(
        `This process stood still for ${Math.round(silent / 1000)} s with rows of the outbox claimed: ` +
          "they are left to whoever holds their shards now.",
      );
    }
    const done = new AbortController();
    const giving = this.#giveWord(done.signal);
    try {
      return await work();
    } finally {
      done.abort();
      await giving;
    }
  }

  /** A word that does not get through is no reason to stop: the next mark tells what became of the lease. */
  async #giveWord(done: AbortSignal): Promise<void> {
    while (true) {
      await sleep(this.clock, WORD_MS, done);
      if (done.aborted) return;
      await this.heard(this.lease.settle([])).catch(() => {});
    }
  }
}
