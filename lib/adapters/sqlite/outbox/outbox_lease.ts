/**
 * Shards of the outbox in the hands of one processor (delivery 9).
 *
 * Claims, marks and leases are not synced to the disk: a power cut that undoes them means that rows are published again,
 * which readers see as the same message ids.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../async/clock.ts";
import { asError } from "../../../errors.ts";
import type { OutboxLease, OutboxOutcome, OutboxRow } from "../../ports.ts";
import { LeaseHeartbeat } from "../../lease_heartbeat.ts";
import type { SqliteDatabase } from "../file/database.ts";
import { nextRows, settleRows, takeRows } from "./outbox_rows.ts";
import { nextRetry } from "./outbox_report.ts";
import { dropShards, LEASE_MS, letGo, refreshShards, shareOf, takeSeat, takeShards } from "./shard_leases.ts";

const log = getLogger(["protean", "outbox"]);

/** How a processor's bookkeeping is written. */
export const BOOKKEEPING = { notify: false, durable: false } as const;

/** While nothing changes, the others are told this often that the holder lives. */
const REFRESH_MS = LEASE_MS / 6;

export class SqliteOutboxLease implements OutboxLease {
  readonly #heartbeat: LeaseHeartbeat;
  #shards: readonly number[] = [];
  #released = false;
  /** When others were last told that the holder lives, and when rows were last asked for, epoch ms. */
  #refreshed: number;
  #looked = 0;

  /** `holder` is unique to this lease: rows `processing` under any other name were left by somebody who is gone. */
  constructor(
    private readonly database: SqliteDatabase,
    private readonly clock: Clock,
    private readonly broker: string,
    private readonly holder: string,
  ) {
    this.#refreshed = clock.now();
    this.#heartbeat = new LeaseHeartbeat(clock, () => this.settle([]));
  }

  get shards(): readonly number[] {
    return this.#shards;
  }

  assertHeld(): void {
    this.#heartbeat.assertHeld();
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
    return await this.database.write((db) => {
      const until = new Date(this.#refresh(db) + LEASE_MS).toISOString();
      return takeRows(db, { seqs, shards: this.#shards, holder, until, now: time });
    }, BOOKKEEPING);
  }

  async settle(outcomes: readonly OutboxOutcome[]): Promise<void> {
    const now = this.clock.now();
    await this.database.write((db) => {
      settleRows(db, outcomes, this.holder, new Date(now).toISOString());
      if (!this.#released) this.#refresh(db);
    }, BOOKKEEPING);
  }

  async share(): Promise<void> {
    if (this.#released) return;
    const { broker, holder } = this;
    const now = this.clock.now();
    // As in claim: seen on the reading connection first, so that nothing is written while nothing changes.
    const seen = await this.database.read((db) => shareOf(db, broker, holder, now));
    const settled = seen.seated && seen.surplus.length + seen.room.length === 0;
    if (settled && now - this.#refreshed < REFRESH_MS) return;
    await this.database.write((db) => {
      if (!shareOf(db, broker, holder, now).seated) takeSeat(db, broker, holder, now);
      const { surplus, room } = shareOf(db, broker, holder, now);
      dropShards(db, holder, surplus);
      takeShards(db, broker, room, holder, now);
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

  /** Answers the time it tells the others, epoch ms. */
  #refresh(db: DatabaseSync): number {
    const now = this.clock.now();
    this.#shards = refreshShards(db, this.holder, now);
    this.#refreshed = now;
    // Writing waits for its turn, behind a handler that writes as well: what counts is when it had it.
    this.#heartbeat.renewed();
    return now;
  }
}
