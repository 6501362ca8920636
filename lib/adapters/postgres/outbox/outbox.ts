/**
 * The outbox of a PostgreSQL database. Its rows are written by the unit of work's own transaction
 * (`session.ts`).
 *
 * A processor holds one connection beside the session pool while it has a lease; one such connection is kept
 * for the next.
 *
 * @module
 */
import {
  type OutboxBacklog,
  type OutboxLease,
  type OutboxListing,
  type OutboxStats,
  type OutboxStatus,
  type OutboxStore,
  type OutboxWaiting,
} from "../../ports.ts";
import type { Database } from "../connection/database.ts";
import type { Hints } from "./notify.ts";
import { PostgresOutboxLease } from "./lease.ts";
import type { CleaningPermit } from "../server_clock.ts";
import {
  cleanOutbox,
  listOutbox,
  OldestDue,
  outboxBacklog,
  outboxStats,
  presentRows,
  requeueRows,
} from "./outbox_report.ts";

export interface PostgresOutboxParts {
  readonly database: Database;
  /** The same database through connections of its own: no handler can keep a processor waiting. */
  readonly processors: Database;
  readonly hints: Hints;
  /** Asked before anything is removed. */
  readonly permit: CleaningPermit;
}

export class PostgresOutbox implements OutboxStore {
  readonly #database: Database;
  readonly #processors: Database;
  readonly #hints: Hints;
  readonly #permit: CleaningPermit;
  readonly #oldestDue = new OldestDue();
  readonly #leases = new Set<PostgresOutboxLease>();

  constructor({ database, processors, hints, permit }: PostgresOutboxParts) {
    this.#database = database;
    this.#processors = processors;
    this.#hints = hints;
    this.#permit = permit;
  }

  async lease({ broker, owner }: { readonly broker: string; readonly owner: string }): Promise<OutboxLease> {
    const { names, where, clock, pool } = this.#processors;
    const { member: connection } = await pool.acquire(undefined, { sure: true });
    const lease: PostgresOutboxLease = new PostgresOutboxLease({
      ...{ connection, where, names, clock, broker },
      holder: `${owner}/${crypto.randomUUID()}`,
      giveBack: (returned) => {
        this.#leases.delete(lease);
        pool.release(returned);
      },
    });
    this.#leases.add(lease);
    try {
      await lease.stand();
      return lease;
    } catch (error) {
      // It may have locked some shards before it failed.
      connection.destroy("taking shards failed");
      await lease.release();
      throw error;
    }
  }

  watch(wake: () => void): () => void {
    return this.#hints.watch(wake);
  }

  backlog(broker: string): Promise<OutboxBacklog> {
    return outboxBacklog(this.#database, broker);
  }

  present(messageIds: readonly string[], broker: string): Promise<readonly string[]> {
    return presentRows(this.#database, messageIds, broker);
  }

  oldestDue(broker: string, maxAgeMs = 0): Promise<OutboxWaiting | undefined> {
    return this.#oldestDue.of(this.#database, broker, maxAgeMs);
  }

  stats(): Promise<OutboxStats> {
    return outboxStats(this.#database);
  }

  list(
    options: { readonly status?: OutboxStatus; readonly limit: number },
  ): Promise<readonly OutboxListing[]> {
    return listOutbox(this.#database, options);
  }

  async requeue(ids?: readonly string[]): Promise<number> {
    const revived = await requeueRows(this.#database, ids, this.#hints.reopening);
    if (revived > 0) this.#hints.reopened();
    return revived;
  }

  /** Every lease of this process looks for rows that are open again. */
  reopened(): void {
    for (const lease of this.#leases) lease.reopened();
  }

  async clean(
    options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
  ): Promise<number> {
    return await this.#permit.ask(this.#database) ? await cleanOutbox(this.#database, options) : 0;
  }
}
