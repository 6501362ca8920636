/**
 * Dead-letter streams of the SQLite broker. What an operator has done to one is on the disk when the command
 * ends: a letter that came back with the power would be replayed twice, or show what was purged.
 *
 * @module
 */
import { turn } from "../../../async/turn.ts";
import type { Clock } from "../../../async/clock.ts";
import type { DeadLetterRange, DeadLetters, FeedMark, StreamEntry } from "../../ports.ts";
import { END_ID, parseCursor, parseStreamId, ZERO_ID } from "../../stream_id.ts";
import { TextBudget } from "../../entry_text.ts";
import type { DatabaseFile } from "../file/database_file.ts";
import { collectDropped, dropOldest, dropStream } from "./drop.ts";
import {
  bury,
  COUNT_BYTES,
  COUNT_STEP,
  forgetCounts,
  lowerAll,
  SqliteFailureGroups,
  unbury,
} from "./failure_groups.ts";
import { fedTo, feedTo } from "./fed.ts";
import { ensureGroup } from "./group_rows.ts";
import { append, entryOf, findEntry, findStream } from "./rows.ts";
import { entriesIn, entryIn, findWithin, pageOf } from "./texts.ts";

/** Letters that one transaction moves: they may be large. */
const MOVE_STEP = 50;

export class SqliteDeadLetters implements DeadLetters {
  readonly failures: SqliteFailureGroups;
  readonly #database: DatabaseFile;
  readonly #clock: Clock;

  constructor(database: DatabaseFile, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.failures = new SqliteFailureGroups(database);
  }

  async depth(stream: string): Promise<number> {
    return await this.#database.read((db) => findStream(db, stream)?.length ?? 0);
  }

  async list(
    stream: string,
    { direction = "forwards", after, limit, ...limits }: DeadLetterRange,
  ): Promise<readonly StreamEntry[]> {
    const backwards = direction === "backwards";
    const page = {
      from: parseCursor(after, backwards ? END_ID : ZERO_ID),
      count: Math.max(0, limit),
      backwards,
    };
    const rows = await this.#database.read((db) => {
      const row = findStream(db, stream);
      return row ? pageOf(db, row.id, page, limits) : [];
    });
    return await entriesIn(rows, limits.maxEntryBytes);
  }

  async oldest(stream: string): Promise<number | undefined> {
    return await this.#database.read((db) => {
      const row = findStream(db, stream);
      return row && pageOf(db, row.id, { from: ZERO_ID, count: 1 }, { maxEntryBytes: 1 })[0]?.[0];
    });
  }

  async trimBefore(stream: string, ms: number, limit: number): Promise<number> {
    const bound = { ms: Math.ceil(ms), n: 0 };
    let trimmed = 0;
    while (trimmed < limit) {
      const step = await this.#database.write((db) => {
        const row = findStream(db, stream);
        if (!row) return 0;
        const page = { from: ZERO_ID, count: Math.min(limit - trimmed, COUNT_STEP) };
        const oldest = pageOf(db, row.id, page, { maxBytes: COUNT_BYTES }).filter((entry) =>
          entry[0] < bound.ms
        );
        lowerAll(db, stream, oldest);
        return oldest.length === 0 ? 0 : dropOldest(db, row.id, bound, oldest.length);
      });
      trimmed += step;
      // A page may be short for the sake of its bytes.
      if (step === 0) break;
      await turn();
    }
    return trimmed;
  }

  async get(stream: string, id: string, maxEntryBytes?: number): Promise<StreamEntry | undefined> {
    const key = parseStreamId(id);
    const found = await this.#database.read((db) => {
      const row = findStream(db, stream);
      return row && key && findWithin(db, row.id, key, new TextBudget({ maxEntryBytes }));
    });
    return found && await entryIn(found, maxEntryBytes);
  }

  async replay(stream: string, id: string, lane: string, group: string): Promise<boolean> {
    const key = parseStreamId(id);
    return await this.#database.write((db) => {
      const row = findStream(db, stream);
      const entry = row && key && findEntry(db, row.id, key);
      if (!entry) return false;
      ensureGroup(db, lane, group);
      append(db, [{ stream: lane, data: entryOf(entry).data ?? "" }], this.#clock.now());
      return unbury(db, stream, row, key);
    }, { notify: true, durable: true });
  }

  async move(stream: string, ids: readonly string[], to: string): Promise<number> {
    let moved = 0;
    for (let at = 0; at < ids.length; at += MOVE_STEP) {
      const step = ids.slice(at, at + MOVE_STEP).map(parseStreamId);
      moved += await this.#database.write((db) => {
        let count = 0;
        for (const key of step) {
          const row = findStream(db, stream);
          const entry = row && key && findEntry(db, row.id, key);
          if (!entry) continue;
          bury(db, { stream: to, data: entryOf(entry).data ?? "" }, this.#clock.now());
          if (unbury(db, stream, row, key)) count++;
        }
        return count;
      }, { durable: true });
      await turn();
    }
    return moved;
  }

  async release(stream: string, id: string, to: string, data: string): Promise<boolean> {
    const key = parseStreamId(id);
    return await this.#database.write((db) => {
      const row = findStream(db, stream);
      if (!row || !key || !findEntry(db, row.id, key)) return false;
      append(db, [{ stream: to, data }], this.#clock.now());
      return unbury(db, stream, row, key);
    }, { notify: true, durable: true });
  }

  async feed(
    lane: string,
    group: string,
    texts: readonly string[],
    { id, from, to }: FeedMark,
  ): Promise<string> {
    return await this.#database.write((db) => {
      const at = fedTo(db, lane, id);
      if (at !== from) return at;
      if (texts.length > 0) ensureGroup(db, lane, group);
      append(db, texts.map((data) => ({ stream: lane, data })), this.#clock.now());
      feedTo(db, { lane, id, at: to }, this.#clock.now());
      return to;
    }, { notify: true, durable: true });
  }

  async remove(stream: string, ids: readonly string[]): Promise<number> {
    let removed = 0;
    for (let at = 0; at < ids.length; at += COUNT_STEP) {
      const step = ids.slice(at, at + COUNT_STEP).map(parseStreamId);
      removed += await this.#database.write((db) => {
        const row = findStream(db, stream);
        return step.filter((key) => row && key && unbury(db, stream, row, key)).length;
      }, { durable: true });
      await turn();
    }
    return removed;
  }

  async purge(stream: string, last?: string): Promise<number> {
    const from = parseCursor(last, END_ID);
    // Waiting readers learn that their group is gone.
    const length = await this.#database.write((db) => {
      const row = findStream(db, stream);
      if (row && pageOf(db, row.id, { from, count: 1 }, { maxEntryBytes: 1 }).length > 0) return 0;
      forgetCounts(db, stream);
      return dropStream(db, stream);
    }, { notify: true, durable: true });
    await collectDropped(this.#database);
    return length;
  }
}
