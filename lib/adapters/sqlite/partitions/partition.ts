/**
 * One key of a parted category in a SQLite file, as its owner has it: each step that could harm the next
 * owner is one transaction with the look at who owns the key.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import { partitionStream } from "../../../message/partitions.ts";
import { TextBudget } from "../../entry_text.ts";
import { haltedIn } from "../../halted.ts";
import type { Halt, Partition, PartitionEntry, StreamGroup } from "../../ports.ts";
import { formatStreamId, parseStreamId } from "../../stream_id.ts";
import { fenced, groupMissing } from "../../stream_rules.ts";
import type { DatabaseFile } from "../file/database_file.ts";
import { statement } from "../file/statements.ts";
import { collectDropped, dropStream } from "../streams/drop.ts";
import {
  acknowledge,
  deliver,
  ensureGroup,
  enterConsumer,
  findGroup,
  findPending,
  groupInfos,
  type GroupRow,
  touch,
} from "../streams/group_rows.ts";
import { entriesBefore, findStream } from "../streams/rows.ts";
import { entryIn, findWithin, type FoundRow } from "../streams/texts.ts";
import { forgetHalt, forgetKey, haltOf, hasKey, type KeyPlace, noteHalt, ownsKey } from "./rows.ts";

const MINE = `SELECT ms, n, count FROM protean_stream_pending WHERE grp = ? AND consumer = ?
  ORDER BY ms, n LIMIT 1`;
const ADOPT = "UPDATE protean_stream_pending SET consumer = ?, at = ? WHERE grp = ?";
const ALONE = "DELETE FROM protean_stream_consumer WHERE grp = ? AND id <> ?";

export interface SqlitePartitionParts {
  readonly database: DatabaseFile;
  readonly clock: Clock;
  readonly place: KeyPlace;
  readonly fence: string;
  readonly maxEntryBytes: number | undefined;
  /** The owner as a consumer of the key's stream. */
  readonly entries: StreamGroup;
}

export class SqlitePartition implements Partition {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;

  constructor(private readonly parts: SqlitePartitionParts) {
    const { place: { stream, key, group }, fence } = parts;
    this.stream = partitionStream(stream, key);
    this.group = group;
    this.consumer = fence;
  }

  async adopt(): Promise<boolean> {
    const { place, clock } = this.parts;
    return await this.#owned((db) => {
      if (!hasKey(db, place.stream, place.key)) return false;
      ensureGroup(db, this.stream, this.group);
      const group = this.#find(db);
      const now = clock.now();
      const consumer = enterConsumer(db, group, this.consumer, now);
      statement(db, ADOPT).run(consumer, now, group.id);
      statement(db, ALONE).run(group.id, consumer);
      forgetHalt(db, place);
      return true;
    });
  }

  async next(): Promise<PartitionEntry | undefined> {
    const { maxEntryBytes } = this.parts;
    const found = await this.#owned((db) => this.#next(db));
    if (!found) return undefined;
    const { row, count, pending } = found;
    return { ...await entryIn(row, maxEntryBytes), count, trimmed: false, pending };
  }

  #next(db: DatabaseSync): { row: FoundRow; count: number; pending: boolean } | undefined {
    const { clock, maxEntryBytes } = this.parts;
    const group = this.#find(db);
    const now = clock.now();
    const consumer = enterConsumer(db, group, this.consumer, now);
    const budget = new TextBudget({ maxEntryBytes });
    for (let mine = statement(db, MINE).get(group.id, consumer); mine;) {
      const id = { ms: Number(mine["ms"]), n: Number(mine["n"]) };
      const row = findWithin(db, group.stream, id, budget);
      if (row) return { row, count: Number(mine["count"]), pending: true };
      acknowledge(db, group, id);
      mine = statement(db, MINE).get(group.id, consumer);
    }
    const [row] = deliver(db, group, consumer, { count: 1, maxEntryBytes }, now);
    return row && { row, count: 1, pending: false };
  }

  attempt(id: string): Promise<number | undefined> {
    return this.parts.entries.attempt(id);
  }

  refresh(ids: readonly string[]): Promise<readonly string[]> {
    return this.parts.entries.refresh(ids);
  }

  async ack(ids: readonly string[]): Promise<void> {
    await this.#owned((db) => {
      const group = this.#find(db);
      for (const id of ids) {
        const key = parseStreamId(id);
        if (key) acknowledge(db, group, key);
      }
    });
  }

  deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean> {
    return this.parts.entries.deadLetter(id, deadLetterStream, data);
  }

  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    return this.parts.entries.release(entries);
  }

  trim(maxLength: number): Promise<number> {
    return this.parts.entries.trim(maxLength);
  }

  async halt(halt: Halt, count: number): Promise<boolean> {
    const { place, clock } = this.parts;
    return await this.#owned((db) => {
      const group = this.#find(db);
      const now = clock.now();
      const consumer = enterConsumer(db, group, this.consumer, now);
      if (touch(db, group, consumer, halt.id, now, () => count) === undefined) return false;
      noteHalt(db, place, JSON.stringify(halt));
      return true;
    });
  }

  async halted(): Promise<boolean> {
    const { database, place } = this.parts;
    const [note, still] = await database.read((db) => this.#haltIn(db));
    if (note === undefined || still) return note !== undefined;
    return await database.write((db) => {
      const [later, isStill] = this.#haltIn(db);
      if (later !== undefined && !isStill) forgetHalt(db, place);
      return isStill;
    });
  }

  /** What is noted, and whether its entry is pending. */
  #haltIn(db: DatabaseSync): readonly [note: string | undefined, still: boolean] {
    const note = haltOf(db, this.parts.place);
    const [halted] = note === undefined ? [] : haltedIn([[this.parts.place.key, note]]);
    const id = halted && parseStreamId(halted.halt.id);
    const group = findGroup(db, this.stream, this.group);
    return [note, id !== undefined && group !== undefined && findPending(db, group, id) !== undefined];
  }

  async reap(idleMs: number): Promise<boolean> {
    const { database, place, clock } = this.parts;
    const reaped = await database.write((db) => {
      const row = findStream(db, this.stream);
      const [last] = row ? entriesBefore(db, row.id, { ms: Number.MAX_SAFE_INTEGER, n: 0 }, 1) : [];
      if (last) {
        const [ms, n] = last;
        const groups = groupInfos(db, this.stream);
        const done = groups.every(({ pending, lastDeliveredId }) =>
          pending === 0 && lastDeliveredId === formatStreamId({ ms, n })
        );
        if (clock.now() - ms < idleMs || groups.length === 0 || !done) return false;
      }
      forgetKey(db, place.stream, place.key);
      dropStream(db, this.stream);
      return true;
    });
    if (reaped) await collectDropped(database);
    return reaped;
  }

  async retire(): Promise<void> {
    await this.parts.entries.retire();
  }

  async #owned<T>(work: (db: DatabaseSync) => T): Promise<T> {
    const { database, place, fence } = this.parts;
    return await database.write((db) => {
      if (!ownsKey(db, place, fence)) throw fenced(this.stream, fence);
      return work(db);
    });
  }

  #find(db: DatabaseSync): GroupRow {
    const group = findGroup(db, this.stream, this.group);
    if (!group) throw groupMissing(this.stream, this.group);
    return group;
  }
}
