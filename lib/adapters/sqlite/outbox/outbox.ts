/**
 * The outbox of a SQLite file. Its rows are written by the unit of work's own transaction (`session.ts`).
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import {
  OUTBOX_SHARDS,
  type OutboxBacklog,
  type OutboxLease,
  type OutboxListing,
  type OutboxStats,
  type OutboxStatus,
  type OutboxStore,
} from "../../ports.ts";
import type { SqliteDatabase } from "../file/database.ts";
import { BOOKKEEPING, SqliteOutboxLease } from "./outbox_lease.ts";
import {
  cleanOutbox,
  listOutbox,
  nextRetry,
  outboxBacklog,
  outboxStats,
  requeueRows,
} from "./outbox_report.ts";
import { dueShards } from "./outbox_rows.ts";
import { freeShards, letGo, newHolder, takeShards } from "./shard_leases.ts";

export class SqliteOutbox implements OutboxStore {
  /** `database` throws when the provider is not open. */
  constructor(private readonly database: () => SqliteDatabase, private readonly clock: Clock) {}

  async lease(
    options: {
      readonly broker: string;
      readonly owner: string;
      readonly maxShards?: number;
      readonly standing?: boolean;
    },
  ): Promise<OutboxLease | undefined> {
    const { broker, owner, maxShards = OUTBOX_SHARDS } = options;
    const now = this.clock.now();
    const database = this.database();
    if (options.standing) return await this.#stand(database, broker, owner);
    // Seen on the reading connection first: a processor that finds nothing to do does not write.
    const wanted = await database.read((db) => {
      const shards = freeShards(db, broker, now);
      return dueShards(db, { broker, shards, holder: "", now: new Date(now).toISOString() });
    });
    if (wanted.length === 0) return undefined;
    const holder = newHolder(owner);
    let shards: readonly number[] = [];
    try {
      shards = await database.write((db) => {
        const free = freeShards(db, broker, now);
        const taken = wanted.filter((shard) => free.includes(shard)).slice(0, maxShards);
        takeShards(db, broker, taken, holder, now);
        return taken;
      }, BOOKKEEPING);
    } finally {
      if (shards.length === 0) letGo(holder);
    }
    if (shards.length === 0) return undefined;
    return new SqliteOutboxLease(database, this.clock, broker, holder, shards, false);
  }

  watch(wake: () => void): () => void {
    return this.database().watch(wake);
  }

  async nextDue(broker: string): Promise<number | undefined> {
    return await this.database().read((db) => nextRetry(db, broker));
  }

  async stats(): Promise<OutboxStats> {
    return await this.database().read(outboxStats);
  }

  async backlog(broker: string): Promise<OutboxBacklog> {
    return await this.database().read((db) => outboxBacklog(db, broker));
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
    const text = (epochMs: number) => new Date(epochMs).toISOString();
    return await this.database().write((db) =>
      cleanOutbox(db, {
        publishedBefore: text(options.publishedBefore),
        abandonedBefore: text(options.abandonedBefore),
        limit: options.limit,
      }), BOOKKEEPING);
  }

  async #stand(database: SqliteDatabase, broker: string, owner: string): Promise<OutboxLease> {
    const holder = newHolder(owner);
    const lease = new SqliteOutboxLease(database, this.clock, broker, holder, [], true);
    try {
      await lease.share();
      return lease;
    } catch (cause) {
      await lease.release();
      throw cause;
    }
  }
}
