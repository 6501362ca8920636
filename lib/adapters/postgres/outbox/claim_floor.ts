/**
 * From which `seq` on a lease looks for rows (delivery 21, finding D7).
 *
 * The index entries of published rows stay for as long as any transaction in the database is older than their
 * publishing, and a claim from the lowest number reads them all. So a claim reads beyond a number that no row
 * of its shard can be under which is still to be published:
 *
 * - No row that commits late. Whoever has been given a number below the last claimed one held
 *   RowExclusiveLock on the outbox when that one had been claimed. Once all of those are gone, every number
 *   up to it is decided.
 * - No row that is there and waits. A later statement, which sees what those have committed, looks for the
 *   lowest open row of each shard, and the number stays below it.
 * - No row that is open again, as a requeued one is. That is looked for when it is told, and now and then.
 *
 * A transaction that has written to the outbox and stays open would stop this. Its rows are visible as soon
 * as it has ended: so each claim asks by its own snapshot whether it has, and where so reads from the number
 * before its time.
 *
 * @module
 */
import type { Clock } from "../../../async/clock.ts";
import type { Row } from "../connection/connection.ts";
import type { Names } from "../connection/names.ts";
import type { Planned } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";
import { holdersText, lowestOpenText } from "./claim_floor_sql.ts";

/** After so many rows, or so much time while there are any, it is looked whether the number can grow. */
const LOOK_ROWS = 1_000;
const LOOK_MS = 1_000;
/** Who holds its lock for longer is passed by, and asked for by every claim. */
const PATIENCE_MS = 3_000;
/** So many of those at most: every claim names them all. */
const MOST_LATE = 100;
/** Rows that are open again without a word are found after this, or 20 times what the look takes. */
const RECHECK_MS = 30_000;
const RECHECK_SHARE = 20;

/** A statement to be sent behind the claim, and what to do with its answer, after `claimed`. */
export interface Question {
  readonly statement: Planned;
  readonly answered: (rows: readonly Row[]) => void;
}

/** Numbers by shard; those that are not there are 0. */
type Bounds = Map<number, number>;

/** A number that the bound may grow to, once the holders are gone. */
interface Target {
  readonly to: number;
  readonly since: number;
  /** Virtual transactions. */
  readonly holders: ReadonlySet<string>;
}

export interface ClaimFloorOptions {
  readonly clock: Clock;
  readonly names: Names;
  readonly broker: string;
}

export class ClaimFloor {
  readonly #options: ClaimFloorOptions;
  readonly #low: Bounds = new Map();
  /** Bounds below everything that those in `#late` can have written. */
  readonly #base: Bounds = new Map();
  /** Transactions that were passed by while open: virtual to full transaction id. */
  readonly #late = new Map<string, string>();
  #target: Target | undefined;
  /** The highest number claimed. */
  #last = 0;
  /** Rows claimed since the last look, and when that was, on the clock's monotonic scale. */
  #rows = 0;
  #looked: number;
  #recheckAt: number;
  #reopened = false;

  constructor(options: ClaimFloorOptions) {
    this.#options = options;
    this.#looked = options.clock.monotonic();
    this.#recheckAt = this.#looked + RECHECK_MS;
  }

  /** Rows of a shard are claimed beyond this number. */
  of(shard: number): number {
    return this.#low.get(shard) ?? 0;
  }

  /** Beyond this one instead, once one of `late` has ended. */
  baseOf(shard: number): number {
    return this.#base.get(shard) ?? 0;
  }

  /** Full ids of the transactions to ask for. */
  get late(): readonly string[] {
    return [...this.#late.values()];
  }

  /** Rows below may be open again: the next `recheck` finds them. */
  reopened(): void {
    this.#reopened = true;
  }

  /** What is gained again later is new. */
  letGo(shards: readonly number[]): void {
    for (const shard of shards) {
      this.#low.delete(shard);
      this.#base.delete(shard);
    }
  }

  /** To be called with the rows of every claim. */
  claimed(rows: readonly { readonly seq: number; readonly shard: number }[]): void {
    this.#rows += rows.length;
    for (const { seq } of rows) this.#last = Math.max(this.#last, seq);
    if (rows.some(({ seq, shard }) => seq <= this.of(shard))) this.#goBack();
  }

  /** To be asked before a claim, and answered before it: whether rows below are open again. */
  recheck(shards: readonly number[]): Question | undefined {
    const { clock } = this.#options;
    const began = clock.monotonic();
    if (!this.#reopened && began < this.#recheckAt) return undefined;
    this.#reopened = false;
    return {
      statement: this.#lowestOpen(shards, () => 0),
      answered: (found) => {
        for (const [shard, first] of firstOf(found)) {
          if (this.of(shard) >= first) this.#low.set(shard, first - 1);
          if (this.baseOf(shard) >= first) this.#base.set(shard, first - 1);
        }
        const now = clock.monotonic();
        this.#recheckAt = now + Math.max(RECHECK_MS, RECHECK_SHARE * (now - began));
      },
    };
  }

  /** To be sent behind a claim: what raises the bounds of these shards. */
  raise(shards: readonly number[]): Question | undefined {
    const target = this.#target;
    if (target?.holders.size === 0) {
      return {
        statement: this.#lowestOpen(shards, (shard) => this.of(shard)),
        answered: (found) => {
          if (this.#target !== target) return;
          const firsts = firstOf(found);
          for (const shard of shards) {
            const to = Math.min(target.to, (firsts.get(shard) ?? Infinity) - 1);
            if (to > this.of(shard)) this.#low.set(shard, to);
          }
          this.#target = undefined;
        },
      };
    }
    const now = this.#options.clock.monotonic();
    const isDue = this.#rows >= LOOK_ROWS || now - this.#looked >= LOOK_MS;
    if (!isDue || this.#rows === 0 && !target && this.#late.size === 0) return undefined;
    this.#rows = 0;
    this.#looked = now;
    const { names } = this.#options;
    return {
      statement: { text: holdersText, values: [names.outbox], doing: "looking who writes to the outbox" },
      answered: (found) => this.#seen(new Map(found.map((row) => [String(row["holder"]), row["xid"]]))),
    };
  }

  /** `found`: who holds the lock, and full transaction ids where they have one. */
  #seen(found: ReadonlyMap<string, unknown>): void {
    if ([...this.#late.keys()].some((holder) => !found.has(holder))) return this.#goBack();
    const now = this.#options.clock.monotonic();
    const writing = [...found.keys()].filter((holder) => !this.#late.has(holder));
    if (!this.#target) {
      this.#target = { to: this.#last, since: now, holders: new Set(writing) };
      return;
    }
    const { to, since, holders } = this.#target;
    const left = writing.filter((holder) => holders.has(holder));
    const late = left.map((holder) => [holder, found.get(holder)] as const);
    const isPassing = now - since < PATIENCE_MS || this.#late.size + left.length > MOST_LATE ||
      late.some(([, xid]) => typeof xid !== "string");
    if (isPassing) {
      this.#target = { to, since, holders: new Set(left) };
      return;
    }
    if (left.length > 0 && this.#late.size === 0) {
      for (const [shard, low] of this.#low) this.#base.set(shard, low);
    }
    for (const [holder, xid] of late) this.#late.set(holder, String(xid));
    this.#target = { to, since, holders: new Set() };
  }

  /** One that was passed by has ended, and what it has written is below. */
  #goBack(): void {
    this.#low.clear();
    for (const [shard, low] of this.#base) this.#low.set(shard, low);
    this.#base.clear();
    this.#late.clear();
    this.#target = undefined;
  }

  #lowestOpen(shards: readonly number[], from: (shard: number) => number): Planned {
    const { names, broker } = this.#options;
    return {
      text: lowestOpenText(names),
      values: [broker, arrayText(shards.map(String)), arrayText(shards.map((shard) => String(from(shard))))],
      doing: "looking for the first open row of the outbox",
    };
  }
}

/** From `{ shard, first }`; shards without an open row are left out. */
function firstOf(found: readonly Row[]): ReadonlyMap<number, number> {
  return new Map(
    found.filter((row) => row["first"] !== null).map((row) => [Number(row["shard"]), Number(row["first"])]),
  );
}
