/**
 * Shards of the outbox in the hands of one processor (delivery 9).
 *
 * Claims, marks and leases are not synced to the disk: a power cut that undoes them means that rows are published again,
 * which readers see as the same message ids.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { asError } from "../../errors.ts";
import type { OutboxLease, OutboxOutcome, OutboxRow } from "../ports.ts";
import type { SqliteDatabase } from "./database.ts";
import { nextRows, settleRows, takeRows } from "./outbox_rows.ts";
import { dropShards, LEASE_MS, letGo, refreshShards } from "./shard_leases.ts";

const log = getLogger(["protean", "outbox"]);

/** How a processor's bookkeeping is written. */
export const BOOKKEEPING = { notify: false, durable: false } as const;

export class SqliteOutboxLease implements OutboxLease {
  #shards: readonly number[];
  #released = false;

  /** `holder` is unique to this lease: rows `processing` under any other name were left by somebody who is gone. */
  constructor(
    private readonly database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly broker: string,
    private readonly holder: string,
    shards: readonly number[],
  ) {
    this.#shards = shards;
  }

  get shards(): readonly number[] {
    return this.#shards;
  }

  async claim(limit: number): Promise<readonly OutboxRow[]> {
    if (this.#released) return [];
    const now = this.clock.now();
    const time = new Date(now).toISOString();
    const { broker, holder } = this;
    // Looked up on the reading connection: nobody else changes these rows, and an empty claim does not write.
    const seqs = await this.database.read((db) =>
      nextRows(db, { broker, shards: this.#shards, holder, limit, now: time })
    );
    if (seqs.length === 0) return [];
    const until = new Date(now + LEASE_MS).toISOString();
    return await this.database.write((db) => {
      this.#shards = refreshShards(db, holder, now);
      return takeRows(db, { seqs, shards: this.#shards, holder, until, now: time });
    }, BOOKKEEPING);
  }

  async settle(outcomes: readonly OutboxOutcome[]): Promise<void> {
    const now = this.clock.now();
    await this.database.write((db) => {
      settleRows(db, outcomes, this.holder, new Date(now).toISOString());
      if (!this.#released) this.#shards = refreshShards(db, this.holder, now);
    }, BOOKKEEPING);
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    letGo(this.holder);
    try {
      await this.database.write((db) => dropShards(db, this.holder), BOOKKEEPING);
    } catch (cause) {
      // This process knows that the shards are free; others do when the lease runs out or this process ends.
      log.debug("outbox.release_failed", { broker: this.broker, error: asError(cause).message });
    }
  }
}
