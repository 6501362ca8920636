/**
 * Removes published and abandoned outbox rows after their retention, in small batches of its own (OBX-5).
 *
 * @module
 */
import type { BaseProvider } from "../adapters/ports.ts";
import { Cleaner, type CleanerOptions } from "../maintenance/cleaner.ts";

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

  protected override remove(now: number, limit: number): Promise<number> {
    const { provider, publishedRetentionHours, abandonedRetentionHours } = this.#options;
    return provider.outbox.clean({
      publishedBefore: now - publishedRetentionHours * HOUR_MS,
      abandonedBefore: now - abandonedRetentionHours * HOUR_MS,
      limit,
    });
  }
}
