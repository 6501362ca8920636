/**
 * The outbox of a SQLite file. Its rows are written by the unit of work's own transaction (`session.ts`).
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import {
  type OutboxBacklog,
  type OutboxLease,
  type OutboxListing,
  type OutboxStats,
  type OutboxStatus,
  type OutboxStore,
  type OutboxWaiting,
} from "../../ports.ts";
import type { SqliteDatabase } from "../file/database.ts";
import { BOOKKEEPING, SqliteOutboxLease } from "./outbox_lease.ts";
import type { RetentionClock } from "../../retention_clock.ts";
import {
  cleanOutbox,
  firstProcessed,
  listOutbox,
  oldestDue,
  outboxBacklog,
  outboxStats,
  presentRows,
  requeueRows,
} from "./outbox_report.ts";
import { newHolder } from "../file/holders.ts";

export class SqliteOutbox implements OutboxStore {
  /** `database` throws when the provider is not open. */
  constructor(
    private readonly database: () => SqliteDatabase,
    private readonly clock: Clock,
    private readonly retention: RetentionClock,
  ) {}

  async lease({ broker, owner }: { readonly broker: string; readonly owner: string }): Promise<OutboxLease> {
    const { clock, retention } = this;
    const lease = new SqliteOutboxLease(this.database(), clock, broker, newHolder(owner), retention);
    try {
      await lease.share();
      return lease;
    } catch (cause) {
      await lease.release();
      throw cause;
    }
  }

  watch(wake: () => void): () => void {
    return this.database().watch(wake);
  }

  async oldestDue(broker: string): Promise<OutboxWaiting | undefined> {
    const now = this.clock.now();
    return await this.database().read((db) => oldestDue(db, broker, now));
  }

  async stats(): Promise<OutboxStats> {
    return await this.database().read(outboxStats);
  }

  async backlog(broker: string): Promise<OutboxBacklog> {
    return await this.database().read((db) => outboxBacklog(db, broker));
  }

  async present(messageIds: readonly string[], broker: string): Promise<readonly string[]> {
    return await this.database().read((db) => presentRows(db, messageIds, broker));
  }

  async list(
    options: { readonly status?: OutboxStatus; readonly limit: number },
  ): Promise<readonly OutboxListing[]> {
    return await this.database().read((db) => listOutbox(db, options));
  }

  async requeue(ids?: readonly string[]): Promise<number> {
    return await this.database().write((db) => requeueRows(db, ids));
  }

  async clean(
    options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
  ): Promise<number> {
    return await this.database().write((db) => {
      const cutOff = (before: number, status: "published" | "abandoned") =>
        new Date(this.retention.cutOff(before, () => firstProcessed(db, status))).toISOString();
      return cleanOutbox(db, {
        publishedBefore: cutOff(options.publishedBefore, "published"),
        abandonedBefore: cutOff(options.abandonedBefore, "abandoned"),
        limit: options.limit,
      });
    }, BOOKKEEPING);
  }
}
