/**
 * Parted categories of the memory broker: leases, keys and notes in this process (wire 2.11).
 *
 * @module
 */
import { type Clock, momentOf } from "../../async/clock.ts";
import { haltedPartitions, partitionLease, partitionStream } from "../../message/partitions.ts";
import { haltedIn } from "../halted.ts";
import { HeldLocks } from "../lease_lock.ts";
import type {
  Halt,
  HaltedPartition,
  Partition,
  PartitionEntry,
  PartitionLease,
  PartitionLeaseOptions,
  Partitions,
  PartitionsInfo,
  StreamGroup,
  Unblock,
} from "../ports.ts";
import { compareStreamIds, parseStreamId } from "../stream_id.ts";
import { fenced, groupMissing } from "../stream_rules.ts";
import type { GroupState } from "./stream_group_state.ts";
import { entryOf } from "./stream_log.ts";
import type { StreamStore } from "./stream_store.ts";

export interface MemoryPartitionsOptions {
  readonly store: StreamStore;
  readonly clock: Clock;
  /** The consumer of a stream. */
  readonly group: (options: { stream: string; group: string; consumer: string }) => StreamGroup;
}

export class MemoryPartitions implements Partitions {
  readonly #held = new HeldLocks();
  readonly #keys = new Map<string, Set<string>>();
  /** Who owns what, by name of the lease; `until` on the monotonic scale. */
  readonly #leases = new Map<string, { readonly fence: string; until: number }>();
  readonly #generations = new Map<string, number>();
  readonly #halted = new Map<string, Map<string, string>>();

  constructor(private readonly options: MemoryPartitionsOptions) {}

  /** Notes that the category has the key. */
  add(stream: string, key: string): void {
    this.#keys.set(stream, (this.#keys.get(stream) ?? new Set()).add(key));
  }

  keys(stream: string): Promise<readonly string[]> {
    return Promise.resolve([...this.#keys.get(stream) ?? []]);
  }

  count(stream: string): Promise<number> {
    return Promise.resolve(this.#keys.get(stream)?.size ?? 0);
  }

  lease({ group, key, owner, ttlMs, renewMs }: PartitionLeaseOptions): Promise<PartitionLease | undefined> {
    const { clock } = this.options;
    const name = partitionLease(group, key);
    const before = this.#leases.get(name);
    if (before && before.until > clock.monotonic()) return Promise.resolve(undefined);
    const generation = (this.#generations.get(name) ?? 0) + 1;
    this.#generations.set(name, generation);
    const fence = `${owner}:${generation}`;
    this.#leases.set(name, { fence, until: clock.monotonic() + ttlMs });
    const lock = this.#held.hold({
      ...{ name, clock, since: momentOf(clock), ttlMs, renewMs },
      renew: () => {
        const lease = this.#leases.get(name);
        const kept = lease?.fence === fence && lease.until > clock.monotonic();
        if (kept) lease.until = clock.monotonic() + ttlMs;
        return Promise.resolve(kept);
      },
      release: () => {
        if (this.#leases.get(name)?.fence === fence) this.#leases.delete(name);
        return Promise.resolve();
      },
    });
    return Promise.resolve({
      ...{ fence, name, signal: lock.signal },
      [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
    });
  }

  open({ stream, key, group, lease }: Parameters<Partitions["open"]>[0]): Partition {
    const owns = () => {
      const held = this.#leases.get(lease.name);
      return held?.fence === lease.fence && held.until > this.options.clock.monotonic();
    };
    const notes = () => this.#notes(stream, group);
    const keys = () => this.#keys.get(stream);
    return new MemoryPartition(this.options, { stream, key, group, fence: lease.fence, owns, notes, keys });
  }

  news(stream: string, group: string, keys: readonly string[]): Promise<readonly string[]> {
    return Promise.resolve(keys.filter((key) => {
      const info = this.options.store.find(partitionStream(stream, key))?.groups.get(group)?.info;
      return info?.lag !== 0 || info.pending !== 0;
    }));
  }

  halted(stream: string, group: string): Promise<readonly HaltedPartition[]> {
    return Promise.resolve(haltedIn(this.#notes(stream, group)));
  }

  unblock({ stream, group, halted: { key, halt }, letter }: Unblock): Promise<boolean> {
    const notes = this.#notes(stream, group);
    if (notes.get(key) !== JSON.stringify(halt)) return Promise.resolve(false);
    const { store, clock } = this.options;
    if (letter) store.bury(letter.deadLetterStream, letter.data, clock.now());
    store.find(partitionStream(stream, key))?.groups.get(group)?.acknowledge(halt.id);
    notes.delete(key);
    return Promise.resolve(true);
  }

  info(
    stream: string,
    group: string,
    most: number,
    some?: readonly string[],
  ): Promise<PartitionsInfo | undefined> {
    const keys = some ?? [...this.#keys.get(stream) ?? []];
    if (keys.length > most) return Promise.resolve(undefined);
    let total: PartitionsInfo = { keys: keys.length, length: 0, lag: 0, pending: 0, consumers: 0 };
    for (const key of keys) {
      const found = this.options.store.find(partitionStream(stream, key));
      const length = found?.log.length ?? 0;
      const info = found?.groups.get(group)?.info ?? { length, lag: length, pending: 0, consumers: 0 };
      total = {
        keys: keys.length,
        length: total.length + length,
        lag: (total.lag ?? 0) + (info.lag ?? 0),
        pending: total.pending + info.pending,
        consumers: total.consumers + info.consumers,
      };
    }
    return Promise.resolve(total);
  }

  /** Gives back what is held. Never rejects. */
  async close(): Promise<void> {
    await this.#held.close();
  }

  #notes(stream: string, group: string): Map<string, string> {
    const name = haltedPartitions(stream, group);
    const notes = this.#halted.get(name) ?? new Map<string, string>();
    this.#halted.set(name, notes);
    return notes;
  }
}

interface Place {
  readonly stream: string;
  readonly key: string;
  readonly group: string;
  readonly fence: string;
  readonly owns: () => boolean;
  readonly notes: () => Map<string, string>;
  readonly keys: () => Set<string> | undefined;
}

class MemoryPartition implements Partition {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly #store: StreamStore;
  readonly #clock: Clock;
  readonly #place: Place;
  readonly #entries: StreamGroup;

  constructor({ store, clock, group }: MemoryPartitionsOptions, place: Place) {
    this.stream = partitionStream(place.stream, place.key);
    this.group = place.group;
    this.consumer = place.fence;
    this.#store = store;
    this.#clock = clock;
    this.#place = place;
    this.#entries = group({ stream: this.stream, group: this.group, consumer: this.consumer });
  }

  async adopt(): Promise<boolean> {
    this.#assertOwned();
    if (!this.#place.keys()?.has(this.#place.key)) return false;
    this.#store.ensureGroup(this.stream, this.group);
    const now = this.#clock.monotonic();
    const state = this.#state();
    for (const { id, consumer } of [...state.list({ ms: 0, n: 0 }, now)]) {
      state.claim(id, consumer, this.consumer, 0, now);
    }
    state.sweep({ spare: this.consumer, idleMs: 0 }, now);
    this.#place.notes().delete(this.#place.key);
    return await Promise.resolve(true);
  }

  async next(): Promise<PartitionEntry | undefined> {
    this.#assertOwned();
    const state = this.#state();
    const log = this.#store.find(this.stream)?.log;
    for (const { id, consumer, count } of [...state.list({ ms: 0, n: 0 }, this.#clock.monotonic())]) {
      if (consumer !== this.consumer) continue;
      const entry = log?.get(id);
      if (entry) return { ...entryOf(entry), count, trimmed: false, pending: true };
      state.acknowledge(id);
    }
    const [entry] = state.read(this.consumer, 1, this.#clock.monotonic());
    return await Promise.resolve(entry && { ...entry, count: 1, trimmed: false, pending: false });
  }

  attempt(id: string): Promise<number | undefined> {
    return this.#entries.attempt(id);
  }

  refresh(ids: readonly string[]): Promise<readonly string[]> {
    return this.#entries.refresh(ids);
  }

  async ack(ids: readonly string[]): Promise<void> {
    this.#assertOwned();
    await this.#entries.ack(ids);
  }

  deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean> {
    return this.#entries.deadLetter(id, deadLetterStream, data);
  }

  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    return this.#entries.release(entries);
  }

  trim(maxLength: number): Promise<number> {
    return this.#entries.trim(maxLength);
  }

  async halt(halt: Halt, count: number): Promise<boolean> {
    this.#assertOwned();
    const counted = this.#state().touch(halt.id, this.consumer, this.#clock.monotonic(), () => count);
    if (counted === undefined) return false;
    this.#place.notes().set(this.#place.key, JSON.stringify(halt));
    return await Promise.resolve(true);
  }

  halted(): Promise<boolean> {
    const { key, notes } = this.#place;
    const note = notes().get(key);
    const [halted] = note === undefined ? [] : haltedIn([[key, note]]);
    const state = this.#store.find(this.stream)?.groups.get(this.group);
    const still = halted !== undefined && state?.ownerOf(halted.halt.id) !== undefined;
    if (!still) notes().delete(key);
    return Promise.resolve(still);
  }

  reap(idleMs: number): Promise<boolean> {
    const { log, groups } = this.#store.find(this.stream) ?? {};
    const [last] = log?.before({ ms: Infinity, n: 0 }, 1) ?? [];
    if (last) {
      if (this.#clock.now() - last.key.ms < idleMs || !groups?.size) return Promise.resolve(false);
      const done = [...groups.values()].every(({ info }) => {
        const read = parseStreamId(info.lastDeliveredId);
        return info.pending === 0 && read && compareStreamIds(read, last.key) >= 0;
      });
      if (!done) return Promise.resolve(false);
    }
    this.#place.keys()?.delete(this.#place.key);
    this.#store.drop(this.stream);
    return Promise.resolve(true);
  }

  async retire(): Promise<void> {
    await this.#entries.retire();
  }

  #assertOwned(): void {
    if (!this.#place.owns()) throw fenced(this.stream, this.consumer);
  }

  #state(): GroupState {
    const state = this.#store.find(this.stream)?.groups.get(this.group);
    if (!state) throw groupMissing(this.stream, this.group);
    return state;
  }
}
