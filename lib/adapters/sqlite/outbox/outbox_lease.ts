/**
 * Shards of the outbox in the hands of one processor (delivery 9).
 *
 * Claims, records of publishing and leases are not synced to the disk: a power cut that undoes them means
 * that rows are published again, which readers see as the same message ids. What is published is synced by
 * the broker before it is recorded here.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import { awakeMs, type Clock } from "../../../async/clock.ts";
import { asError, ProviderUnavailableError } from "../../../errors.ts";
import { orderOf, type OutboxLease, type OutboxOutcome, type OutboxRow, shardOf } from "../../ports.ts";
import type { RetentionClock } from "../../retention_clock.ts";
import { LeaseHeartbeat } from "../../lease_heartbeat.ts";
import type { SqliteDatabase } from "../file/database.ts";
import { nextRows, settleRows, takeRows } from "./outbox_rows.ts";
import { nextRetry } from "./outbox_report.ts";
import { letGo } from "../file/holders.ts";
import { dropShards, LEASE_MS, refreshShards, shareOf, takeSeat, takeShards } from "./shard_leases.ts";

const log = getLogger(["protean", "outbox"]);

/** How a processor's bookkeeping is written. */
export const BOOKKEEPING = { notify: false, durable: false } as const;

export class SqliteOutboxLease implements OutboxLease {
  readonly #heartbeat: LeaseHeartbeat;
  #shards: readonly number[] = [];
  #released = false;
  /** When rows were last asked for, epoch ms. */
  #looked = 0;
  /** Shards of the rows that are claimed and not settled, by id. */
  readonly #claimed = new Map<string, number>();

  /**
   * `holder` is unique to this lease: rows `processing` under any other name were left by somebody who is
   * gone.
   */
  constructor(
    private readonly database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly broker: string,
    private readonly holder: string,
    private readonly retention: RetentionClock,
  ) {
    this.#heartbeat = new LeaseHeartbeat(clock, () => this.settle([]), awakeMs);
  }

  get shards(): readonly number[] {
    return this.#shards;
  }

  assertHeld(): void {
    this.#heartbeat.assertHeld();
    // A beat after a standstill may have shown already that somebody else has a shard meanwhile.
    const lost = [...this.#claimed.values()].find((shard) => !this.#shards.includes(shard));
    if (lost === undefined) return;
    throw new ProviderUnavailableError(
      `Shard ${lost} of the outbox is another's by now, as this process stood still with rows of it claimed: ` +
        "they are left to whoever holds it.",
    );
  }

  async claim(limit: number): Promise<readonly OutboxRow[]> {
    if (this.#released || this.#shards.length === 0) return [];
    const now = this.#looked = this.clock.now();
    const time = new Date(now).toISOString();
    const { broker, holder } = this;
    // Looked up on the reading connection: nobody else changes these rows, and an empty claim does not write.
    const seqs = await this.database.read((db) =>
      nextRows(db, { broker, shards: this.#shards, holder, now: time }, limit)
    );
    if (seqs.length === 0) return [];
    const rows = await this.database.write((db) => {
      const until = new Date(this.#refresh(db) + LEASE_MS).toISOString();
      return takeRows(db, { seqs, shards: this.#shards, holder, until, now: time });
    }, BOOKKEEPING);
    for (const { id, streamName, partitionKey } of rows) {
      this.#claimed.set(id, shardOf(orderOf(streamName, partitionKey)));
    }
    return rows;
  }

  async settle(outcomes: readonly OutboxOutcome[]): Promise<void> {
    const now = new Date(this.clock.now()).toISOString();
    const kept = new Date(this.retention.stamp()).toISOString();
    for (const { id } of outcomes) this.#claimed.delete(id);
    await this.database.write((db) => {
      settleRows(db, outcomes, this.holder, { now, kept });
      if (!this.#released) this.#refresh(db);
    }, BOOKKEEPING);
  }

  async share(): Promise<void> {
    if (this.#released) return;
    const { broker, holder } = this;
    const { silence } = this.database;
    // As in claim: seen on the reading connection first, so that nothing is written while nothing changes.
    const seen = await this.database.read((db) => shareOf(db, broker, holder, silence.look()));
    if (seen.seated && seen.surplus.length + seen.room.length === 0) return;
    await this.database.write((db) => {
      const look = silence.look();
      if (!shareOf(db, broker, holder, look).seated) takeSeat(db, broker, holder, look);
      const { surplus, room } = shareOf(db, broker, holder, look);
      dropShards(db, holder, surplus);
      takeShards(db, broker, room, holder, look.now);
      this.#refresh(db);
    }, BOOKKEEPING);
  }

  async nextDue(): Promise<number | undefined> {
    if (this.#released || this.#shards.length === 0) return undefined;
    const after = new Date(this.#looked).toISOString();
    return await this.database.read((db) => nextRetry(db, this.broker, { after, shards: this.#shards }));
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    letGo(this.holder);
    await this.#heartbeat.stop();
    try {
      await this.database.write((db) => dropShards(db, this.holder), BOOKKEEPING);
    } catch (cause) {
      // This process knows that the shards are free; others do when the lease runs out or this process ends.
      log.debug("outbox.release_failed", { broker: this.broker, error: asError(cause).message });
    }
  }

  /** Returns the time it tells the others, epoch ms. */
  #refresh(db: DatabaseSync): number {
    const now = this.clock.now();
    this.#shards = refreshShards(db, this.holder, now);
    // Writing waits for its turn, behind a handler that writes as well: what counts is when it had it.
    this.#heartbeat.renewed();
    return now;
  }
}
