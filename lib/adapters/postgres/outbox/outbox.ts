/**
 * The outbox of a PostgreSQL database. Its rows are written by the unit of work's own transaction (`session.ts`).
 *
 * A processor holds one connection beside the session pool while it has a lease; one such connection is kept for the next.
 *
 * @module
 */
import {
  OUTBOX_SHARDS,
  type OutboxBacklog,
  type OutboxLease,
  type OutboxListing,
  type OutboxStats,
  type OutboxStatus,
  type OutboxStore,
} from "../../ports.ts";
import type { Backend } from "../connection/backend.ts";
import type { Connection } from "../connection/connection.ts";
import type { Hints } from "./notify.ts";
import { PostgresOutboxLease } from "./lease.ts";
import { takeText } from "./lease_sql.ts";
import {
  cleanOutbox,
  listOutbox,
  nextRetry,
  outboxBacklog,
  outboxStats,
  requeueRows,
} from "./outbox_report.ts";
import { exchange } from "../connection/statement.ts";

export class PostgresOutbox implements OutboxStore {
  readonly #backend: Backend;
  /** The same database through connections of its own: no handler can keep a processor waiting. */
  readonly #processors: Backend;
  readonly #hints: Hints;
  /** When each broker's rows were last looked for, epoch ms. */
  readonly #looked = new Map<string, number>();

  constructor(backend: Backend, processors: Backend, hints: Hints) {
    this.#backend = backend;
    this.#processors = processors;
    this.#hints = hints;
  }

  async lease(
    options: {
      readonly broker: string;
      readonly owner: string;
      readonly maxShards?: number;
      readonly standing?: boolean;
    },
  ): Promise<OutboxLease | undefined> {
    const { broker, owner, maxShards = OUTBOX_SHARDS, standing = false } = options;
    const { names, where, clock, pool } = this.#processors;
    const now = clock.now();
    this.#looked.set(broker, now);
    const holder = `${owner}/${crypto.randomUUID()}`;
    const connection = (await pool.acquire(undefined, true)).member;
    const giveBack = (returned: Connection) => pool.release(returned);
    const leaseOf = (shards: readonly number[]) =>
      new PostgresOutboxLease({ connection, where, names, clock, broker, holder, shards, giveBack });
    try {
      if (standing) {
        const lease = leaseOf([]);
        await lease.stand();
        return lease;
      }
      const [rows = []] = await exchange(connection, [{
        text: takeText(names),
        values: [broker, holder, String(now), String(names.lockKey(broker)), String(maxShards)],
        doing: "taking shards of the outbox",
      }], where);
      const shards = rows.map((row) => Number(row["shard"]));
      if (shards.length > 0) return leaseOf(shards);
    } catch (error) {
      // It may have locked some shards before it failed.
      connection.destroy("taking shards failed");
      pool.release(connection);
      throw error;
    }
    pool.release(connection);
    return undefined;
  }

  watch(wake: () => void): () => void {
    return this.#hints.watch(wake);
  }

  /** A row that was due when its shard was last asked for is in somebody else's hands: it is not what to wait for. */
  nextDue(broker: string): Promise<number | undefined> {
    return nextRetry(this.#processors, broker, this.#looked.get(broker) ?? 0);
  }

  stats(): Promise<OutboxStats> {
    return outboxStats(this.#backend);
  }

  backlog(broker: string): Promise<OutboxBacklog> {
    return outboxBacklog(this.#backend, broker);
  }

  list(
    options: { readonly status?: OutboxStatus; readonly limit: number },
  ): Promise<readonly OutboxListing[]> {
    return listOutbox(this.#backend, options);
  }

  async requeue(ids?: readonly string[]): Promise<number> {
    const revived = await requeueRows(this.#backend, ids);
    if (revived > 0) this.#hints.committed();
    return revived;
  }

  clean(
    options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
  ): Promise<number> {
    return cleanOutbox(this.#backend, options);
  }
}
