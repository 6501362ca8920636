/**
 * One consumer of one group on one stream of the SQLite broker.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import { TextBudget } from "../../entry_text.ts";
import { takeWhenThere } from "../../blocking_read.ts";
import type {
  ClaimedEntry,
  GroupInfo,
  GroupOptions,
  OwnConsumers,
  PendingEntry,
  Postponed,
  ReadOptions,
  StreamEntry,
  StreamGroup,
  TextLimits,
} from "../../ports.ts";
import { parseCursor, parseStreamId, type StreamId } from "../../stream_id.ts";
import { groupMissing } from "../../stream_rules.ts";
import type { DatabaseFile } from "../file/database_file.ts";
import { selfIdentity } from "../file/process_identity.ts";
import type { Look } from "../file/silence.ts";
import { claimEntry, listPending, retireConsumer, sweepConsumers } from "./consumer_rows.ts";
import { dropStream, trim } from "./drop.ts";
import {
  acknowledge,
  deliver,
  ensureGroup,
  enterConsumer,
  findConsumer,
  findGroup,
  findPending,
  groupInfos,
  type GroupRow,
  hasNewer,
  RELEASED_AT,
  touch,
  touchAll,
  vitalsOf,
} from "./group_rows.ts";
import { findPostponed, forgetPostponed, keepPostponed } from "./postponed.ts";
import { bury } from "./failure_groups.ts";
import { type EntryRow, findStream, removeEntry } from "./rows.ts";
import { entriesIn, entryIn } from "./texts.ts";

export class SqliteStreamGroup implements StreamGroup {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly #lane: boolean;
  readonly #maxEntryBytes: number | undefined;
  readonly #database: DatabaseFile;
  readonly #clock: Clock;
  readonly #brokerClosing: AbortSignal;
  readonly #closing = new AbortController();

  constructor(database: DatabaseFile, clock: Clock, options: GroupOptions, brokerClosing: AbortSignal) {
    this.#database = database;
    this.#clock = clock;
    this.#brokerClosing = brokerClosing;
    this.#lane = options.lane ?? false;
    this.#maxEntryBytes = options.maxEntryBytes;
    this.stream = options.stream;
    this.group = options.group;
    this.consumer = options.consumer;
  }

  async ensure(): Promise<boolean> {
    const done = await this.#database.read((db) =>
      this.#find(db) !== undefined || (this.#lane && !findStream(db, this.stream))
    );
    if (done) return false;
    return await this.#database.write((db) => ensureGroup(db, this.stream, this.group), { notify: true });
  }

  async read(options: ReadOptions): Promise<readonly StreamEntry[]> {
    const { count, blockMs = 0, signal } = options;
    if (signal?.aborted) {
      if (options.ack) await this.ack(options.ack);
      return [];
    }
    let ack: readonly string[] | undefined = options.ack ?? [];
    const page = { count, maxBytes: options.maxBytes, maxEntryBytes: this.#maxEntryBytes };
    const take = async () => {
      // The first try writes in any case: it acknowledges, and tells that this consumer is alive. Later ones
      // look first.
      if (!ack && !await this.#database.read((db) => this.#worthReading(db))) return [];
      const entries = await this.#database.write((db) => this.#take(db, page, ack ?? []));
      ack = undefined;
      return await entriesIn(entries, this.#maxEntryBytes);
    };
    return await takeWhenThere(take, (changed) => this.#database.watch(changed), {
      clock: this.#clock,
      blockMs,
      signals: [this.#brokerClosing, this.#closing.signal, ...signal ? [signal] : []],
    });
  }

  async ack(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    return await this.#database.write((db) => this.#acknowledge(db, this.#find(db), ids));
  }

  async refresh(ids: readonly string[]): Promise<readonly string[]> {
    if (ids.length === 0) return [];
    return await this.#database.write((db) => {
      const found = this.#own(db);
      selfIdentity(db);
      return found ? touchAll(db, found.group, found.consumer, ids, this.#clock.now()) : ids;
    });
  }

  async attempt(id: string): Promise<number | undefined> {
    return await this.#database.write((db) => {
      const found = this.#own(db);
      return found && touch(db, found.group, found.consumer, id, this.#clock.now(), (count) => count + 1);
    });
  }

  async postpone(id: string, postponed: Postponed, count: number): Promise<boolean> {
    const key = parseStreamId(id);
    return await this.#database.write((db) => {
      const found = this.#own(db);
      const now = this.#clock.now();
      if (!key || !found || touch(db, found.group, found.consumer, id, now, () => count) === undefined) {
        return false;
      }
      keepPostponed(db, found.group.id, key, postponed, now);
      return true;
    });
  }

  async forgetPostponed(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#database.write((db) => {
      const group = this.#find(db);
      if (group) forgetPostponed(db, group.id, ids);
    });
  }

  async pending(
    options: {
      readonly limit: number;
      readonly after?: string;
      readonly consumer?: string;
      readonly minIdleMs?: number;
    },
  ): Promise<readonly PendingEntry[]> {
    const after = parseCursor(options.after);
    return await this.#database.read((db) => {
      const group = this.#find(db);
      return group ? listPending(db, group, { ...options, after, look: this.#look() }) : [];
    });
  }

  async claim(
    entries: readonly { readonly id: string; readonly from: string }[],
    minIdleMs: number,
    maxBytes?: number,
  ): Promise<readonly ClaimedEntry[]> {
    if (entries.length === 0) return [];
    const claimed = await this.#database.write((db) => {
      const group = this.#find(db);
      if (!group) return [];
      const budget = new TextBudget({ maxBytes, maxEntryBytes: this.#maxEntryBytes });
      const claim = {
        ...{ by: this.consumer, minIdleMs, budget },
        ...{ look: this.#look(), vitals: vitalsOf(db, group) },
      };
      return entries.flatMap(({ id, from }) => {
        const entry = claimEntry(db, group, id, from, claim);
        const key = parseStreamId(id);
        return entry && key
          ? [{ ...entry, postponed: findPostponed(db, group.id, key, this.#clock.now()) }]
          : [];
      });
    });
    return await Promise.all(
      claimed.map(async ({ id, found, count, postponed }) =>
        found
          ? {
            ...await entryIn(found, this.#maxEntryBytes),
            ...{ count, trimmed: false },
            ...(postponed && { postponed }),
          }
          : { id, data: undefined, count, trimmed: true }
      ),
    );
  }

  async deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean> {
    const key = parseStreamId(id);
    return await this.#database.write((db) => {
      const found = this.#own(db);
      const row = found && key && findPending(db, found.group, key);
      if (!row || row.consumer !== found.consumer) return false;
      bury(db, { stream: deadLetterStream, data }, this.#clock.now());
      this.#acknowledge(db, found.group, [id]);
      return true;
    }, { durable: true });
  }

  async release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#database.write((db) => {
      const found = this.#own(db);
      if (!found) return;
      for (const { id, count } of entries) {
        touch(db, found.group, found.consumer, id, RELEASED_AT, () => count);
      }
    });
  }

  async trim(maxLength: number): Promise<number> {
    return await trim(this.#database, this.stream, maxLength);
  }

  async retire(): Promise<boolean> {
    return await this.#database.write((db) => {
      const found = this.#own(db);
      return found?.consumer === undefined || retireConsumer(db, found.group, found.consumer);
    });
  }

  async sweep(idleMs: number, own?: OwnConsumers): Promise<readonly string[]> {
    return await this.#database.write((db) => {
      const group = this.#find(db);
      const options = { spare: this.consumer, idleMs, own, look: this.#look() };
      return group ? sweepConsumers(db, group, options) : [];
    });
  }

  async info(): Promise<GroupInfo | undefined> {
    const groups = await this.#database.read((db) => groupInfos(db, this.stream));
    return groups.find(({ group }) => group === this.group);
  }

  /** Ends a read that waits. */
  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  #look(): Look {
    return this.#database.silence.look();
  }

  #find(db: DatabaseSync): GroupRow | undefined {
    return findGroup(db, this.stream, this.group);
  }

  #own(db: DatabaseSync): { readonly group: GroupRow; readonly consumer: number | undefined } | undefined {
    const group = this.#find(db);
    return group && { group, consumer: findConsumer(db, group, this.consumer) };
  }

  /** True if taking would deliver something, or tell that the group is missing. */
  #worthReading(db: DatabaseSync): boolean {
    const group = this.#find(db);
    return group ? hasNewer(db, group) : !this.#lane;
  }

  #take(
    db: DatabaseSync,
    page: { readonly count: number } & TextLimits,
    ack: readonly string[],
  ): readonly EntryRow[] {
    const group = this.#find(db);
    if (!group) {
      if (this.#lane) return [];
      throw groupMissing(this.stream, this.group);
    }
    const now = this.#clock.now();
    const consumer = enterConsumer(db, group, this.consumer, now);
    this.#acknowledge(db, group, ack);
    return deliver(db, group, consumer, page, now);
  }

  #acknowledge(db: DatabaseSync, group: GroupRow | undefined, ids: readonly string[]): number {
    if (!group) return 0;
    return ids.filter((id) => {
      const key = parseStreamId(id);
      if (!key || !acknowledge(db, group, key)) return false;
      if (this.#lane) this.#leaveLane(db, group, key);
      return true;
    }).length;
  }

  /** What is done leaves the lane, and the lane goes with the last of it (delivery 19). */
  #leaveLane(db: DatabaseSync, group: GroupRow, key: StreamId): void {
    removeEntry(db, group.stream, key);
    if (findStream(db, this.stream)?.length === 0) dropStream(db, this.stream);
  }
}
