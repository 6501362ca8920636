/**
 * Removes published and abandoned outbox rows after their retention, in small batches of its own (OBX-5).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseProvider } from "../adapters/ports.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { asError } from "../errors.ts";
import { BackgroundService } from "../async/service.ts";

const log = getLogger(["protean", "outbox"]);
const HOUR_MS = 3_600_000;

export interface OutboxCleanerOptions {
  readonly provider: BaseProvider;
  readonly clock: Clock;
  readonly intervalSeconds: number;
  readonly publishedRetentionHours: number;
  readonly abandonedRetentionHours: number;
  readonly batchSize: number;
  /** Idempotency marks are kept this long (delivery 16). */
  readonly markRetentionHours: number;
}

export class OutboxCleaner extends BackgroundService {
  readonly name: string;

  constructor(private readonly options: OutboxCleanerOptions) {
    super();
    this.name = `outbox-cleaner-${options.provider.name}`;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalSeconds } = this.options;
    while (!signal.aborted) {
      await sleep(clock, intervalSeconds * 1000, signal);
      if (signal.aborted) return;
      try {
        await this.pass(signal);
      } catch (error) {
        log.debug("outbox.cleanup_deferred", { cleaner: this.name, error: asError(error).message });
      }
    }
  }

  /** Removes everything past its retention; answers how many rows and marks went. */
  async pass(signal?: AbortSignal): Promise<{ rows: number; marks: number }> {
    const {
      provider,
      clock,
      publishedRetentionHours,
      abandonedRetentionHours,
      markRetentionHours,
      batchSize,
    } = this.options;
    const now = clock.now();
    const window = {
      publishedBefore: now - publishedRetentionHours * HOUR_MS,
      abandonedBefore: now - abandonedRetentionHours * HOUR_MS,
    };
    const rows = await inBatches(
      batchSize,
      () => provider.outbox.clean({ ...window, limit: batchSize }),
      signal,
    );
    const marks = await inBatches(
      batchSize,
      () => provider.cleanMarks(now - markRetentionHours * HOUR_MS, batchSize),
      signal,
    );
    if (rows + marks > 0) log.info("outbox.cleaned", { cleaner: this.name, rows, marks });
    return { rows, marks };
  }
}

/** Repeats until a batch is not full. */
async function inBatches(size: number, batch: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  let total = 0;
  while (!signal?.aborted) {
    const removed = await batch();
    total += removed;
    if (removed < size) break;
  }
  return total;
}
