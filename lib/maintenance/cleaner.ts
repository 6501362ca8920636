/**
 * Tasks that remove what is past its retention, now and then, in batches.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";
import { every } from "../async/every.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import { asError } from "../errors.ts";

const log = getLogger(["protean", "maintenance"]);

/**
 * Epoch ms before which nothing was written: the cut-off of any longer retention, for a database does not
 * understand a time that is too long ago.
 */
export const NEVER = 0;

export interface CleanerOptions {
  readonly clock: Clock;
  readonly intervalSeconds: number;
  /** At most so much is removed by one statement. */
  readonly batchSize: number;
}

/** A subclass removes one batch; the first pass comes an interval after the start. */
export abstract class Cleaner extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly #options: CleanerOptions;

  constructor(options: CleanerOptions) {
    super();
    this.#options = options;
  }

  /** Removes at most `limit`; returns how many went. */
  protected abstract remove(now: number, limit: number): Promise<number>;

  /** Removes everything past its retention; returns how many went. */
  async pass(signal?: AbortSignal): Promise<number> {
    const { clock, batchSize } = this.#options;
    const now = clock.now();
    let total = 0;
    let removed = batchSize;
    while (removed >= batchSize && !signal?.aborted) {
      removed = await this.remove(now, batchSize);
      total += removed;
    }
    if (total > 0) log.info("maintenance.cleaned", { cleaner: this.name, removed: total });
    return total;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalSeconds } = this.#options;
    await every(clock, intervalSeconds * 1000, signal, async () => {
      try {
        await this.pass(signal);
      } catch (error) {
        log.debug("maintenance.deferred", { cleaner: this.name, error: asError(error).message });
      }
    });
  }
}
