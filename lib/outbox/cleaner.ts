/**
 * Removes published and abandoned outbox rows after their retention, in small batches of its own (OBX-5);
 * that abandoned ones go is said.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseProvider } from "../adapters/ports.ts";
import { Cleaner, type CleanerOptions, NEVER } from "../maintenance/cleaner.ts";

const log = getLogger(["protean", "outbox"]);

const HOUR_MS = 3_600_000;

export interface OutboxCleanerOptions extends CleanerOptions {
  readonly provider: BaseProvider;
  readonly publishedRetentionHours: number;
  readonly abandonedRetentionHours: number;
}

export class OutboxCleaner extends Cleaner {
  readonly name: string;
  readonly #options: OutboxCleanerOptions;

  constructor(options: OutboxCleanerOptions) {
    super(options);
    this.name = `outbox-cleaner-${options.provider.name}`;
    this.#options = options;
  }

  protected override async remove(now: number, limit: number): Promise<number> {
    const { provider, publishedRetentionHours, abandonedRetentionHours } = this.#options;
    const publishedBefore = Math.max(NEVER, now - publishedRetentionHours * HOUR_MS);
    const published = await provider.outbox.clean({ publishedBefore, abandonedBefore: NEVER, limit });
    if (published >= limit) return published;
    const abandonedBefore = Math.max(NEVER, now - abandonedRetentionHours * HOUR_MS);
    const left = limit - published;
    const abandoned = await provider.outbox.clean({ publishedBefore: NEVER, abandonedBefore, limit: left });
    if (abandoned > 0) {
      // Nobody has received them, and nobody will.
      log.warn("outbox.abandoned_removed", {
        database: provider.name,
        rows: abandoned,
        retention_hours: abandonedRetentionHours,
      });
    }
    return published + abandoned;
  }
}
