/**
 * Removes idempotency marks once no replay can ask for them any more (delivery 16).
 *
 * @module
 */
import type { BaseProvider } from "../adapters/ports.ts";
import { Cleaner, type CleanerOptions, NEVER } from "./cleaner.ts";

const HOUR_MS = 3_600_000;

export interface MarkCleanerOptions extends CleanerOptions {
  readonly provider: BaseProvider;
  readonly retentionHours: number;
}

export class MarkCleaner extends Cleaner {
  readonly name: string;
  readonly #provider: BaseProvider;
  readonly #retentionMs: number;

  constructor(options: MarkCleanerOptions) {
    super(options);
    this.name = `mark-cleaner-${options.provider.name}`;
    this.#provider = options.provider;
    this.#retentionMs = options.retentionHours * HOUR_MS;
  }

  protected override remove(now: number, limit: number): Promise<number> {
    return this.#provider.cleanMarks(Math.max(NEVER, now - this.#retentionMs), limit);
  }
}
