/**
 * Redis Streams as a broker: mechanisms of `spec/delivery.md` 1 to 8, 18 and 19, names and fields of wire 2.
 *
 * What Redis itself loses is lost: a failover may drop writes that it had confirmed. The outbox keeps the
 * truth.
 *
 * @module
 */
import { asError, BrokerUnavailableError } from "../../errors.ts";
import {
  type AlertRecords,
  BaseBroker,
  type BrokerCapabilities,
  type ConnectionNeed,
  type DeadLetters,
  type GroupAges,
  type GroupInfo,
  type GroupOptions,
  type Lock,
  type LockOptions,
  type OperationRecords,
  type Partitions,
  type Peers,
  type PublishResult,
  type Rollups,
  type ServerFacts,
  type StreamEntry,
  type StreamEntryInsert,
  type StreamGroup,
  type TextLimits,
} from "../ports.ts";
import { RedisAlerts } from "./alerts.ts";
import { RedisDeadLetters } from "./dead_letters.ts";
import type { Endpoint } from "./endpoint.ts";
import { openEndpoint } from "./cluster.ts";
import { fetchEntries } from "./entries.ts";
import { explain, isWrongServer } from "./faults.ts";
import { RedisStreamGroup } from "./group.ts";
import { plainKey, type StreamKey, taggedKey } from "./keys.ts";
import { LOCK_MS, RedisLocks } from "./locks.ts";
import { partitionIndex, partitionStream } from "../../message/partitions.ts";
import { RedisOperations } from "./operations.ts";
import { RedisPartitions } from "./partitions.ts";
import { RedisPeers } from "./peers.ts";
import { RedisRollups } from "./rollups.ts";
import { append, appendParted } from "./scripts.ts";
import { connectionNeed, serverFacts } from "./server_facts.ts";
import { checkFiles, readSettings } from "./settings.ts";
import { MEMBERS, Presence } from "./presence.ts";
import { countAfter, dropGroup, groupAges } from "./operators.ts";
import { groupsOf } from "./replies.ts";

export class RedisBroker extends BaseBroker {
  readonly capabilities: BrokerCapabilities = {
    embedded: false,
    inOrder: true,
  };
  /** Time to live of a lock. */
  protected readonly lockMs: number = LOCK_MS;
  readonly #groups = new Set<RedisStreamGroup>();
  #heldLocks: RedisLocks | undefined;
  #heldPartitions: RedisPartitions | undefined;
  #endpoint: Endpoint | undefined;
  #presence: Presence | undefined;

  /**
   * Reads the settings; the first command connects. Throws `ConfigurationError` for those that cannot be
   * right.
   */
  override async open(): Promise<void> {
    await checkFiles(this.#redis.server.settings);
  }

  override async ping(signal: AbortSignal): Promise<void> {
    await this.#redis.ping(signal);
  }

  override connectionNeed(): ConnectionNeed {
    return connectionNeed(this.#redis);
  }

  override async serverFacts(signal: AbortSignal): Promise<ServerFacts | undefined> {
    return await serverFacts(this.#redis, signal);
  }

  override async publish(
    entries: readonly StreamEntryInsert[],
    signal?: AbortSignal,
  ): Promise<readonly PublishResult[]> {
    if (entries.length === 0) return [];
    const slots = this.#redis.together(entries.map(({ stream }) => this.keyOf(stream)));
    if (slots.length === 1) return await this.#append(entries, signal);
    const outcomes = await Promise.allSettled(
      slots.map((places) => this.#append(places.flatMap((at) => entries[at] ?? []), signal)),
    );
    const results: PublishResult[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      for (const [nth, at] of (slots[index] ?? []).entries()) {
        const result = outcome.status === "fulfilled"
          ? outcome.value[nth]
          : { error: asError(outcome.reason) };
        if (result) results[at] = result;
      }
    }
    return results;
  }

  /** Entries whose streams may be named together. */
  async #append(
    entries: readonly StreamEntryInsert[],
    signal: AbortSignal | undefined,
  ): Promise<readonly PublishResult[]> {
    const places = new Map<string, number>();
    const placeOf = (stream: string) => {
      let place = places.get(stream);
      if (place === undefined) places.set(stream, place = places.size + 1);
      return place;
    };
    const parted = entries.some(({ partition }) => partition !== undefined);
    const args = entries.flatMap(({ stream, data, partition }) => {
      if (!parted) return [placeOf(stream), data];
      if (partition === undefined) return [placeOf(stream), 0, "", data];
      const key = placeOf(partitionStream(stream, partition));
      return [key, placeOf(partitionIndex(stream)), partition, data];
    });
    const redis = this.#redis;
    const keys = [...places.keys()].map((stream) => this.keyOf(stream));
    const results = await redis.run(async (client) => {
      const replies = await (parted ? appendParted : append).run(
        client,
        keys,
        args,
      ) as readonly (string | Error)[];
      // It has taken none of them, and the connection with it is given up.
      if (isWrongServer(replies[0])) throw replies[0];
      return replies;
    }, { signal });
    return results.map((result, at) =>
      typeof result === "string"
        ? { id: result }
        : { error: explain(result, redis.server.settings, { key: entries[at]?.stream }) }
    );
  }

  override group(options: GroupOptions): StreamGroup {
    this.#presence ??= new Presence(this.#redis, this.keyOf(MEMBERS));
    const group = new RedisStreamGroup(
      this.#redis,
      this.#presence,
      (stream) => this.keyOf(stream),
      options,
      (closed) => this.#groups.delete(closed),
    );
    this.#groups.add(group);
    return group;
  }

  override async entries(
    stream: string,
    ids: readonly string[],
    limits?: TextLimits,
  ): Promise<readonly StreamEntry[]> {
    return await fetchEntries(this.#redis, { stream, key: this.keyOf(stream) }, ids, limits);
  }

  override get deadLetters(): DeadLetters {
    return new RedisDeadLetters(this.#redis, (stream) => this.keyOf(stream));
  }

  override get operations(): OperationRecords {
    return new RedisOperations(this.#redis, (name) => this.keyOf(name));
  }

  override get alerts(): AlertRecords {
    return new RedisAlerts(this.#redis, (name) => this.keyOf(name));
  }

  override async groups(stream: string): Promise<readonly GroupInfo[]> {
    return await this.#redis.run((client) => groupsOf(client, this.keyOf(stream)), {
      key: stream,
      repeatable: true,
    });
  }

  override async groupAges(stream: string, group: string): Promise<GroupAges | undefined> {
    return await this.#redis.run((client) => groupAges(client, this.keyOf(stream), group), {
      key: stream,
      repeatable: true,
    });
  }

  override async countAfter(stream: string, id: string, most: number): Promise<number> {
    return await this.#redis.run((client) => countAfter(client, this.keyOf(stream), id, most), {
      ...{ key: stream, repeatable: true },
    });
  }

  override async dropGroup(stream: string, group: string): Promise<boolean> {
    return await this.#redis.run((client) => dropGroup(client, this.keyOf(stream), group), { key: stream });
  }

  override async length(stream: string): Promise<number> {
    return await this.#redis.run((client) => client.xlen(this.keyOf(stream)), {
      key: stream,
      repeatable: true,
    });
  }

  override get peers(): Peers {
    return new RedisPeers({ redis: () => this.#redis, keyOf: (name) => this.keyOf(name) });
  }

  override get rollups(): Rollups {
    return new RedisRollups(this.#redis, (name) => this.keyOf(name));
  }

  /** None on a Cluster: a key's lease and its stream are named apart, and would be in two slots. */
  override get partitions(): Partitions | undefined {
    if (this.#redis.server.settings.address.cluster) return undefined;
    const { clock } = this.options;
    return this.#heldPartitions ??= new RedisPartitions({
      ...{ redis: () => this.#redis, keyOf: (name) => this.keyOf(name), clock },
    });
  }

  /** The server's clock: it gives the entries their ids. */
  override async time(): Promise<number> {
    const [seconds = 0, micros = 0] = await this.#redis.run((client) => client.time(), { repeatable: true });
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  }

  override async lock(name: string, options?: LockOptions): Promise<Lock | undefined> {
    return await this.#locks.lock(name, options);
  }

  override openConnections(): number {
    return this.#endpoint?.open ?? 0;
  }

  /** Cuts the reads that are under way; no socket and no timer is left when this resolves. */
  override async close(): Promise<void> {
    await Promise.all([...this.#groups].map((group) => group.close()));
    await this.#presence?.close();
    await this.#heldLocks?.close();
    await this.#heldPartitions?.close();
    await this.#endpoint?.close();
  }

  get #locks(): RedisLocks {
    const { clock } = this.options;
    return this.#heldLocks ??= new RedisLocks({
      ...{ redis: () => this.#redis, keyOf: (name) => this.keyOf(name), clock },
      ttlMs: this.lockMs,
    });
  }

  /** The one place where a stream's name becomes a key; nothing above knows (`keys.ts`). */
  protected keyOf(stream: string): StreamKey {
    return this.#redis.server.settings.address.cluster ? taggedKey(stream) : plainKey(stream);
  }

  get #redis(): Endpoint {
    if (this.#endpoint) return this.#endpoint;
    const { clock, shared } = this.options;
    const settings = readSettings(this.options, "brokers", BrokerUnavailableError);
    return this.#endpoint = openEndpoint(settings, clock, shared);
  }
}
