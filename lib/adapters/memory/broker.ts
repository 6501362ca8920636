/**
 * Streams with consumer groups in this process's memory: Redis's semantics, gone with the broker.
 *
 * @module
 */
import {
  type AdapterOptions,
  type AlertRecords,
  BaseBroker,
  type BrokerCapabilities,
  type DeadLetters,
  type GroupAges,
  type GroupInfo,
  type GroupOptions,
  type Lock,
  type OperationRecords,
  type Partitions,
  type Peers,
  type PublishResult,
  type Rollups,
  type StreamEntry,
  type StreamEntryInsert,
  type StreamGroup,
} from "../ports.ts";
import { AlertShelf } from "../alert_shelf.ts";
import { MemoryDeadLetters } from "./broker_dead_letters.ts";
import { partitionStream } from "../../message/partitions.ts";
import { MemoryLocks } from "./locks.ts";
import { OperationBook } from "../operation_book.ts";
import { MemoryPartitions } from "./partitions.ts";
import { MemoryPeers } from "./peers.ts";
import { MemoryRollups } from "./rollups.ts";
import { MemoryStreamGroup } from "./stream_group.ts";
import { entryOf } from "./stream_log.ts";
import { StreamStore } from "./stream_store.ts";

/** For tests and single-process use: every instance has streams of its own, and nothing outlives it. */
export class MemoryBroker extends BaseBroker {
  readonly capabilities: BrokerCapabilities = {
    embedded: true,
    inOrder: true,
  };
  readonly #store = new StreamStore();
  readonly #deadLetters: DeadLetters;
  readonly #locks = new MemoryLocks();
  readonly #operations = new OperationBook();
  readonly #alerts = new AlertShelf();
  readonly #closing = new AbortController();
  readonly #partitions: MemoryPartitions;
  readonly #peers: Peers;
  readonly #rollups: Rollups;

  constructor(options: AdapterOptions) {
    super(options);
    this.#peers = new MemoryPeers(options.clock);
    this.#rollups = new MemoryRollups(options.clock);
    this.#deadLetters = new MemoryDeadLetters(this.#store, options.clock);
    this.#partitions = new MemoryPartitions({
      ...{ store: this.#store, clock: options.clock },
      group: (place) => this.group(place),
    });
  }

  ping(_signal: AbortSignal): Promise<void> {
    return Promise.resolve();
  }

  publish(
    entries: readonly StreamEntryInsert[],
  ): Promise<readonly PublishResult[]> {
    const now = this.options.clock.now();
    return Promise.resolve(entries.map(({ stream, data, partition }) => {
      if (partition === undefined) return { id: this.#store.append(stream, data, now) };
      this.#partitions.add(stream, partition);
      return { id: this.#store.append(partitionStream(stream, partition), data, now) };
    }));
  }

  override get peers(): Peers {
    return this.#peers;
  }

  override get rollups(): Rollups {
    return this.#rollups;
  }

  override get operations(): OperationRecords {
    return this.#operations;
  }

  override get alerts(): AlertRecords {
    return this.#alerts;
  }

  override get partitions(): Partitions {
    return this.#partitions;
  }

  override group(options: GroupOptions): StreamGroup {
    return new MemoryStreamGroup(this.#store, this.options.clock, options, this.#closing.signal);
  }

  override entries(stream: string, ids: readonly string[]): Promise<readonly StreamEntry[]> {
    const { log } = this.#store.find(stream) ?? {};
    return Promise.resolve(ids.flatMap((id) => log?.get(id) ?? []).map(entryOf));
  }

  override get deadLetters(): DeadLetters {
    return this.#deadLetters;
  }

  override groups(stream: string): Promise<readonly GroupInfo[]> {
    const groups = this.#store.find(stream)?.groups.values() ?? [];
    return Promise.resolve([...groups].map(({ info }) => info));
  }

  override groupAges(stream: string, group: string): Promise<GroupAges | undefined> {
    return Promise.resolve(this.#store.find(stream)?.groups.get(group)?.ages);
  }

  override dropGroup(stream: string, group: string): Promise<boolean> {
    return Promise.resolve(this.#store.dropGroup(stream, group));
  }

  length(stream: string): Promise<number> {
    return Promise.resolve(this.#store.find(stream)?.log.length ?? 0);
  }

  override lock(name: string): Promise<Lock | undefined> {
    return this.#locks.lock(name);
  }

  /** Ends reads that wait. */
  override async close(): Promise<void> {
    this.#closing.abort();
    await this.#locks.close();
    await this.#partitions.close();
  }
}
