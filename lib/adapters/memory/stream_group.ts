/**
 * One consumer of one group on one stream of the memory broker.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { takeWhenThere } from "../blocking_read.ts";
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
} from "../ports.ts";
import { compareStreamIds, parseCursor } from "../stream_id.ts";
import { groupMissing, RELEASED_IDLE_MS, TRIM_LIMIT } from "../stream_rules.ts";
import type { GroupState } from "./stream_group_state.ts";
import type { StreamStore } from "./stream_store.ts";

export class MemoryStreamGroup implements StreamGroup {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly #lane: boolean;
  readonly #store: StreamStore;
  readonly #clock: Clock;
  readonly #brokerClosing: AbortSignal;
  readonly #closing = new AbortController();

  constructor(store: StreamStore, clock: Clock, options: GroupOptions, brokerClosing: AbortSignal) {
    this.#store = store;
    this.#clock = clock;
    this.#brokerClosing = brokerClosing;
    this.#lane = options.lane ?? false;
    this.stream = options.stream;
    this.group = options.group;
    this.consumer = options.consumer;
  }

  ensure(): Promise<boolean> {
    if (this.#lane && !this.#store.find(this.stream)) return Promise.resolve(false);
    return Promise.resolve(this.#store.ensureGroup(this.stream, this.group));
  }

  async read(options: ReadOptions): Promise<readonly StreamEntry[]> {
    if (options.ack?.length) await this.ack(options.ack);
    return await takeWhenThere(
      () => Promise.try(() => this.#take(options.count)),
      (changed) => this.#store.watch(this.stream, changed),
      {
        clock: this.#clock,
        blockMs: options.blockMs ?? 0,
        signals: [this.#brokerClosing, this.#closing.signal, ...options.signal ? [options.signal] : []],
      },
    );
  }

  ack(ids: readonly string[]): Promise<number> {
    return Promise.resolve(ids.filter((id) => this.#acknowledge(id)).length);
  }

  refresh(ids: readonly string[]): Promise<readonly string[]> {
    const state = this.#state();
    const now = this.#clock.monotonic();
    return Promise.resolve(ids.filter((id) => state?.touch(id, this.consumer, now) === undefined));
  }

  attempt(id: string): Promise<number | undefined> {
    const now = this.#clock.monotonic();
    return Promise.resolve(this.#state()?.touch(id, this.consumer, now, (count) => count + 1));
  }

  postpone(id: string, postponed: Postponed, count: number): Promise<boolean> {
    const now = this.#clock.monotonic();
    return Promise.resolve(this.#state()?.postpone(id, this.consumer, postponed, count, now) ?? false);
  }

  pending(
    options: {
      readonly limit: number;
      readonly after?: string;
      readonly consumer?: string;
      readonly minIdleMs?: number;
    },
  ): Promise<readonly PendingEntry[]> {
    return Promise.try(() => {
      const { limit, consumer, minIdleMs = 0 } = options;
      const list = this.#state()?.list(parseCursor(options.after), this.#clock.monotonic()) ?? [];
      return Iterator.from(list)
        .filter((entry) => consumer === undefined || entry.consumer === consumer)
        .filter(({ idleMs }) => idleMs >= minIdleMs)
        .take(limit)
        .toArray();
    });
  }

  claim(
    entries: readonly { readonly id: string; readonly from: string }[],
    minIdleMs: number,
  ): Promise<readonly ClaimedEntry[]> {
    const state = this.#state();
    const now = this.#clock.monotonic();
    const claimed = entries.map(({ id, from }) => state?.claim(id, from, this.consumer, minIdleMs, now));
    return Promise.resolve(claimed.filter((entry) => entry !== undefined));
  }

  deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean> {
    const owned = this.#state()?.ownerOf(id) === this.consumer;
    if (owned) {
      this.#store.bury(deadLetterStream, data, this.#clock.now());
      this.#acknowledge(id);
    }
    return Promise.resolve(owned);
  }

  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    const state = this.#state();
    const long = this.#clock.monotonic() - RELEASED_IDLE_MS;
    for (const { id, count } of entries) state?.touch(id, this.consumer, long, () => count);
    return Promise.resolve();
  }

  trim(maxLength: number): Promise<number> {
    const { log, groups } = this.#store.find(this.stream) ?? {};
    const [lowest] = [...groups?.values() ?? []].map(({ needs }) => needs).sort(compareStreamIds);
    if (!log || !lowest) return Promise.resolve(0);
    return Promise.resolve(log.dropOldest(Math.min(log.length - maxLength, TRIM_LIMIT), lowest));
  }

  retire(): Promise<boolean> {
    return Promise.resolve(this.#state()?.retire(this.consumer) ?? true);
  }

  sweep(idleMs: number, own?: OwnConsumers): Promise<readonly string[]> {
    const options = { spare: this.consumer, idleMs, own };
    return Promise.resolve(this.#state()?.sweep(options, this.#clock.monotonic()) ?? []);
  }

  info(): Promise<GroupInfo | undefined> {
    return Promise.resolve(this.#state()?.info);
  }

  /** Ends a read that waits. */
  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  #state(): GroupState | undefined {
    return this.#store.find(this.stream)?.groups.get(this.group);
  }

  #take(count: number): readonly StreamEntry[] {
    const state = this.#state();
    if (state) return state.read(this.consumer, count, this.#clock.monotonic());
    if (this.#lane) return [];
    throw groupMissing(this.stream, this.group);
  }

  #acknowledge(id: string): boolean {
    const was = this.#state()?.acknowledge(id) ?? false;
    const log = this.#store.find(this.stream)?.log;
    if (was && this.#lane) {
      log?.remove(id);
      if (log?.length === 0) this.#store.drop(this.stream);
    }
    return was;
  }
}
